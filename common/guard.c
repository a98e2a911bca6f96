/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - who may serve a target; see guard.h.
 *
 * Why a claim is safe after GUARD_CONFIRM_MS: whoever else saw the same block standing still
 * writes within GUARD_CLAIM_MS of his last look, or does not count his claim. So his claim is on
 * the disk before ours is confirmed, or his last look comes after ours was written, and he sees
 * it change. The one who wrote last serves, if anybody does. A claim that lands later than that,
 * over somebody who serves, ends him at his next look, and its writer has to see it stand still
 * for a whole term before he claims again. (A machine that comes back takes its own target without
 * this wait. If that happens within the second between another's last look and claim, its first
 * look, a second later, ends it.)
 */
#include "common/guard.h"
#include "common/crc.h"
#include "common/proto/field.h"
#include <ctype.h>
#include <inttypes.h>
#include <time.h>

#define MAGIC 0x6472617567736853ULL
enum { FORMAT = 1, CRC_AT = GUARD_BLOCK - 4, SLOW_TIMES = 4 };

/* clang-format off */
#define GUARD_FIELDS(F) F(u64, magic) F(u32, format) F(u8, state) F(u64, owner) F(u64, seq) \
	F(u32, term_ms) F(u32, pid) F(i64, since) F(str, host) F(str, boot)
/* clang-format on */
struct guard_rec {
	GUARD_FIELDS(FIELD_MEMBER)
};

/* ---- the block ---- */

void guard_encode(const struct guard_block *b, uint8_t out[GUARD_BLOCK])
{
	struct guard_rec rec =
				 {
					 .magic = MAGIC,
					 .format = FORMAT,
					 .state = b->state,
					 .owner = b->owner,
					 .seq = b->seq,
					 .term_ms = b->term_ms,
					 .pid = b->pid,
					 .since = b->since,
					 .host = SPAN_STR(b->host),
					 .boot = SPAN_STR(b->boot),
				 },
			 *v = &rec;
	struct wbuf wb, *w = &wb;
	uint32_t crc;

	memset(out, 0, GUARD_BLOCK);
	wbuf_init_fixed(w, out, CRC_AT);
	GUARD_FIELDS(FIELD_ENC)
	assert(w->rc == 0); /* its text is bounded */
	crc = crc32c_add(0, out, CRC_AT);
	wbuf_init_fixed(w, out + CRC_AT, 4);
	enc_u32(w, &crc);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	while (len && !*p)
		p++, len--;
	return len == 0;
}

/* For logs and messages: whoever wrote it is not trusted with more. */
static int take_text(struct span s, char *out, size_t cap)
{
	if (s.len >= cap)
		return -EUCLEAN;
	for (uint32_t i = 0; i < s.len; i++)
		out[i] = (char)(isprint(s.ptr[i]) ? s.ptr[i] : '?');
	out[s.len] = 0;
	return 0;
}

int guard_decode(const uint8_t in[GUARD_BLOCK], struct guard_block *out)
{
	struct rbuf rb = {in, CRC_AT}, *r = &rb, tail = {in + CRC_AT, 4};
	struct guard_rec rec = {0}, *v = &rec;
	uint32_t crc = 0;
	int rc = 0;

	if (all_zero(in, GUARD_BLOCK))
		return -ENODATA;
	if (dec_u32(&tail, &crc) || crc != crc32c_add(0, in, CRC_AT))
		return -EUCLEAN;
	GUARD_FIELDS(FIELD_DEC)
	if (rc || rec.magic != MAGIC || rec.format != FORMAT ||
	    (rec.state != GUARD_CLEAN && rec.state != GUARD_HELD))
		return -EUCLEAN;
	*out = (struct guard_block){.state = rec.state,
				    .owner = rec.owner,
				    .seq = rec.seq,
				    .pid = rec.pid,
				    .since = rec.since};
	out->term_ms =
		(uint32_t)min_u64(max_u64(rec.term_ms, GUARD_TERM_MIN_MS), GUARD_TERM_MAX_MS);
	rc = take_text(rec.host, out->host, sizeof(out->host));
	return rc ? rc : take_text(rec.boot, out->boot, sizeof(out->boot));
}

bool guard_same_machine(const struct guard_block *a, const struct guard_block *b)
{
	return a->boot[0] && strcmp(a->boot, b->boot) == 0 && strcmp(a->host, b->host) == 0;
}

char *guard_who(const struct guard_block *b, char out[GUARD_WHO])
{
	time_t t = (time_t)b->since;
	char when[40] = "?";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	snprintf(out, GUARD_WHO, "host %s, pid %u, since %s", b->host[0] ? b->host : "?", b->pid,
		 when);
	return out;
}

/* ---- a starter ---- */

void guard_watch_init(struct guard_watch *w, const struct guard_block *self)
{
	*w = (struct guard_watch){.self = *self};
}

