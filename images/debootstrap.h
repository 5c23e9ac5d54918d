/*
 * Runs mmdebstrap for a recipe, and tells a person how far it is.
 *
 * mmdebstrap and all it starts live in a pid and mount namespace of their own, so that they end with
 * this program however it ends, and leave no mount behind.
 */
#pragma once

#include <stdbool.h>

#include "lib/slice.h"

struct err;
struct recipe;

struct debootstrap {
	const struct recipe *recipe;
	const char *architecture;
	const char *target;   /* path of the root directory to make */
	struct slice sources; /* lines for apt */
	int signalfd;	      /* readable when the person wants to stop; borrowed */
	bool quiet;
};

/* -EAGAIN: a download failed, a second try may help; the message names the list or package.
 * -EINTR: a signal came. */
int debootstrap_run(const struct debootstrap *job, struct err *e);
