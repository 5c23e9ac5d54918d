/*
 * What the runtime (parent) and the container's first process (child) say to each other, over a
 * SOCK_SEQPACKET pair: one fixed struct per packet, so there are no lengths to get wrong
 * (CVE-2021-43784).
 *
 *   child                                parent
 *     |  <----------- SYNC_GO               | id mappings are written, limits of the parent's side set
 *     |  SYNC_HOOKS ----------->            | namespaces and mounts are there: prestart, createRuntime
 *     |  <----------- SYNC_GO               | (only when there are such hooks)
 *     |  SYNC_READY ----------->            | everything is done but the program; value: missing caps
 *     |  <----------- SYNC_GO               | go on (run) or wait for `start` (create)
 *     |  (closed by exec)                   |
 *
 * SYNC_FAILED instead of any of the child's messages carries its error. The end of the stream is the
 * death of the child, or after the last SYNC_GO the success of exec.
 */
#pragma once

#include <stdint.h>

#include "lib/err.h"

enum sync_type { SYNC_GO = 1, SYNC_HOOKS, SYNC_READY, SYNC_FAILED, SYNC_PID };

struct sync_message {
	enum sync_type type;
	int64_t value;
	struct err err; /* SYNC_FAILED */
};

enum { SYNC_DEADLINE_MSEC = 120'000 };

int sync_pair(int fds[static 2], struct err *e);
int sync_send(int fd, enum sync_type type, int64_t value);
/* Sends the failure; never fails visibly: the parent sees the end of the stream then. */
void sync_send_failure(int fd, const struct err *failure);
/* Receives one message: 1; 0 at the end of the stream; -errno with e (a peer's SYNC_FAILED becomes e,
 * as does a peer that says nothing for SYNC_DEADLINE_MSEC). */
int sync_receive(int fd, struct sync_message *ret, struct err *e);
/* Receives and demands one type. */
int sync_expect(int fd, enum sync_type type, int64_t *ret_value, struct err *e);
