/*
 * Device rules on cgroup v2: a BPF program (BPF_PROG_TYPE_CGROUP_DEVICE) attached to the container's
 * cgroup, since v2 has no devices controller. bpf(2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_insn;
struct err;
struct spec_device_rule;

/* What every container needs, whatever its rules say: the default devices, ptys, the console, and to
 * make (not to open) nodes. Shared with v1. */
const struct spec_device_rule *devices_basic_rules(size_t *ret_n);

enum { DEVICES_BPF_MAX = 4096 }; /* instructions, the kernel's own limit for the unprivileged */

/* Compiles rules, the last one that fits decides, then the basic ones after them; what no rule names is
 * denied. Pure; `program` has room for DEVICES_BPF_MAX. Returns the number of instructions, -E2BIG when there are too many rules. */
int devices_bpf_compile(
	const struct spec_device_rule *rules, size_t n, struct bpf_insn *program, struct err *e);
/* Compiles and attaches it to the cgroup's directory. */
int devices_bpf_attach(
	int cgroup_dir, const struct spec_device_rule *rules, size_t n, struct err *e);
