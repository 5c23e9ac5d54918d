/*
 * /dev of the container: nodes by mknod(2), or by bind mount of the host's where a user namespace
 * forbids it, and the links that programs expect (config-linux.md, "Default Devices", "Dev symbolic
 * links").
 */
#pragma once

struct err;
struct mount_plan;
struct spec;

/* Does nothing when the plan binds somebody's directory on /dev. */
int devices_make(const struct spec *spec, const struct mount_plan *plan, int root, struct err *e);
