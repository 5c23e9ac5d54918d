/*
 * Command lines by table: options, usage text and errors come from one place.
 *
 * A program or a verb has a table of struct cli_option, ended by a zeroed entry, and one struct into
 * which values are stored. "--name VALUE", "--name=VALUE", "-n VALUE" and "-nVALUE" are taken; "--"
 * ends the options. --help is built in and prints the table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

enum cli_kind {
	CLI_FLAG,   /* bool */
	CLI_STRING, /* const char *, borrowed from argv */
	CLI_U32,    /* uint32_t */
	CLI_LIST,   /* struct cli_list */
};

struct cli_list {
	const char **v; /* owned, NULL-terminated */
	size_t n;
};

struct cli_option {
	const char *name; /* long name without dashes */
	char letter;	  /* short name or 0 */
	enum cli_kind kind;
	size_t offset;	   /* of the value in the struct */
	const char *value; /* name of the value in the help, NULL for flags */
	const char *help;
};

/* A verb of a program. `globals` is what the program's own options filled; the result is the exit
 * status. argv[0] is the verb. */
struct cli_verb {
	const char *name;
	int (*run)(const void *globals, int argc, char **argv);
	const char *operands; /* for the help: "NAME DIR|TARBALL", or "" */
	const char *help;
};

struct cli {
	const char *usage; /* e.g. "fief-image build NAME [options]" */
	const char *about; /* one or more lines */
	const struct cli_option *options;
	bool stop_at_operand;	      /* options end at the first operand (exec, run COMMAND) */
	const struct cli_verb *verbs; /* of a program of verbs, ended by a zeroed entry; or NULL */
};

/* Returns the index of the first operand in argv (which is permuted), or -EINVAL with the message,
 * or -ECANCELED after --help was printed. argv[0] is the name of the program or verb. */
int cli_parse(const struct cli *cli, int argc, char **argv, void *into, struct err *e);
/* What main() does with a negative result of cli_parse(): prints one line and returns the exit
 * status, 0 for help and 2 for a usage error. */
int cli_failure(const struct cli *cli, int r, const struct err *e);
void cli_print_help(const struct cli *cli);

/* All of main() of a program of verbs: the program's options go into `globals`; help, --version and
 * usage errors are dealt with; the verb runs. Returns the exit status. */
int cli_main(const struct cli *cli, void *globals, int argc, char **argv);
void cli_list_done(struct cli_list *list);
/* A decimal number without sign or blanks, at most max. */
int cli_number(const char *text, unsigned long max, unsigned long *ret, struct err *e);
