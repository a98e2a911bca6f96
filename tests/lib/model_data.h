/* SPDX-License-Identifier: Apache-2.0 */
/* model_data.h - between model.c and model_data.c. */
#pragma once
#include "tests/lib/model.h"

struct model_time model_now(const struct model *m);
/* Bytes behind size are gone, as truncate does. */
void model_data_cut(struct model_node *n, uint64_t size);
