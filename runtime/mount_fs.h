/*
 * A new file system instance as a detached mount, made in the namespaces of this process (fsopen(2)).
 */
#pragma once

struct err;
struct mount_options;
struct spec_mount;

/* Type and source come from m, options from o. Returns an owned descriptor of the mount, to be attached
 * by move_mount(2). */
int mount_fs_make(const struct spec_mount *m, const struct mount_options *o, struct err *e);
