/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_space.c - the table of lfs df; see lfs_space.h. Widths are Lustre's. */
#include "client/tools/lfs_space.h"
#include "client/tools/tool_json.h"
#include "common/proto/proto.h"
#include <inttypes.h>

struct row {
	uint64_t total, used, avail;
};

enum { NUM_LEN = 32 };

/* "4.2G" in a column of 9, or the bare number in one of 11. */
static const char *number(uint32_t flags, uint64_t v, char buf[NUM_LEN])
{
	static const char units[] = "KMGTPEZY";
	double base = flags & DF_DECIMAL ? 1000 : 1024, x = (double)v;
	int unit = -1;

	if (!(flags & (DF_HUMAN | DF_DECIMAL))) {
		snprintf(buf, NUM_LEN, "%" PRIu64, v);
		return buf;
	}
	while (x >= base) {
		x /= base;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, NUM_LEN, "%" PRIu64, v);
	else
		snprintf(buf, NUM_LEN, "%.1f%c", x, units[unit]);
	return buf;
}

static unsigned percent(const struct row *r)
{
	unsigned __int128 all = (unsigned __int128)r->used + r->avail;

	if (all == 0)
		return 0;
	return (unsigned)(((unsigned __int128)r->used * 100 + all - 1) / all);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct row row_of(uint32_t flags, const struct tool_space *t)
{
	/* Kibibytes by default; a number with a unit starts from bytes. */
	unsigned shift = flags & (DF_HUMAN | DF_DECIMAL) ? 0 : 10;

	if (flags & DF_INODES)
		return (struct row){t->files, minus(t->files, t->ffree), t->ffree};
	return (struct row){t->total >> shift, minus(t->total, t->free) >> shift,
			    t->avail >> shift};
}

static void print_row(FILE *f, uint32_t flags, const char *name, const struct row *r)
{
	char a[NUM_LEN], b[NUM_LEN], c[NUM_LEN];

	fprintf(f, "%-20s %11s %11s %11s %3u%%", name, number(flags, r->total, a),
		number(flags, r->used, b), number(flags, r->avail, c), percent(r));
}

static void print_header(FILE *f, uint32_t flags)
{
	bool inodes = flags & DF_INODES;
	bool units = flags & (DF_HUMAN | DF_DECIMAL);

	fprintf(f, "%-20s %11s %11s %11s %4s Mounted on\n", "UUID",
		inodes ? "Inodes" : units ? "bytes" : "1K-blocks", inodes ? "IUsed" : "Used",
		inodes ? "IFree" : "Available", inodes ? "IUse%" : "Use%");
}

static void print_state(FILE *f, uint32_t state)
{
	static const struct {
		uint32_t bit;
		char letter;
	} letters[] = {{TARGET_DEGRADED, 'D'},
		       {TARGET_READONLY, 'R'},
		       {TARGET_NOCREATE, 'N'},
		       {TARGET_NOSPACE, 'S'},
		       {TARGET_NOINODES, 'I'}};
	bool any = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(letters); i++) {
		if (!(state & letters[i].bit))
			continue;
		if (!any)
			fputc(' ', f);
		any = true;
		fputc(letters[i].letter, f);
	}
}

static bool wanted(const struct lfs_df *d, const struct tool_space *t)
{
	int64_t want = t->mdt ? d->mdt : d->ost;

	return want == -1 || want == (int64_t)t->index;
}

/* A target that gave no figures. */
static int print_missing(FILE *f, const struct lfs_df *d, const struct tool_space *t)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%04x", t->mdt ? "MDT" : "OST", t->index);
	if (t->state & TARGET_INACTIVE) {
		if (d->flags & DF_VERBOSE)
			fprintf(f, "%-20s: inactive device\n", name);
		return 0;
	}
	if (d->flags & DF_LAZY)
		return 0;
	fprintf(f, "%-20s: %s\n", name, strerror(t->error));
	return -t->error;
}

