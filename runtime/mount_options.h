/*
 * The options of one mount, sorted into what the kernel's new mount API takes.
 * Source: runtime-spec config.md "Linux mount options"; mount_setattr(2), Linux 5.12.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

struct err;
struct spec_mount;

struct mount_options {
	uint64_t attr_set, attr_clear;	       /* MOUNT_ATTR_* of this mount */
	uint64_t attr_set_rec, attr_clear_rec; /* of this mount and all below it ("rro" ...) */
	uint64_t propagation;		       /* MS_PRIVATE ..., 0: default */
	bool propagation_rec;
	bool bind, recursive; /* "bind" or "rbind"; type "bind" counts too */
	bool remount;
	bool tmpcopyup;
	struct buf superblock; /* owned; "flag\0" or "key=value\0", for fsconfig(2), in order */
};

int mount_options_parse(const struct spec_mount *mount, struct mount_options *ret, struct err *e);
/* The i-th of the options that are not the file system's own, in order; NULL after the last. */
const char *mount_options_name(size_t i);
void mount_options_done(struct mount_options *o);
