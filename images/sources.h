/*
 * The machine's own apt sources, as far as they serve a recipe: a build uses the mirror that the
 * operator chose. Sources of other suites and other parties are left out.
 */
#pragma once

#include <stdbool.h>

#include "lib/slice.h"

struct buf;
struct err;
struct recipe;

/* Parses one file, deb822 (*.sources) or one-line (*.list), and appends a "deb ..." line for every
 * suite of the recipe: SUITE, SUITE-updates, SUITE-security. Pure. What it does not understand is
 * left out. */
void sources_parse_deb822(struct slice text, const struct recipe *recipe, struct buf *to);
void sources_parse_list(struct slice text, const struct recipe *recipe, struct buf *to);

/* Reads the files of `etc`/apt, or with `mirror` (a URL, not NULL) takes that and nothing else.
 * `security` false leaves out the security suite. -ENOENT when this machine has no source of the
 * suite. */
struct sources_query {
	const char *etc, *mirror;
	const struct recipe *recipe;
	bool security;
};
int sources_read(const struct sources_query *q, struct buf *to, struct err *e);
