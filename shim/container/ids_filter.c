/*
 * One program: by the architecture of the call to its table, there by number to a check of each
 * argument. setfsuid(2) is left alone: it gives nothing that outlives an execve(2) to U, and the
 * Emperor does not use it.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "shim/container/ids_filter.h"

enum { PROGRAM_MAX = 256, PER_ARGUMENT = 4 };

struct call {
	uint8_t number, arguments;
};

/* setuid setgid setreuid setregid setresuid setresgid */
static const struct call x86_64[] = {
	{105, 1}, {106, 1}, {113, 2}, {114, 2}, {117, 3}, {119, 3}, {}};
/* the same, of 16 and of 32 bits */
static const struct call i386[] = {{23, 1}, {46, 1}, {70, 2}, {71, 2}, {164, 3}, {170, 3}, {213, 1},
	{214, 1}, {203, 2}, {204, 2}, {208, 3}, {210, 3}, {}};

struct program {
	struct sock_filter code[PROGRAM_MAX];
	uint16_t n;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->n < PROGRAM_MAX) {
		p->code[p->n++] = (struct sock_filter)BPF_JUMP(code, k, yes, no);
	}
}

static void put_load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_return(struct program *p, uint32_t verdict)
{
	put(p, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Only the lower half counts: ids have 32 bits, little-endian. */
static void put_call(struct program *p, const struct call *call, uint32_t id)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, call->number, 0,
		(uint8_t)(call->arguments * PER_ARGUMENT + 1));
	for (size_t i = 0; i < call->arguments; i++) {
		put_load(p, offsetof(struct seccomp_data, args) + i * sizeof(uint64_t));
		put(p, BPF_JMP | BPF_JEQ | BPF_K, id, 2, 0);
		put(p, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 1, 0);
		put_return(p, SECCOMP_RET_ERRNO | EPERM);
	}
	put_return(p, SECCOMP_RET_ALLOW);
}

/* Does nothing for calls of another architecture. */
static void put_table(struct program *p, uint32_t arch, const struct call *calls, uint32_t id)
{
	uint16_t jump = p->n;

	put(p, BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 0);
	put_load(p, offsetof(struct seccomp_data, nr));
	for (; calls->number; calls++) {
		put_call(p, calls, id);
	}
	put_return(p, SECCOMP_RET_ALLOW);
	p->code[jump].jf = (uint8_t)(p->n - jump - 1);
}

int ids_filter_install(unsigned id)
{
	struct program p = {};
	struct sock_fprog program = {.filter = p.code};

	put_load(&p, offsetof(struct seccomp_data, arch));
	put_table(&p, AUDIT_ARCH_X86_64, x86_64, id);
	put_table(&p, AUDIT_ARCH_I386, i386, id);
	put_return(&p, SECCOMP_RET_ALLOW); /* the bundle's own policy ends all others */
	program.len = p.n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -1;
	}
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
