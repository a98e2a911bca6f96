/* SPDX-License-Identifier: Apache-2.0 */
/* soft.c - mount option soft: while a server is silent nobody waits longer than timeo.
 *
 * What can be given up without a trace the core gives up by itself (common/rpc_soft.c). The rest,
 * a change that was sent and may have been made, or a wait for such a one, is answered with EIO
 * here and goes on: when the server answers again it ends in order, the kernel drops the late
 * answer and is told to forget what it knew, as for a process that was killed (interrupt.c). Waits
 * for file locks go on until a signal comes, and nobody waits for a release.
 */
#include "client/fuse/soft.h"
#include "common/log.h"

enum { LOOKS = 8 }; /* in a timeo */

static uint64_t timeo_ns(const struct flane *fl)
{
	return fl->face->opt.timeo_ds * 100 * NSEC_PER_MSEC;
}

static bool waits(const struct serve *s)
{
	switch (serve_head(s)->opcode) {
	case FUSE_SETLKW:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return true;
	default:
		return s->given_up;
	}
}

static void end_old(struct flane *fl)
{
	uint64_t now = loop_clock(fl->loop);
	struct serve *s;

	TAILQ_FOREACH(s, &fl->serving, link)
	{
		if (waits(s) || s->asked_ns + timeo_ns(fl) > now || uring_abandon(s))
			continue;
		s->given_up = true;
		raw_reply(fl->face, serve_head(s)->unique, -EIO, NULL, 0);
	}
}

static void look(void *arg)
{
	struct flane *fl = arg;

	if (fl->ln && fs_is_silent(fl->ln))
		end_old(fl);
	soft_look(fl);
}

void soft_init(struct flane *fl)
{
	fl->soft = (struct loop_timer){.fn = look, .arg = fl};
}

/* An idle lane has looked last when nothing waited, so it says that nobody is silent. */
void soft_look(struct flane *fl)
{
	bool idle = TAILQ_EMPTY(&fl->serving) && !(fl->ln && fs_is_silent(fl->ln));

	if (fl->face->opt.soft && !fl->soft.due_ns && !idle)
		loop_timer_start(fl->loop, &fl->soft, timeo_ns(fl) / LOOKS);
}
