/*
 * The asking side of the control socket, for the verbs of fief-shim.
 */
#pragma once

#include <stdint.h>

#include "lib/buf.h"
#include "shim/packet.h"

struct err;
struct json;
struct json_doc;

/* Reads a container's uid from a command line. */
int client_uid(const char *text, uint32_t *ret, struct err *e);
/* Returns an owned socket. -ENOENT, -ECONNREFUSED: the container has no shim now and does not run;
 * -EOWNERDEAD: it runs without one. */
int client_connect(const char *prefix, uint32_t uid, struct err *e);
/* Receives one reply. An {"error"} reply is returned as that error. packet (for its descriptors) may
 * be NULL. */
int client_reply(int sock, struct packet *packet, struct json_doc **ret, struct err *e);
/* Sends a request and receives its reply. */
int client_ask(int sock, struct buf *request, struct json_doc **ret, struct err *e);
/* The exit status that a shell would give for the member "exit" of a reply: 128 + N for signal N. */
int client_exit_status(const struct json *reply, int *ret, struct err *e);
