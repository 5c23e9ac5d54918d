/*
 * Hooks: programs of the operator, run with the container's state on their standard input.
 * config.md "POSIX-platform Hooks".
 */
#pragma once

#include "lib/slice.h"

struct err;
struct spec_vec;

/* Runs the hooks (struct spec_hook) in order, each with `state` on stdin. The first that fails, is
 * killed by a signal or passes its timeout (the group is killed then) ends the call with an error that
 * names it. Without a timeout of its own a hook has HOOK_DEADLINE_SECONDS. */
int hooks_run(const struct spec_vec *hooks, const char *kind, struct slice state, struct err *e);

enum { HOOK_DEADLINE_SECONDS = 600 };
