/*
 * The customers' public keys: DIR/<name>.pem, where <name> is the subscription key with every
 * character outside [0-9A-Za-z.-_] replaced by '_'. A file may hold several PUBLIC KEY blocks; any
 * of them may verify. DIR/<name>.json {customer, uids[], networks[]}, when it is there, says who may
 * use the key. Files are kept in memory and read again when they change.
 */
#pragma once

#include <stdint.h>

#include "lib/slice.h"
#include "router/map.h"

struct err;
struct sender;

enum { KEYS_FILE_NAME_MAX = 255 + 6, KEYS_PER_FILE_MAX = 8, KEYS_DIGEST_MAX = 3 };

struct keys {
	int dirfd;	  /* owned; -1: closed */
	struct map files; /* of struct key_file.link */
};

/* Borrowed by `keys` until the next keys_get(). */
struct key_file;

int keys_open(struct keys *keys, const char *dir, struct err *e);
void keys_done(struct keys *keys);

/* File name of a key with an extension (".pem", ".json"), into name[KEYS_FILE_NAME_MAX]. */
void keys_file_name(const char *key, const char *extension, char *name);

/* The file of a key as it is now. -ENOENT: there is none; other errors: it cannot be used. */
int keys_get(struct keys *keys, const char *key, struct key_file **ret, struct err *e);

/* Whether <name>.json lets the sender use the key. Host root may always. 0 or -EPERM. */
int keys_allow(const struct key_file *file, const struct sender *sender, struct err *e);

/* Verifies with SHA-256, SHA-1 and SHA-512, *digest first; sets it to the one that fitted. 0 or
 * -EBADMSG. */
int keys_verify(
	const struct key_file *file, struct slice content, struct slice signature, uint8_t *digest);
