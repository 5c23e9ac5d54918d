/*
 * manifest.json of an image (spec/container-record.md, "Image"): what others may know of an image
 * without looking into its tree. Parsed strictly; fixed size, nothing to free.
 */
#pragma once

#include <stdbool.h>

struct err;
struct json;

enum { IMAGE_NAME_MAX = 63 };

struct manifest {
	char name[IMAGE_NAME_MAX + 1];
	char architecture[8]; /* "amd64" or "i386" */
	char recipe[IMAGE_NAME_MAX + 1];
	char digest[72];  /* "sha256:<64 hex digits>" */
	char created[24]; /* RFC 3339, UTC, whole seconds */
	char uwsgi[256];  /* absolute path inside, "" for none */
};

/* 1..63 of [a-z0-9._-], beginning with a letter or digit. */
bool manifest_name_ok(const char *name);
int manifest_parse(const struct json *root, struct manifest *ret, struct err *e);
/* Reads manifest.json of the image directory. */
int manifest_load(int imagefd, struct manifest *ret, struct err *e);
int manifest_write(int imagefd, const struct manifest *m, struct err *e);
/* Opens image `name` of the store and reads its manifest, whose name must be the same. *ret_fd, the
 * image's directory, is owned; it may be NULL. -ENOENT: there is no such image. */
int manifest_open(
	const char *prefix, const char *name, struct manifest *ret, int *ret_fd, struct err *e);
