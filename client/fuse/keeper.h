/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h - the small process that a mount belongs to, so that the one that serves it may die.
 *
 * It holds the kernel's connection and the book (client/core/book.h), does nothing, and starts the
 * server of the mount again when that has died without having unmounted: from the program's file as
 * it is then, so an upgrade is the same as a death, only that the server first sends off what it
 * keeps back (SIGUSR2 to either of them). If the keeper dies, the server goes on, and its death is
 * the end of the mount again.
 */
#pragma once
#include "client/core/book.h"
#include "client/fuse/options.h"

#define KEEPER_KICK_THREAD "sheen-kick" /* the name of threads that use the mount themselves */

struct kept_mount {
	int fuse_fd, book_fd; /* -1: there is no keeper */
	int takeover;	      /* this process is not the first */
};

/* Forks. In the server: 0, and *k; the keeper does not return. status_fd is closed in it. On error
 * (-errno) nothing was started; why is text for people. */
must_check int keeper_start(char **argv, int status_fd, struct kept_mount *k, char *why,
			    size_t why_len);
/* What the keeper has put into the command line of a later server. */
must_check int keeper_parse(const char *text, struct kept_mount *k);
/* In the server: SIGUSR1 will say that the keeper has died. */
void keeper_watch(void);
