/*
 * The system calls of a customer's container: a list of what is allowed, all else answers ENOSYS, so
 * that programs take their older ways. Left out on purpose: everything that makes or joins
 * namespaces or mounts (a nested user namespace opens most of the kernel), clone3 (its flags lie in
 * memory, where a filter cannot look), kernel keys, bpf, io_uring, userfaultfd, perf, modules,
 * clocks, quotas, raw hardware, and sockets of other families than unix, IP and netlink.
 */
#pragma once

struct json_out;

/* Writes the member "seccomp" of an OCI config.json's "linux", for an image of this architecture
 * ("amd64", "i386"). What calls as another architecture is killed. */
void seccomp_policy_write(const char *architecture, struct json_out *o);
