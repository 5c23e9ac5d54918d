#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

#include "router/map.h"

enum { BUCKETS_MIN = 64 };

/* FNV-1a with a seed and a final mix. */
static uint32_t hash_of(const struct map *m, struct slice key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ m->seed;

	for (size_t i = 0; i < key.n; i++) {
		h = (h ^ (unsigned char)key.p[i]) * UINT64_C(0x100000001b3);
	}
	return (uint32_t)(h ^ h >> 32);
}

void map_done(struct map *m)
{
	free(m->buckets);
	*m = (struct map){};
}

struct map_link *map_find(const struct map *m, struct slice key)
{
	uint32_t hash;

	if (m->n == 0) {
		return NULL;
	}
	hash = hash_of(m, key);
	for (struct map_link *at = m->buckets[hash & (m->n_buckets - 1)]; at; at = at->next) {
		if (at->hash == hash && slice_eq(at->key, key)) {
			return at;
		}
	}
	return NULL;
}

static void put(struct map_link **buckets, size_t n_buckets, struct map_link *link)
{
	struct map_link **head = &buckets[link->hash & (n_buckets - 1)];

	link->next = *head;
	*head = link;
}

static bool reserve(struct map *m)
{
	size_t n = m->n_buckets ? m->n_buckets * 2 : BUCKETS_MIN;
	struct map_link **buckets;

	if (m->n < m->n_buckets) {
		return true;
	}
	buckets = calloc(n, sizeof(struct map_link *));
	if (!buckets) {
		return m->n_buckets > 0; /* longer chains will do */
	}
	if (m->n_buckets == 0) {
		/* without entropy, seconds after boot, a seed of 0 will do */
		(void)!getrandom(&m->seed, sizeof(m->seed), GRND_NONBLOCK);
	}
	for (size_t i = 0; i < m->n_buckets; i++) {
		struct map_link *at = m->buckets[i];

		while (at) {
			struct map_link *next = at->next;

			put(buckets, n, at);
			at = next;
		}
	}
	free(m->buckets);
	m->buckets = buckets;
	m->n_buckets = n;
	return true;
}

int map_add(struct map *m, struct map_link *link, struct slice key)
{
	if (!reserve(m)) {
		return -ENOMEM;
	}
	link->key = key;
	link->hash = hash_of(m, key);
	put(m->buckets, m->n_buckets, link);
	m->n++;
	return 0;
}

void map_remove(struct map *m, struct map_link *link)
{
	struct map_link **at = &m->buckets[link->hash & (m->n_buckets - 1)];

	while (*at && *at != link) {
		at = &(*at)->next;
	}
	if (*at) {
		*at = link->next;
		m->n--;
	}
}
