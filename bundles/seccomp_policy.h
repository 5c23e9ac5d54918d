/*
 * The system calls of a customer's container: a list of what is allowed, all else answers ENOSYS, so
 * that programs take their older ways. Left out on purpose: everything that makes or joins
 * namespaces or mounts (a nested user namespace opens most of the kernel), clone3 (its flags lie in
 * memory, where a filter cannot look), kernel keys, bpf, io_uring, userfaultfd, perf, modules,
 * clocks, quotas, and raw hardware.
 */
#pragma once

struct json_out;

/* Writes the member "seccomp" of an OCI config.json's "linux". */
void seccomp_policy_write(struct json_out *o);
