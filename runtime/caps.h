/*
 * Capabilities of the container's process. capabilities(7); config.md "process.capabilities".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct spec_caps;

/* Number of "CAP_SYS_ADMIN"; -1 when the name is not known to this build. */
int cap_number(const char *name);
/* Writes the name of a capability as config.json has it; false past the last one. */
bool cap_name(int cap, char name[static 32]);

/* Drops from the bounding set what is not asked for. Needs CAP_SETPCAP, so it comes first. */
int caps_limit_bounding(const struct spec_caps *caps, struct err *e);
/* Lets the permitted set survive the change of the user id that follows. */
int caps_keep_over_setuid(struct err *e);
/* Sets effective, permitted, inheritable and ambient. What this process cannot grant is left out
 * (config.md: "SHOULD NOT fail"); *ret_missing gets the mask of it. */
int caps_apply(const struct spec_caps *caps, uint64_t *ret_missing, struct err *e);
/* For commands: one warning for each of the mask. */
void caps_warn_missing(uint64_t missing);
