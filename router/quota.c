#include <stdlib.h>

#include "lib/loop.h"
#include "lib/paths.h"
#include "router/quota.h"

void quotas_done(struct quotas *q)
{
	free(q->by_uid);
	*q = (struct quotas){};
}

struct quota *quota_of(struct quotas *q, uid_t uid)
{
	if (uid < UID_FIRST || uid > UID_LAST) {
		return NULL;
	}
	if (!q->by_uid) {
		q->by_uid = calloc(UID_LAST - UID_FIRST + 1, sizeof(*q->by_uid));
	}
	return q->by_uid ? &q->by_uid[uid - UID_FIRST] : NULL;
}

bool quota_failed_often(const struct quota *q, uint64_t now)
{
	return q->failures >= QUOTA_FAILURES && now - q->since < USEC_PER_SEC;
}

void quota_note_failure(struct quota *q, uint64_t now)
{
	if (now - q->since >= USEC_PER_SEC) {
		q->since = now;
		q->failures = 0;
	}
	q->failures++;
}
