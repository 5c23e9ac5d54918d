/*
 * The container's network namespace: a new one with only lo, up, in which ports from 0 on need no
 * privilege, or one that the record names; and the sysfs that shows it.
 *
 * The caller visits the namespace and comes back within the call; a caller that cannot come back is
 * ended, since it must not go on in a customer's network.
 */
#pragma once

struct err;

/* Makes a namespace. Returns an owned descriptor. */
int netns_new(struct err *e);
/* Opens one by path; -EINVAL when it is something else. */
int netns_open(const char *path, struct err *e);
/* A detached, read-only sysfs of the namespace. Returns an owned descriptor. */
int netns_sysfs(int netns_fd, struct err *e);
