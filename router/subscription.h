/*
 * The subscription datagram (spec/subscription.md): parsed strictly, judged elsewhere. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/slice.h"

struct err;

enum {
	SUBSCRIPTION_SIZE_MAX = 4 + 65535, /* bytes of a datagram */
	SUBSCRIPTION_KEY_MAX = 255,
	SUBSCRIPTION_ADDRESS_MAX = 255,
	SUBSCRIPTION_VARS_MAX = 64,
	SUBSCRIPTION_WEIGHT_MAX = 10000, /* larger ones count as this */
};

struct subscription {
	bool leave;			    /* an unsubscribe */
	char key[SUBSCRIPTION_KEY_MAX + 1]; /* lower case, NUL-terminated */
	struct slice address;		    /* printable, not empty */
	uint8_t modifier1, modifier2;
	uint32_t weight; /* 1..SUBSCRIPTION_WEIGHT_MAX */
	uint64_t cores, load;
	bool has_stamp;
	int64_t stamp;		   /* `unix`: seconds since the epoch */
	struct slice signature;	   /* empty: unsigned */
	struct slice signed_bytes; /* what it signs */
};

/* Slices of *ret point into the datagram. Returns 0, or -EBADMSG with the reason. */
int subscription_parse(struct slice datagram, struct subscription *ret, struct err *e);

/* Whether a name may be a key: 1..255 of 0-9 A-Z a-z . - _ : [ ] */
bool subscription_key_is_sound(struct slice key);