static bool same_writing(const struct guard_watch *w, int rc, const struct guard_block *b)
{
	if (rc || w->seen_rc)
		return rc == w->seen_rc;
	return b->owner == w->seen.owner && b->seq == w->seen.seq && b->state == w->seen.state;
}

/* Longer than its holder may go on after what we saw; clocks may run a little differently. */
static uint64_t still_ms(const struct guard_watch *w)
{
	uint64_t term = w->seen_rc ? GUARD_TERM_MS : w->seen.term_ms;

	return w->seen_rc == -ENODATA ? 0 : term + term / 4 + 1000;
}

static enum guard_step first_look(struct guard_watch *w)
{
	bool known = w->seen_rc == 0 && guard_same_machine(&w->seen, &w->self);

	w->confirm = !known;
	if (known || (w->seen_rc == 0 && w->seen.state == GUARD_CLEAN) || still_ms(w) == 0)
		return GUARD_CLAIM;
	return GUARD_LOOK;
}

enum guard_step guard_watch_look(struct guard_watch *w, uint64_t now_ms, int rc,
				 const struct guard_block *b)
{
	bool same = w->looked && same_writing(w, rc, b);

	w->looked_ms = now_ms;
	if (w->phase == GUARD_CONFIRMING) {
		if (rc || b->owner != w->self.owner) {
			w->seen = rc ? w->seen : *b;
			return GUARD_REFUSED;
		}
		return now_ms - w->since_ms > GUARD_CONFIRM_MS ? GUARD_MINE : GUARD_LOOK;
	}
	if (same)
		return now_ms - w->since_ms > still_ms(w) ? GUARD_CLAIM : GUARD_LOOK;
	w->seen_rc = rc;
	if (rc == 0)
		w->seen = *b;
	w->since_ms = now_ms;
	if (!w->looked) {
		w->looked = true;
		return first_look(w);
	}
	/* It was written while we looked. One that says good-bye, or is torn, is looked at
	 * further. */
	if (rc == 0 && b->state == GUARD_HELD)
		return GUARD_REFUSED;
	w->confirm = true;
	return rc == 0 ? GUARD_CLAIM : GUARD_LOOK;
}

enum guard_step guard_watch_claimed(struct guard_watch *w, uint64_t now_ms)
{
	if (!w->confirm)
		return GUARD_MINE;
	w->seen = w->self;
	w->seen_rc = 0;
	w->since_ms = now_ms;
	if (now_ms - w->looked_ms <= GUARD_CLAIM_MS)
		w->phase = GUARD_CONFIRMING;
	return GUARD_LOOK;
}

uint64_t guard_watch_left(const struct guard_watch *w, uint64_t now_ms)
{
	uint64_t whole =
		w->phase == GUARD_CONFIRMING ? GUARD_CONFIRM_MS : still_ms(w) + GUARD_CONFIRM_MS;
	uint64_t spent = now_ms - w->since_ms;

	return spent < whole ? whole - spent : 0;
}

/* ---- a holder ---- */

void guard_hold_init(struct guard_hold *h, const struct guard_block *claimed, uint64_t renewed_ms)
{
	*h = (struct guard_hold){
		.now = *claimed,
		.base_ms = claimed->term_ms,
		.term_ms = claimed->term_ms,
		.renewed_ms = renewed_ms,
	};
}

bool guard_hold_intact(const struct guard_hold *h, int rc, const struct guard_block *b)
{
	return rc == -EUCLEAN || (rc == 0 && b->owner == h->now.owner);
}

/* While a shorter promise is being written, it may already be on the disk. */
const struct guard_block *guard_hold_next(struct guard_hold *h)
{
	h->now.seq++;
	if (h->now.term_ms < h->base_ms)
		h->now.term_ms = h->base_ms;
	if (h->term_ms > h->now.term_ms)
		h->term_ms = h->now.term_ms;
	return &h->now;
}

/* A slow disk is promised less: what takes a second now may take four next time. It comes back to
 * the usual by an eighth each time. */
void guard_hold_written(struct guard_hold *h, uint64_t began_ms, uint64_t now_ms)
{
	uint64_t slow = (now_ms - began_ms) * SLOW_TIMES;
	uint64_t next = max_u64(h->now.term_ms - h->now.term_ms / 8, h->base_ms);

	h->renewed_ms = began_ms;
	h->term_ms = h->now.term_ms;
	h->now.term_ms = (uint32_t)min_u64(max_u64(next, slow), GUARD_TERM_MAX_MS);
}

bool guard_hold_late(const struct guard_hold *h, uint64_t now_ms)
{
	return now_ms > h->renewed_ms + h->term_ms && now_ms > h->grace_ms;
}

void guard_hold_paused(struct guard_hold *h, uint64_t now_ms)
{
	h->grace_ms = now_ms + GUARD_GRACE_MS;
}
