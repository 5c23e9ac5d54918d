/*
 * Fills a bundle's rootfs/ and mnt/ so that any OCI runtime can run it, and empties them again
 * (spec/container-record.md, "Bundle"). What is mounted is mounted in the mount namespace of the
 * caller.
 */
#pragma once

struct bundle;
struct err;

/* netns_fd: a network namespace kept from an earlier run, or -1 to make one (not looked at when the
 * record names one). -EBUSY: already prepared. On failure nothing stays mounted. */
int prepare_bundle(const struct bundle *b, int netns_fd, struct err *e);
/* Unmounts all that lies on rootfs/ and mnt/. Nothing there is success. */
int prepare_release(const struct bundle *b, struct err *e);
