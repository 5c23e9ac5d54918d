/*
 * What one customer may cost the registrar, which serves all: nodes in the table, and signatures
 * that do not fit, each of which takes some ten microseconds to find out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	QUOTA_NODES = 8192,  /* per customer, gone ones included */
	QUOTA_FAILURES = 64, /* per customer and second */
};

struct quota {
	uint32_t nodes;
	uint32_t failures; /* in the second that began at `since` */
	uint64_t since;	   /* usec */
};

/* Zeroed: empty. */
struct quotas {
	struct quota *by_uid; /* owned; of all customers, from UID_FIRST */
};

void quotas_done(struct quotas *q);
/* The quota of a customer, borrowed. NULL when uid is no customer's, or out of memory: no limit. */
struct quota *quota_of(struct quotas *q, uid_t uid);
/* Whether there were too many failures in the last second. */
bool quota_failed_often(const struct quota *q, uint64_t now);
void quota_note_failure(struct quota *q, uint64_t now);
