/*
 * A hash map from byte strings to objects that embed their link. The hash is seeded at random, so
 * that keys chosen by a peer do not pile up in one bucket. Nothing here owns an object or its key.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"

struct map_link {
	struct map_link *next;
	struct slice key; /* borrowed from the object */
	uint32_t hash;
};

/* Zeroed: empty. */
struct map {
	struct map_link **buckets; /* owned; links of the objects */
	size_t n_buckets;	   /* 0 or a power of two */
	size_t n;
	uint32_t seed;
};

void map_done(struct map *m);
struct map_link *map_find(const struct map *m, struct slice key);
/* Adds link under key, which must live as long as it is in the map, and not be there. -ENOMEM. */
int map_add(struct map *m, struct map_link *link, struct slice key);
void map_remove(struct map *m, struct map_link *link);
