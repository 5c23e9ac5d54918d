/*
 * The user namespace through which a container's image is seen: container ids besides U are host ids
 * from id_base on, U is U (spec/container-record.md, "Ids").
 */
#pragma once

#include <stdint.h>

struct err;

/* Returns an owned descriptor of a user namespace with that map. */
int idmap_open(uint32_t uid, uint32_t id_base, struct err *e);
