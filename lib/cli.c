#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"

enum { OPTIONS_MAX = 48, VAL_HELP = 1000, VAL_FIRST = 1001 };

int cli_number(const char *text, unsigned long max, unsigned long *ret, struct err *e)
{
	unsigned long n = 0;

	if (!*text) {
		return err_set(e, -EINVAL, "a number is missing");
	}
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9') {
			return err_set(e, -EINVAL, "'%s' is not a number", text);
		}
		if (__builtin_mul_overflow(n, 10UL, &n) ||
			__builtin_add_overflow(n, (unsigned long)(*c - '0'), &n) || n > max) {
			return err_set(e, -ERANGE, "'%s' is out of range (at most %lu)", text, max);
		}
	}
	*ret = n;
	return 0;
}

static int list_add(struct cli_list *list, const char *s)
{
	const char **v = reallocarray(list->v, list->n + 2, sizeof(*v));

	if (!v) {
		return -ENOMEM;
	}
	v[list->n++] = s;
	v[list->n] = NULL;
	list->v = v;
	return 0;
}

void cli_list_done(struct cli_list *list)
{
	free(list->v);
	*list = (struct cli_list){};
}

static int store(const struct cli_option *o, char *value, void *into, struct err *e)
{
	void *at = (char *)into + o->offset;
	unsigned long n;
	int r;

	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)at = true;
		return 0;
	case CLI_STRING:
		*(const char **)at = value;
		return 0;
	case CLI_LIST:
		r = list_add(at, value);
		return r < 0 ? err_set(e, r, "out of memory") : 0;
	case CLI_U32:
		r = cli_number(value, UINT32_MAX, &n, e);
		if (r < 0) {
			return err_wrap(e, r, "option '--%s'", o->name);
		}
		*(uint32_t *)at = (uint32_t)n;
		return 0;
	}
	return -EINVAL;
}

/* Fills getopt's tables; an option without letter gets a number past all letters. */
static void make_tables(const struct cli *cli, char *letters, struct option *longs)
{
	size_t n = 0, l = 0;

	if (cli->stop_at_operand) {
		letters[l++] = '+';
	}
	letters[l++] = ':'; /* tell a missing value from an unknown option */
	for (const struct cli_option *o = cli->options; o->name && n < OPTIONS_MAX; o++, n++) {
		int has = o->kind == CLI_FLAG ? no_argument : required_argument;

		longs[n] = (struct option){.name = o->name,
			.has_arg = has,
			.val = o->letter ? o->letter : VAL_FIRST + (int)n};
		if (o->letter) {
			letters[l++] = o->letter;
			if (has == required_argument) {
				letters[l++] = ':';
			}
		}
	}
	longs[n++] = (struct option){.name = "help", .val = VAL_HELP};
	letters[l++] = 'h';
	letters[l] = '\0';
	longs[n] = (struct option){};
}

static const struct cli_option *find(const struct cli *cli, int val)
{
	int n = 0;

	for (const struct cli_option *o = cli->options; o->name; o++, n++) {
		if (val == o->letter || val == VAL_FIRST + n) {
			return o;
		}
	}
	return NULL;
}

/* What getopt said with val ':' or '?'. Inside a cluster ("-xv") optind is not yet past the argument,
 * so short options are told by optopt; it is 0 for an unknown long one. */
static int refuse_option(const struct cli *cli, int val, char **argv, struct err *e)
{
	const struct cli_option *o = find(cli, optopt);

	if (val == ':') {
		return err_set(e, -EINVAL, "option '--%s' needs a value", o ? o->name : "");
	}
	if (optopt == 0) {
		return err_set(e, -EINVAL, "unknown option '%s'", argv[optind - 1]);
	}
	if (o || optopt == VAL_HELP) {
		return err_set(e, -EINVAL, "option '--%s' takes no value", o ? o->name : "help");
	}
	return err_set(e, -EINVAL, "unknown option '-%c'", optopt);
}

int cli_parse(const struct cli *cli, int argc, char **argv, void *into, struct err *e)
{
	char letters[2 * OPTIONS_MAX + 4];
	struct option longs[OPTIONS_MAX + 2];
	int val, r;

	make_tables(cli, letters, longs);
	opterr = 0;
	optind = 0; /* glibc: start anew */
	while ((val = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct cli_option *o = find(cli, val);

		if (val == VAL_HELP || (val == 'h' && !o)) {
			cli_print_help(cli);
			return -ECANCELED;
		}
		if (!o) {
			return refuse_option(cli, val, argv, e);
		}
		r = store(o, optarg, into, e);
		if (r < 0) {
			return r;
		}
	}
	return optind;
}

static void print_verbs(const struct cli_verb *verbs)
{
	printf("\nverbs:\n");
	for (; verbs->name; verbs++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "%s %s", verbs->name, verbs->operands);
		printf("  %-26s %s\n", line, verbs->help);
	}
}

void cli_print_help(const struct cli *cli)
{
	printf("usage: %s\n\n%s\n", cli->usage, cli->about);
	if (cli->verbs) {
		print_verbs(cli->verbs);
	}
	if (cli->options->name) {
		printf("\noptions:\n");
	}
	for (const struct cli_option *o = cli->options; o->name; o++) {
		char name[64], letter[8] = "";

		if (o->letter) {
			(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		}
		(void)snprintf(name, sizeof(name), "%s--%s%s%s", letter, o->name,
			o->value ? " " : "", o->value ? o->value : "");
		printf("  %-28s %s\n", name, o->help);
	}
}

int cli_failure(const struct cli *cli, int r, const struct err *e)
{
	struct err shown = {.code = e->code};

	if (r == -ECANCELED) {
		return 0;
	}
	(void)snprintf(shown.msg, sizeof(shown.msg), "%.300s (usage: %.150s)", e->msg, cli->usage);
	(void)log_failure(&shown);
	return 2;
}

int cli_main(const struct cli *cli, void *globals, int argc, char **argv)
{
	struct err e = {};
	int at;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("%.*s %s\n", (int)strcspn(cli->usage, " "), cli->usage, FIEF_VERSION);
		return 0;
	}
	at = cli_parse(cli, argc, argv, globals, &e);
	if (at < 0) {
		return cli_failure(cli, at, &e);
	}
	if (at == argc) {
		(void)err_set(&e, -EINVAL, "a verb is missing");
		return cli_failure(cli, -EINVAL, &e);
	}
	for (const struct cli_verb *v = cli->verbs; v->name; v++) {
		if (strcmp(argv[at], v->name) == 0) {
			return v->run(globals, argc - at, argv + at);
		}
	}
	(void)err_set(&e, -EINVAL, "unknown verb '%.60s'", argv[at]);
	return cli_failure(cli, -EINVAL, &e);
}
