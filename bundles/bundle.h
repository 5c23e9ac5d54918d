/*
 * The directory of a bundle (spec/container-record.md, "Bundle").
 *
 * A new bundle appears whole. One that is there is brought up to date in place, file by file, each
 * atomically and config.json last: it may be prepared, here or in another mount namespace, and the
 * kernel lets a directory on which another namespace has a mount be removed, and the mount with it.
 * So what may be a mount point is made when it is missing and never touched again.
 */
#pragma once

#include <stdint.h>

struct err;
struct json;

struct bundle_env {
	const char *prefix; /* NULL: the machine itself */
	const char *etc;    /* where the host's passwd, group, subuid and subgid are */
};

/* Checks the record `root`, its ids and its image; *ret_uid may be NULL. */
int bundle_check(
	const struct bundle_env *env, const struct json *root, uint32_t *ret_uid, struct err *e);
/* bundle_check(), and writes bundle and then record. Nothing is written before all is computed. */
int bundle_apply(
	const struct bundle_env *env, const struct json *root, uint32_t *ret_uid, struct err *e);
/* Removes bundle and record. -EBUSY: it is prepared or its shim answers; -ENOENT: neither is there. */
int bundle_remove(const struct bundle_env *env, uint32_t uid, struct err *e);
