/*
 * A customer's home, seen from the host: made when it is missing, and its parts opened.
 *
 * The home is hostile ground. Everything beneath it is reached from its descriptor by openat2
 * without symbolic links, and with the file system ids of U, so that the host neither follows nor
 * makes anything there that U could not.
 */
#pragma once

#include <stdint.h>

struct bundle;
struct err;

enum home_part {
	HOME_SELF,
	HOME_RUN,
	HOME_RUN_SHM,
	HOME_RUN_SUBSCRIBE,
	HOME_TMP,
	HOME_LOGS,
	HOME_ETC,
	HOME_VASSALS,
	HOME_HOSTS,
	HOME_RESOLV_CONF,
	HOME_HOSTNAME,
	HOME_PART_MAX
};

/* Makes what is missing (directories, and files with the content of the bundle's seed/) and opens
 * every part for attaching. -ELOOP, -ENOTDIR and the like name the part that is not what it must be.
 * fds[HOME_PART_MAX] are owned by the caller; on failure those opened so far are set, the rest -1. */
int home_open(const struct bundle *b, int *fds, struct err *e);
/* The path of a part relative to the home, for messages and for opening beneath. */
const char *home_part_path(enum home_part part);