static int print_target(FILE *f, const struct lfs_df *d, const struct tool_space *t)
{
	char name[sizeof(t->name) + 8];
	struct row r;

	if (t->error || (t->state & TARGET_INACTIVE))
		return print_missing(f, d, t);
	snprintf(name, sizeof(name), "%s_UUID", t->name);
	r = row_of(d->flags, t);
	print_row(f, d->flags, name, &r);
	fprintf(f, " %s[%s:%u]", d->dir, t->mdt ? "MDT" : "OST", t->index);
	print_state(f, t->state);
	fputc('\n', f);
	return 0;
}

/* Blocks: what the OSTs have. Inodes: what the MDTs have, as long as the OSTs can hold objects for
 * them. */
static struct row sum_up(const struct lfs_df *d, const struct tool_space *t, int n)
{
	struct tool_space osts = {0}, mdts = {0}, *s;
	uint64_t room;
	int i;

	for (i = 0; i < n; i++) {
		if (t[i].error || (t[i].state & TARGET_INACTIVE) || !wanted(d, &t[i]))
			continue;
		s = t[i].mdt ? &mdts : &osts;
		s->total += t[i].total;
		s->free += t[i].free;
		s->avail += t[i].avail;
		s->files += t[i].files;
		s->ffree += t[i].ffree;
	}
	if (!(d->flags & DF_INODES))
		return row_of(d->flags, &osts);
	room = osts.ffree / (d->stripe_count ? d->stripe_count : 1);
	if (osts.files && room < mdts.ffree) {
		mdts.files = mdts.files - mdts.ffree + room;
		mdts.ffree = room;
	}
	return row_of(d->flags, &mdts);
}

int lfs_df_print(FILE *f, const struct lfs_df *d, const struct tool_space *t, int n)
{
	int i, rc, first = 0;
	struct row sum;

	if (!(d->flags & DF_NO_HEADER))
		print_header(f, d->flags);
	for (i = 0; i < n && !(d->flags & DF_SUMMARY); i++) {
		if (!wanted(d, &t[i]))
			continue;
		rc = print_target(f, d, &t[i]);
		first = first ? first : rc;
	}
	if (!(d->flags & DF_SUMMARY))
		fputc('\n', f);
	sum = sum_up(d, t, n);
	print_row(f, d->flags, "filesystem_summary:", &sum);
	fprintf(f, " %s\n\n", d->dir);
	return first;
}

int lfs_df_json(struct json_object *o, const struct lfs_df *d, const struct tool_space *t, int n)
{
	struct json_object *a = json_put_array(o, "targets"), *j;
	struct lfs_df bytes = *d;
	struct row sum;
	int i, first = 0;

	json_put_str(o, "mount", d->dir);
	for (i = 0; i < n; i++) {
		if (!wanted(d, &t[i]))
			continue;
		j = json_add_object(a);
		json_put_str(j, "name", t[i].name);
		json_put_str(j, "type", t[i].mdt ? "MDT" : "OST");
		json_put_u64(j, "index", t[i].index);
		json_put_bool(j, "active", !(t[i].state & TARGET_INACTIVE));
		json_put_bool(j, "degraded", t[i].state & TARGET_DEGRADED);
		json_put_bool(j, "read_only", t[i].state & TARGET_READONLY);
		json_put_bool(j, "no_create", t[i].state & TARGET_NOCREATE);
		if (t[i].error) {
			json_put_str(j, "error", strerror(t[i].error));
			first = first || (d->flags & DF_LAZY) ? first : -t[i].error;
			continue;
		}
		json_put_u64(j, "bytes_total", t[i].total);
		json_put_u64(j, "bytes_free", t[i].free);
		json_put_u64(j, "bytes_avail", t[i].avail);
		json_put_u64(j, "inodes_total", t[i].files);
		json_put_u64(j, "inodes_free", t[i].ffree);
	}
	bytes.flags = DF_HUMAN; /* bytes, not kibibytes */
	sum = sum_up(&bytes, t, n);
	json_put_u64(o, "bytes_total", sum.total);
	json_put_u64(o, "bytes_used", sum.used);
	json_put_u64(o, "bytes_avail", sum.avail);
	bytes.flags = DF_INODES;
	sum = sum_up(&bytes, t, n);
	json_put_u64(o, "inodes_total", sum.total);
	json_put_u64(o, "inodes_used", sum.used);
	json_put_u64(o, "inodes_free", sum.avail);
	return first;
}
