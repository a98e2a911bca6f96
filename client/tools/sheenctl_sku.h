/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_sku.h - throughput that is bought by capacity: the SKUs of Azure Managed Lustre.
 *
 * A SKU is so many MB (10^6 bytes) a second for each TiB, in steps of capacity; "none" sets no
 * limit and takes any capacity. Pure; any thread.
 */
#pragma once
#include "common/base.h"
#include <stdio.h>

struct ctl_sku {
	const char *name;  /* "Durable-Premium-250", or "none" */
	uint32_t mbps;     /* for each TiB; 0: no limit */
	uint32_t step_tib; /* the capacity is a multiple of this */
};

enum { CTL_MAX_TIB = 100000 };

/* With "AMLFS-" in front or without, in any case of letters. NULL: there is none of that name. */
const struct ctl_sku *ctl_sku_find(const char *name);
/* All names, for a message. */
const char *ctl_sku_names(void);
/* Of the whole cluster, in MB/s; 0: no limit. */
uint64_t ctl_sku_throughput(const struct ctl_sku *s, uint32_t tib);
/* The value of rate_limit_mb for each of nost OSTs: rounded up to a thousandth, at least 1. */
void ctl_sku_rate(uint64_t mbps, uint32_t nost, char out[32]);
