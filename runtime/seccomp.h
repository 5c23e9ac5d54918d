/*
 * linux.seccomp compiled to a BPF program (libseccomp). The parent compiles, the child only loads:
 * libseccomp's work does not happen in the container.
 */
#pragma once

#include <stddef.h>

struct err;
struct json;

struct seccomp_program {
	void *filter; /* owned; struct sock_filter[count], NULL: no filter */
	size_t count;
	unsigned flags; /* SECCOMP_FILTER_FLAG_* */
};

int seccomp_compile(const struct json *config, struct seccomp_program *ret, struct err *e);
/* Needs no_new_privs or CAP_SYS_ADMIN in this user namespace. */
int seccomp_install(const struct seccomp_program *program, struct err *e);
void seccomp_program_done(struct seccomp_program *program);
