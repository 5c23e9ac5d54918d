#include "lib/log.h"
#include "lib/loop.h"
#include "router/limit.h"

bool limit_allow(struct limit *l, uint64_t now)
{
	if (l->since == 0 || now - l->since >= USEC_PER_SEC) {
		if (l->left_out) {
			log_warning("suppressed=%u lines like these", l->left_out);
		}
		*l = (struct limit){.since = now};
	}
	if (l->lines == LIMIT_LINES) {
		l->left_out++;
		return false;
	}
	l->lines++;
	return true;
}
