#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "router/subscription.h"
#include "router/table.h"

enum { LOOKUPS_MAX = 5 };

static struct key *key_of(struct map_link *link)
{
	return (struct key *)(void *)((char *)link - offsetof(struct key, link));
}

struct key *table_find(const struct table *t, struct slice name)
{
	struct map_link *link = map_find(&t->keys, name);

	return link ? key_of(link) : NULL;
}

struct key *table_key(struct table *t, struct slice name)
{
	struct key *key = table_find(t, name);

	if (key) {
		return key;
	}
	key = calloc(1, sizeof(*key) + name.n + 1);
	if (!key) {
		return NULL;
	}
	memcpy(key->name, name.p, name.n);
	TAILQ_INIT(&key->nodes);
	if (map_add(&t->keys, &key->link, (struct slice){.p = key->name, .n = name.n}) < 0) {
		free(key);
		return NULL;
	}
	return key;
}

void table_forget(struct table *t, struct key *key)
{
	struct node *node;

	while ((node = TAILQ_FIRST(&key->nodes))) {
		table_remove(t, node);
	}
	map_remove(&t->keys, &key->link);
	free(key);
}

void table_clear(struct table *t)
{
	for (size_t i = 0; i < t->keys.n_buckets; i++) {
		while (t->keys.buckets[i]) {
			table_forget(t, key_of(t->keys.buckets[i]));
		}
	}
}

void table_done(struct table *t)
{
	table_clear(t);
	map_done(&t->keys);
}

struct node *table_node(const struct key *key, const char *address)
{
	struct node *node;

	TAILQ_FOREACH(node, &key->nodes, link)
	{
		if (strcmp(node->address, address) == 0) {
			return node;
		}
	}
	return NULL;
}

struct node *table_add(struct table *t, struct key *key, const char *address)
{
	size_t n = strlen(address) + 1;
	struct node *node = calloc(1, sizeof(*node) + n);

	if (!node) {
		return NULL;
	}
	memcpy(node->address, address, n);
	node->weight = 1;
	node->refs = 1;
	node->key = key;
	TAILQ_INSERT_TAIL(&key->nodes, node, link);
	key->n_nodes++;
	t->n_nodes++;
	return node;
}

void table_remove(struct table *t, struct node *node)
{
	TAILQ_REMOVE(&node->key->nodes, node, link);
	node->key->n_nodes--;
	node->key = NULL;
	t->n_nodes--;
	(void)node_unref(node);
}

struct node *node_ref(struct node *node)
{
	node->refs++;
	return node;
}

struct node *node_unref(struct node *node)
{
	if (node && --node->refs == 0) {
		free(node);
	}
	return NULL;
}

/* The name without ":port" and a trailing dot; what is in brackets stays whole. */
static struct slice bare_name(struct slice host)
{
	size_t n = host.n;

	while (n && host.p[n - 1] >= '0' && host.p[n - 1] <= '9') {
		n--;
	}
	if (n && host.p[n - 1] == ':') {
		host.n = n - 1;
	}
	if (host.n > 1 && host.p[host.n - 1] == '.') {
		host.n--;
	}
	return host;
}

/* True when *best is what is looked for; a key without nodes is kept for want of a better one. */
static bool try_name(const struct table *t, struct slice name, struct key **best)
{
	struct key *key = table_find(t, name);

	if (key && (key->n_nodes || !*best)) {
		*best = key;
	}
	return key && key->n_nodes;
}

struct key *table_lookup(const struct table *t, struct slice host)
{
	char lower[SUBSCRIPTION_KEY_MAX];
	struct slice name = {.p = lower, .n = host.n};
	struct slice bare;
	struct key *best = NULL;

	if (host.n == 0 || host.n > sizeof(lower)) {
		return NULL;
	}
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	bare = bare_name(name);
	if (try_name(t, name, &best) || (bare.n != name.n && try_name(t, bare, &best))) {
		return best;
	}
	for (int i = 1; i < LOOKUPS_MAX && bare.n; i++) {
		const char *dot = memchr(bare.p + 1, '.', bare.n - 1);

		if (!dot) {
			break;
		}
		bare = slice_skip(bare, (size_t)(dot - bare.p));
		if (try_name(t, bare, &best)) {
			return best;
		}
	}
	return best;
}

static void new_round(struct key *key)
{
	uint32_t lowest = UINT32_MAX;
	struct node *node;

	TAILQ_FOREACH(node, &key->nodes, link)
	{
		if (!node->failed && node->weight < lowest) {
			lowest = node->weight;
		}
	}
	TAILQ_FOREACH(node, &key->nodes, link)
	{
		node->turns = node->failed ? 0 : node->weight / lowest;
	}
}

struct node *table_pick(struct key *key)
{
	struct node *node;

	TAILQ_FOREACH(node, &key->nodes, link)
	{
		if (!node->failed && node->turns > 0) {
			node->turns--;
			return node;
		}
	}
	new_round(key);
	TAILQ_FOREACH_REVERSE(node, &key->nodes, node_list, link)
	{
		if (!node->failed) {
			node->turns--;
			return node;
		}
	}
	return NULL;
}
