/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_sku.c - see sheenctl_sku.h. */
#include "client/tools/sheenctl_sku.h"
#include <inttypes.h>
#include <strings.h>

static const struct ctl_sku skus[] = {
	{"Durable-Premium-40", 40, 48},
	{"Durable-Premium-125", 125, 16},
	{"Durable-Premium-250", 250, 8},
	{"Durable-Premium-500", 500, 4},
	{"none", 0, 1},
};

const struct ctl_sku *ctl_sku_find(const char *name)
{
	size_t i;

	if (!strncasecmp(name, "AMLFS-", 6))
		name += 6;
	for (i = 0; i < ARRAY_SIZE(skus); i++)
		if (!strcasecmp(skus[i].name, name))
			return &skus[i];
	return NULL;
}

const char *ctl_sku_names(void)
{
	return "Durable-Premium-40, -125, -250, -500 or none";
}

uint64_t ctl_sku_throughput(const struct ctl_sku *s, uint32_t tib)
{
	return (uint64_t)s->mbps * tib;
}

void ctl_sku_rate(uint64_t mbps, uint32_t nost, char out[32])
{
	uint64_t milli;

	if (!mbps) {
		snprintf(out, 32, "none");
		return;
	}
	milli = max_u64((mbps * 1000 + nost - 1) / nost, 1000);
	snprintf(out, 32, "%" PRIu64 ".%03" PRIu64, milli / 1000, milli % 1000);
}
