#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "router/subscription.h"
#include "router/table.h"
#include "router/update.h"

struct packet {
	uint8_t type, kind, modifier1, modifier2;
	uint32_t weight;
	uint32_t uid;
	uint16_t key_n, address_n;
	struct addr addr;
};

static_assert(sizeof(struct packet) + SUBSCRIPTION_KEY_MAX + SUBSCRIPTION_ADDRESS_MAX <= UPDATE_MAX,
	"a packet fits");

void update_write(enum update_type type, const struct node *node, struct buf *to)
{
	struct slice key = node->key->link.key, address = slice_of(node->address);
	struct packet p = {};

	p.type = (uint8_t)type;
	p.kind = (uint8_t)node->target.kind;
	p.modifier1 = node->modifier1;
	p.modifier2 = node->modifier2;
	p.weight = node->weight;
	p.uid = node->target.uid;
	p.key_n = (uint16_t)key.n;
	p.address_n = (uint16_t)address.n;
	p.addr = node->target.addr;
	buf_put(to, (struct slice){.p = (const char *)&p, .n = sizeof(p)});
	buf_put(to, key);
	buf_put(to, address);
}

void update_write_forget(struct slice key, struct buf *to)
{
	struct packet p = {.type = UPDATE_FORGET, .key_n = (uint16_t)key.n};

	buf_put(to, (struct slice){.p = (const char *)&p, .n = sizeof(p)});
	buf_put(to, key);
}

void update_write_ready(struct buf *to)
{
	struct packet p = {.type = UPDATE_READY};

	buf_put(to, (struct slice){.p = (const char *)&p, .n = sizeof(p)});
}

static int apply_up(struct table *t, const struct packet *p, struct slice name, const char *address)
{
	struct key *key = table_key(t, name);
	struct node *node = key ? table_node(key, address) : NULL;

	if (key && !node) {
		node = table_add(t, key, address);
	}
	if (!node) {
		return -ENOMEM;
	}
	node->failed = false;
	node->weight = p->weight;
	node->modifier1 = p->modifier1;
	node->modifier2 = p->modifier2;
	node->target = (struct target){.kind = (enum target_kind)p->kind,
		.uid = p->uid,
		.path = node->address,
		.addr = p->addr};
	return UPDATE_UP;
}

int update_apply(struct table *t, struct slice packet)
{
	char address[SUBSCRIPTION_ADDRESS_MAX + 1];
	struct slice name, rest;
	struct packet p;
	struct key *key;
	struct node *node;

	if (packet.n < sizeof(p)) {
		return -EBADMSG;
	}
	memcpy(&p, packet.p, sizeof(p));
	rest = slice_skip(packet, sizeof(p));
	if (!take_bytes(&rest, p.key_n, &name) || rest.n != p.address_n ||
		rest.n >= sizeof(address)) {
		return -EBADMSG;
	}
	memcpy(address, rest.p, rest.n);
	address[rest.n] = '\0';
	if (p.type == UPDATE_UP) {
		return apply_up(t, &p, name, address);
	}
	key = table_find(t, name);
	if (key && p.type == UPDATE_FORGET) {
		table_forget(t, key);
	}
	node = key && p.type == UPDATE_DOWN ? table_node(key, address) : NULL;
	if (node) {
		table_remove(t, node);
	}
	return p.type;
}
