/* SPDX-License-Identifier: Apache-2.0 */
/* tool_cmd.c - dispatch of sub-commands, the interactive prompt, help and version; see tool_cmd.h.
 *
 * Exit statuses and the places where usage goes follow Lustre's parser because scripts look at
 * both. It does no completion and keeps no history: that is what a terminal's tools are for.
 */
#include "client/tools/tool_cmd.h"
#include "common/daemon.h"
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_WORDS = 256 };

static const char *cur_prog = "";
static char cur_title[64];

const char *tool_cmd_title(void)
{
	return cur_title[0] ? cur_title : cur_prog;
}

void tool_say(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout); /* keeps the order when both go to one place */
	fprintf(stderr, "%s: ", tool_cmd_title());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int tool_fail(int rc, const char *fmt, ...)
{
	va_list ap;

	rc = rc < 0 ? -rc : rc;
	fflush(stdout);
	fprintf(stderr, "%s: ", tool_cmd_title());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s (%d)\n", strerror(rc), rc);
	return -rc;
}

static const struct tool_cmd *find_cmd(const struct tool_cmd *c, const char *name)
{
	for (; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int list_commands(const struct tool_cmd *c)
{
	int col = 0;

	for (; c->name; c++) {
		col += printf("%-16s", c->name);
		if (col >= 64) {
			putchar('\n');
			col = 0;
		}
	}
	if (col)
		putchar('\n');
	return 0;
}

static int unknown(const char *name)
{
	fprintf(stderr, "%s: '%s' is not a valid command. See '%s --list-commands'.\n", cur_prog,
		name, cur_prog);
	return CMD_INCOMPLETE;
}

static int help(const struct tool_cmd *cmds, int argc, char **argv)
{
	const struct tool_cmd *c;

	if (argc > 1) {
		c = find_cmd(cmds, argv[1]);
		if (!c)
			return unknown(argv[1]);
		printf("%s: %s\n%s", c->name, c->what, c->usage);
		return 0;
	}
	printf("usage: %s [--help] [--version] [--list-commands] [COMMAND [ARGUMENTS]]\n\n",
	       cur_prog);
	for (c = cmds; c->name; c++)
		printf("  %-14s %s\n", c->name, c->what);
	printf("\n'%s help COMMAND' or '%s COMMAND --help' tells more.\n", cur_prog, cur_prog);
	return 0;
}

static bool asks_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

/* One command. The exit status, or -1 for quit and exit. */
static int run_words(const struct tool_cmd *cmds, int argc, char **argv)
{
	const struct tool_cmd *c;
	int rc;

	if (!strcmp(argv[0], "help") || !strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
		return help(cmds, argc, argv);
	if (!strcmp(argv[0], "--list-commands") || !strcmp(argv[0], "list-commands"))
		return list_commands(cmds);
	if (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-V")) {
		printf("%s %s\n", cur_prog, SHEEN_VERSION);
		return 0;
	}
	if (!strcmp(argv[0], "quit") || !strcmp(argv[0], "exit"))
		return -1;
	c = find_cmd(cmds, argv[0]);
	if (!c)
		return unknown(argv[0]);
	if (asks_help(argc, argv)) {
		printf("%s: %s\n%s", c->name, c->what, c->usage);
		return 0;
	}
	snprintf(cur_title, sizeof(cur_title), "%s %s", cur_prog, c->name);
	optind = 0; /* the interactive prompt parses options many times */
	opterr = 0; /* functions name the wrong option themselves */
	rc = c->fn(argc, argv);
	cur_title[0] = '\0';
	if (rc == CMD_HELP)
		fputs(c->usage, stdout);
	return rc < 0 ? -rc : rc;
}

int tool_cmd_split(char *line, char **argv, int max)
{
	char *in = line, *out = line, quote = 0;
	int n = 0;

	for (;;) {
		while (*in == ' ' || *in == '\t' || *in == '\n')
			in++;
		if (!*in)
			return n;
		if (n == max)
			return -E2BIG;
		argv[n++] = out;
		for (; *in && (quote || !strchr(" \t\n", *in)); in++) {
			if (quote ? *in == quote : (*in == '"' || *in == '\''))
				quote = quote ? 0 : *in;
			else if (*in == '\\' && quote != '\'' && in[1])
				*out++ = *++in;
			else
				*out++ = *in;
		}
		if (quote)
			return -EINVAL;
		if (*in)
			in++;
		*out++ = '\0';
	}
}

static int interactive(const struct tool_cmd *cmds)
{
	char *words[MAX_WORDS + 1], *line = NULL;
	bool prompt = isatty(STDIN_FILENO);
	size_t cap = 0;
	int n, rc = 0;

	for (;;) {
		if (prompt) {
			printf("%s > ", cur_prog);
			fflush(stdout);
		}
		if (getline(&line, &cap, stdin) < 0)
			break;
		n = tool_cmd_split(line, words, MAX_WORDS);
		if (n < 0)
			fprintf(stderr, "%s: %s\n", cur_prog,
				n == -EINVAL ? "a quote is not closed" : "too many words");
		if (n <= 0)
			continue;
		words[n] = NULL;
		n = run_words(cmds, n, words);
		if (n == -1)
			break;
		fflush(stdout);
		rc = n;
	}
	free(line);
	return rc;
}

int tool_cmd_main(const char *prog, const struct tool_cmd *cmds, int argc, char **argv)
{
	int rc;

	cur_prog = prog;
	if (argc < 2)
		return interactive(cmds);
	rc = run_words(cmds, argc - 1, argv + 1);
	if (rc < 0)
		rc = 0;
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write the output: %s\n", prog, strerror(errno));
		return rc ? rc : EIO;
	}
	return rc;
}
