/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of sheen-copytool. Credentials are never on it. */
#pragma once
#include "common/daemon.h"
#include "mover/mover.h"

/* Fills both; prints help, the version or an error and exits when that is all there is to do. What
 * cfg points at are argv's strings, but for the prefix, which ends with '/' then. */
void mover_options(struct daemon_opts *o, struct mover_cfg *cfg, int argc, char **argv);
