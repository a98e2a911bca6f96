/* SPDX-License-Identifier: Apache-2.0 */
/* tool_cmd.h - a program made of sub-commands, as lfs and lctl are.
 *
 * One table row per sub-command: name, function, usage text, one line of what it does. A function
 * returns 0, CMD_HELP for wrong usage (the usage goes to stdout, as with Lustre), another
 * positive exit status, or -errno, which becomes the exit status. Main thread.
 */
#pragma once
#include "common/base.h"

enum cmd_status { /* of Lustre's command parser */
	CMD_INCOMPLETE = 1,
	CMD_NONE = 2,
	CMD_AMBIGUOUS = 3,
	CMD_HELP = 4,
};

typedef int tool_cmd_fn(int argc, char **argv);

struct tool_cmd {
	const char *name; /* NULL ends the table */
	tool_cmd_fn *fn;
	const char *what;  /* one line */
	const char *usage; /* "usage: ..." with options; ends with a newline */
};

/* Runs argv as "prog SUBCOMMAND ..."; without arguments reads lines from stdin. The exit status. */
int tool_cmd_main(const char *prog, const struct tool_cmd *cmds, int argc, char **argv);

/* The sub-command's name for messages: "lfs setstripe". Valid while it runs. */
const char *tool_cmd_title(void);

/* stderr: "lfs setstripe: TEXT". */
void tool_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* stderr: "lfs setstripe: TEXT: No such file or directory (2)". rc is an errno of either sign;
 * gives it back negative. */
int tool_fail(int rc, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Splits a line into words as a shell does (quotes and backslash, nothing else), in place. The
 * count, or -EINVAL for an open quote, -E2BIG for more than max. */
must_check int tool_cmd_split(char *line, char **argv, int max);
