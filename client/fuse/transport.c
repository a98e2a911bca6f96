/* SPDX-License-Identifier: Apache-2.0 */
/* transport.c - which way requests take from the kernel and answers back: /dev/fuse or io_uring.
 *
 * It is planned before the lanes start, because each lane needs a ring of its own by then; agreed
 * in FUSE_INIT; and begun when the kernel has the answer to that. Whatever fails before leaves the
 * mount on /dev/fuse.
 */
#include "client/fuse/face.h"
#include "client/fuse/uring_abi.h"
#include "common/log.h"
#include "common/param.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define SWITCH "/sys/module/fuse/parameters/enable_uring"

enum { LANES_MAX = 16 };
#define KEEP_BYTES (640ULL << 20) /* memory of large payloads that is kept, of all lanes */

uint32_t transport_cpus(const char *list)
{
	unsigned long last = 0, v;
	char *end;

	do {
		v = strtoul(list, &end, 10);
		if (end == list || v < last || v >= URING_QUEUES_MAX)
			return 0;
		last = v;
		list = end + 1;
	} while (*end == '-' || *end == ',');
	return (*end == 0 || *end == '\n') ? (uint32_t)last + 1 : 0;
}

static bool read_line(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, (int)len, f);

	if (f)
		fclose(f);
	return ok;
}

/* The switch is for the whole system, and off on a fresh one. It only bounds what file systems may
 * ask for, as fs.fuse.max_pages_limit does, so a mount switches it on if it may. */
static bool is_switched_on(void)
{
	char line[16];
	FILE *f;

	if (read_line(SWITCH, line, sizeof(line)) && line[0] == 'Y')
		return true;
	f = fopen(SWITCH, "we");
	if (!f)
		return false;
	fputs("Y\n", f);
	return fclose(f) == 0 && read_line(SWITCH, line, sizeof(line)) && line[0] == 'Y';
}

/* Somebody asked for it by name and does not get it. */
static void refuse(struct face *f, const char *why)
{
	f->uring_want = false;
	if (f->opt.uring != URING_ON) {
		log_dbg("/dev/fuse is used: %s", why);
		return;
	}
	log_warn("option uring: %s; /dev/fuse is used", why);
	if (!f->opt.foreground && !f->attached)
		fprintf(stderr, "mount.sheen: option uring: %s; /dev/fuse is used\n", why);
}

void transport_plan(struct face *f)
{
	char line[256];

	/* Linux (6.18) fails requests with ECANCELED that it hands to the ring of a process while
	 * that dies: who wants a keeper has to want this as well. */
	if (f->opt.uring == URING_AUTO && f->opt.keeper)
		return;
	if (f->opt.uring == URING_OFF || (f->inherited && !book_head(f->book)->uring))
		return;
	if (access(SWITCH, F_OK)) {
		refuse(f, "this kernel has no FUSE over io_uring (Linux 6.14, "
			  "CONFIG_FUSE_IO_URING)");
		return;
	}
	if (!is_switched_on()) {
		refuse(f, "FUSE over io_uring is switched off (as root: echo Y > " SWITCH ")");
		return;
	}
	if (read_line("/sys/devices/system/cpu/possible", line, sizeof(line)))
		f->uring_queues = transport_cpus(line);
	if (!f->uring_queues) {
		refuse(f, "the number of processors cannot be found out");
		return;
	}
	if (kicker_create(f, &f->kicker)) {
		refuse(f, "a thread cannot be started");
		return;
	}
	f->uring_want = true;
}

uint32_t transport_lanes(const struct face *f)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	long max = f->uring_want ? LANES_MAX : 4;

	if (f->inherited) /* whose rings they have */
		return book_head(f->book)->nlanes;
	if (f->opt.lanes)
		return f->opt.lanes;
	return n < 1 ? 1 : n > max ? (uint32_t)max : (uint32_t)n;
}

/* Lane i of n serves the queues from here. */
static uint32_t queue_of(const struct face *f, uint32_t i, uint32_t n)
{
	return (uint32_t)((uint64_t)f->uring_queues * i / n);
}

void transport_lane(struct flane *fl, uint32_t nlanes)
{
	struct face *f = fl->face;
	uint32_t first = queue_of(f, fl->index, nlanes);
	struct uring_cfg cfg = {
		.first = first,
		.nqueues = queue_of(f, fl->index + 1, nlanes) - first,
		.depth = f->opt.uring_depth ? f->opt.uring_depth : URING_DEPTH,
		.payload = f->max_req > 8192 ? f->max_req : 8192, /* FUSE_MIN_READ_BUFFER */
	};
	int rc;

	if (!f->uring_want || !cfg.nqueues)
		return;
	cfg.keep = (uint32_t)(KEEP_BYTES / nlanes / cfg.payload);
	if (cfg.keep > LANE_BIG)
		cfg.keep = LANE_BIG;
	rc = uring_create(fl, &cfg, &fl->uring);
	if (rc)
		refuse(f, rc == -EPERM ? "io_uring is not allowed (kernel.io_uring_disabled)"
				       : err_str(rc));
}

void transport_init_in(struct face *f, const struct fuse_init_in *in)
{
	bool offered = in && (in->flags & FUSE_INIT_EXT) && (in->flags2 & INIT_OVER_IO_URING);

	if (f->uring_want && !offered)
		refuse(f, "the kernel does not offer it");
}

static void start_here(void *arg)
{
	struct flane *fl = arg;

	if (fl->uring && !atomic_load(&fl->face->ended))
		uring_start(fl->uring);
}

/* From now on the kernel keeps requests back until every queue has an entry, or one is refused. */
void transport_start(struct face *f)
{
	uint32_t i;

	if (!f->uring_want)
		return;
	atomic_store(&f->uring_on, true);
	for (i = 0; i < f->nlanes; i++) {
		f->lane[i]->uring_work = (struct loop_work){.fn = start_here, .arg = f->lane[i]};
		loop_post(f->lane[i]->loop, &f->lane[i]->uring_work);
	}
}

void transport_refused(struct face *f, int rc)
{
	if (atomic_exchange(&f->uring_on, false))
		log_warn("FUSE over io_uring: the kernel refuses an entry: %s; it goes on over "
			 "/dev/fuse",
			 err_str(rc));
}

ssize_t transport_write(struct face *f, const struct iovec *iov, int n)
{
	ssize_t len = 0;
	int i;

	if (!uring_reply(iov, n))
		return writev(f->fd, iov, n);
	for (i = 0; i < n; i++)
		len += (ssize_t)iov[i].iov_len;
	return len;
}

/* ---- llite.*.transport ---- */

static int get_transport(void *arg, struct wbuf *w)
{
	const struct face *f = arg;
	uint32_t i, n = 0;
	char line[96];

	for (i = 0; i < f->nlanes; i++)
		n += f->lane[i]->uring ? uring_entries(f->lane[i]->uring) : 0;
	if (atomic_load(&f->uring_on))
		snprintf(line, sizeof(line), "io_uring lanes=%u queues=%u entries=%u", f->nlanes,
			 f->uring_queues, n);
	else
		snprintf(line, sizeof(line), "/dev/fuse lanes=%u", f->nlanes);
	wbuf_put(w, line, (uint32_t)strlen(line));
	return 0;
}

int transport_param(struct face *f)
{
	char name[128];

	snprintf(name, sizeof(name), "llite.%s-%s.transport", fs_name(f->fs), fs_instance(f->fs));
	return param_add(fs_params(f->fs), name, get_transport, NULL, f);
}
