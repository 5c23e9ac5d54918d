/*
 * How this machine's apt downloads: what a build takes over besides the sources.
 */
#pragma once

#include <stddef.h>

enum { APTCONF_MAX = 8, APTCONF_OPTION_MAX = 300 };

struct aptconf {
	char options[APTCONF_MAX][APTCONF_OPTION_MAX]; /* `--aptopt=Key "value";` for mmdebstrap */
	size_t n;
};

/* Takes proxies and the checks of dates, which mirrors that are snapshots cannot stand, from
 * `apt-config dump`. None when there is no apt-config. */
void aptconf_read(struct aptconf *ret);
