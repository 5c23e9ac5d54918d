#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "images/aptconf.h"
#include "lib/cleanup.h"

static bool is_ours(const char *line)
{
	static const char *const keys[] = {"Acquire::http::Proxy ", "Acquire::https::Proxy ",
		"Acquire::Check-Valid-Until ", "Acquire::Check-Date "};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strncmp(line, keys[i], strlen(keys[i])) == 0) {
			return true;
		}
	}
	return false;
}

void aptconf_read(struct aptconf *ret)
{
	FILE *from = popen("exec apt-config dump --no-empty --format '%F \"%v\";%n' Acquire "
			   "2>/dev/null",
		"re");
	char line[256];

	*ret = (struct aptconf){};
	while (from && fgets(line, sizeof(line), from)) {
		/* a line that was cut has no end, and is left out */
		if (ret->n < APTCONF_MAX && is_ours(line) && strchr(line, '\n')) {
			(void)snprintf(ret->options[ret->n++], APTCONF_OPTION_MAX, "--aptopt=%.*s",
				(int)strcspn(line, "\n"), line);
		}
	}
	if (from) {
		(void)pclose(from);
	}
}
