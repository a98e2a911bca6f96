/* SPDX-License-Identifier: Apache-2.0 */
/* tool_size.c - parsers of numbers; see tool_size.h. Nothing here prints. */
#include "client/tools/tool_size.h"
#include <ctype.h>
#include <stdlib.h>

/* Binary power of a unit letter, or -1. */
static int unit_shift(char c)
{
	static const struct {
		char c;
		int shift;
	} units[] = {{'c', 0},	{'b', 9},  {'k', 10}, {'m', 20},
		     {'g', 30}, {'t', 40}, {'p', 50}, {'e', 60}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (units[i].c == tolower((unsigned char)c))
			return units[i].shift;
	return -1;
}

/* "i", "B" or "iB" may follow a unit letter. */
static const char *skip_unit_tail(const char *p)
{
	if (*p == 'i')
		p++;
	if (*p == 'B')
		p++;
	return p;
}

/* Digits behind a point, as a fraction of 2^shift bytes. */
static uint64_t fraction(const char *from, const char *to, int shift)
{
	unsigned __int128 num = 0, den = 1;

	for (; from < to && den < 1000000000000ULL; from++) {
		num = num * 10 + (unsigned)(*from - '0');
		den *= 10;
	}
	return (uint64_t)((num << shift) / den);
}

int tool_parse_size(const char *text, uint64_t *out, uint64_t *unit)
{
	const char *p, *frac = NULL, *frac_end = NULL;
	unsigned long long v;
	int shift = 0;
	uint64_t add = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL; /* also refuses signs and blanks, which strtoull takes */
	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno)
		return -ERANGE;
	p = end;
	if (*p == '.') {
		for (frac = ++p; isdigit((unsigned char)*p); p++)
			;
		frac_end = p;
	}
	*unit = 1;
	if (*p) {
		shift = unit_shift(*p);
		if (shift < 0)
			return -EINVAL;
		p = skip_unit_tail(p + 1);
	}
	if (*p || (frac && !shift))
		return -EINVAL;
	if (frac)
		add = fraction(frac, frac_end, shift);
	if (v > UINT64_MAX >> shift || (v << shift) > UINT64_MAX - add)
		return -ERANGE;
	*unit = 1ULL << shift;
	*out = ((uint64_t)v << shift) + add;
	return 0;
}

int tool_parse_stripe_size(const char *text, uint64_t *out)
{
	uint64_t v, unit;
	size_t len = strlen(text);
	int rc;

	rc = tool_parse_size(text, &v, &unit);
	if (rc)
		return rc;
	if (unit == 1 && v < 4096 && tolower((unsigned char)text[len - 1]) != 'c')
		v *= 1024;
	if (v % STRIPE_SIZE_UNIT)
		return -EINVAL;
	if (v > STRIPE_SIZE_MAX)
		return -EFBIG;
	*out = v;
	return 0;
}

int tool_parse_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
	long long v;
	char *end;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return -EINVAL;
	errno = 0;
	v = strtoll(text, &end, 0);
	if (*end)
		return -EINVAL;
	if (errno || v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

static int parse_index(const char **p, uint32_t *out)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	errno = 0;
	v = strtoul(*p, &end, 0);
	if (errno || v > MAX_OST_INDEX)
		return -EINVAL;
	*p = end;
	*out = (uint32_t)v;
	return 0;
}

int tool_parse_ost_list(const char *text, struct tool_ost_list *l)
{
	const char *p = text;
	uint32_t from, to;

	for (;;) {
		if (parse_index(&p, &from))
			return -EINVAL;
		to = from;
		if (*p == '-') {
			p++;
			if (parse_index(&p, &to) || to < from)
				return -EINVAL;
		}
		for (; from <= to; from++) {
			if (l->n == MAX_STRIPES)
				return -E2BIG;
			l->ost[l->n++] = from;
		}
		if (!*p)
			return 0;
		if (*p++ != ',')
			return -EINVAL;
	}
}
