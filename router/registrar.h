/*
 * The registrar: judges every announcement and is the only writer of the table. It lives in the
 * parent. spec/subscription.md has the rules in the order in which they are applied; the cheap ones
 * come first, the signature last.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/slice.h"
#include "router/limit.h"
#include "router/quota.h"
#include "router/table.h"

struct buf;
struct keys;
struct sender;

enum {
	REGISTRAR_NODES_PER_KEY = 128,
	REGISTRAR_NODES_MAX = 262144,
};

enum outcome {
	OUTCOME_NEW,
	OUTCOME_REFRESH,
	OUTCOME_DUPLICATE, /* the same announcement again within its second */
	OUTCOME_LEAVE,
	/* refused: */
	OUTCOME_MALFORMED,
	OUTCOME_ADDRESS,  /* the sender may not announce it */
	OUTCOME_UNSIGNED, /* no signature or no stamp, or no --keys */
	OUTCOME_NO_KEY,	  /* there is no usable key file */
	OUTCOME_OWNER,	  /* the key is for others */
	OUTCOME_TIME,	  /* stamp too old, in the future, or before the start */
	OUTCOME_REPLAY,
	OUTCOME_FLOOD, /* too many bad signatures of this customer */
	OUTCOME_SIGNATURE,
	OUTCOME_FULL,
	OUTCOME_MAX,
};

struct registrar {
	/* set by the owner */
	struct loop *loop;
	struct keys *keys;  /* NULL: no signature is accepted */
	bool take_unsigned; /* without keys: everything is accepted */
	int containers;	    /* descriptor of the directory of homes; -1: none */
	uint64_t tolerance; /* usec of silence after which a node is gone */
	int64_t started;    /* seconds since the epoch */
	/* one packet of update.h for every worker */
	void (*publish)(struct registrar *r, struct slice packet);

	/* kept here */
	struct table table;
	struct node_list alive, gone; /* of struct registration.age */
	struct loop_timer timer;
	struct quotas quotas;
	struct limit log, news; /* for refusals; for the rest */
	uint64_t counts[OUTCOME_MAX];
	uint64_t silent; /* nodes gone by silence */
};

/* The members for the owner are set. */
void registrar_init(struct registrar *r);
void registrar_done(struct registrar *r);

/* One datagram of `sender`. */
enum outcome registrar_receive(
	struct registrar *r, const struct sender *sender, struct slice datagram);

/* "replay", "signature" ...: names for statistics. */
const char *outcome_name(enum outcome o);
bool outcome_is_refusal(enum outcome o);
