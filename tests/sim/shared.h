/* SPDX-License-Identifier: Apache-2.0 */
/* shared.h - tasks of all clients on the same files, checked by invariants instead of a model.
 *
 * append: every record of every writer is in the file once and whole. counter: nothing is lost
 * under locks. token: renames among directories leave exactly one. readdir: names that stay are
 * listed exactly once while others come and go. excl: of all that make a name, one succeeds.
 * records: interleaved writes to one striped file all are there.
 */
#pragma once
#include "tests/sim/cluster.h"

struct shared;

/* Makes the files, starts the tasks; the world must be stepped until shared_done(). */
must_check int shared_start(struct cluster *cl, uint64_t seed, uint32_t rounds,
			    struct shared **out);
bool shared_done(const struct shared *s);
/* What must be true at the end. */
void shared_check(struct shared *s);
/* Removes the files. */
void shared_clean(struct shared *s);
void shared_free(struct shared *s);
