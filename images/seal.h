/*
 * What stands behind every new image, built or imported: a staged directory with rootfs/, which is
 * completed, digested, described by a manifest and published.
 */
#pragma once

#include "lib/staging.h"

struct err;
struct manifest;

/* Begins image `name`; *ret_rootfd is its empty tree, owned. */
int seal_begin(
	const char *prefix, const char *name, struct staging *ret, int *ret_rootfd, struct err *e);
/* Fills in digest, time, uwsgi and, when it is empty, the architecture; writes the manifest, makes
 * all durable and publishes. Takes m->name, m->recipe and perhaps m->architecture. */
int seal_image(struct staging *s, int rootfd, struct manifest *m, struct err *e);
