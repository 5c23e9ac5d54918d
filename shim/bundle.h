/*
 * What the shim reads of a bundle: fief.json (spec/container-record.md) and the places around it.
 *
 * A bundle is made by fief-bundle and belongs to root; it is trusted for its content, but checked for
 * its owner, because everything that is mounted follows from it.
 */
#pragma once

#include <stdint.h>

struct err;
struct json_doc;

enum bundle_restart { BUNDLE_RESTART_NO, BUNDLE_RESTART_ON_FAILURE, BUNDLE_RESTART_ALWAYS };

struct bundle_image {
	const char *name;
	const char *architecture;
	const char *uwsgi; /* NULL: the image has none */
};

struct bundle_log {
	uint64_t size; /* bytes at which the log is rotated */
	uint32_t keep; /* rotated files kept */
};

/* Strings are valid until bundle_done(). */
struct bundle {
	int dir_fd;	    /* owned, of the bundle's directory */
	char *path;	    /* owned, absolute */
	const char *prefix; /* borrowed, may be NULL */
	struct json_doc *doc;

	uint32_t version;
	uint32_t uid;
	const char *name;
	const char *home; /* as seen inside */
	struct bundle_image image;
	uint32_t id_base;
	uint64_t memory;
	uint64_t shm_size;
	const char *netns; /* NULL: a new one */
	enum bundle_restart restart;
	struct bundle_log log;
	uint32_t stop_timeout; /* seconds */
};

/* Opens the bundle at `path`. -EPERM when it is not root's alone, -EINVAL with the path of the member
 * when fief.json is not as it should be. On failure `ret` holds nothing. */
int bundle_open(const char *path, const char *prefix, struct bundle *ret, struct err *e);
void bundle_done(struct bundle *b);

#define _cleanup_bundle_ __attribute__((cleanup(bundle_done)))
