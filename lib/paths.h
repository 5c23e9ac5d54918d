/*
 * Where everything lives on a server (ARCHITECTURE.md, "Contracts"). --prefix DIR of every binary
 * puts all of it under DIR. Returned strings are owned by the caller.
 */
#pragma once

#include <stdint.h>

struct err;

enum path_id {
	PATH_CONTAINERS, /* /containers: homes, one directory <uid> each */
	PATH_RECORDS,	 /* /var/lib/fief/containers/<uid>.json */
	PATH_IMAGES,	 /* /var/lib/fief/images/<name>/{manifest.json,rootfs} */
	PATH_BUNDLES,	 /* /var/lib/fief/bundles/<uid> */
	PATH_SHIM_STATE, /* /var/lib/fief/shim/<uid>: exit status, log, FIFOs */
	PATH_RUNTIME,	 /* /run/fief/runtime: the runtime's --root */
	PATH_SHIM_RUN,	 /* /run/fief/shim/<uid>.sock */
	PATH_ROUTER_RUN, /* /run/fief/router/control.sock */
	PATH_SUBSCRIBE,	 /* /run/fief/subscribe/{http,fastrouter} */
	PATH_KEYS,	 /* /etc/fief/keys/<key>.pem */
	PATH_ID_MAX
};

enum {
	UID_FIRST = 30001, /* U = 30000 + n, 1 <= n <= 19456 */
	UID_LAST = 49456,
	IDS_BASE = 0x24000000, /* host id of container id 0 of n = 1 */
	IDS_PER_CONTAINER = 65536,
};

/* prefix + path [+ "/" + tail]; prefix may be NULL, tail may be NULL. Aborts when out of memory. */
char *path_of(const char *prefix, enum path_id id, const char *tail);
/* Host id to which the container ids of U other than U begin to map. */
uint32_t ids_base(uint32_t uid);

/* A program of this project: the one beside the running executable, so that a build tree and an
 * installation both work. Owned; NULL with e filled when it is not there. */
char *path_program(const char *name, struct err *e);
/* The directory of what containers see in /.fief (fief-init, subscribe, shortcuts.ini): "shim/container"
 * beside the executable, else ../lib/fief/container. */
char *path_container_dir(struct err *e);
