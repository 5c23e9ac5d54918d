/*
 * Whether the ids of a container are free on this host. A host user, group or subordinate range
 * inside them would own, or be owned by, what a customer runs.
 */
#pragma once

#include <stdint.h>

#include "lib/slice.h"

struct err;

/* Checks the text of passwd or group (`per_line` 0: the third field is an id) or of subuid or subgid
 * (1: second and third are start and count). Pure; lines that are not understood are skipped.
 * -EEXIST names the line's owner, `what` ("user", "subuid range of") and the container's range. */
enum ids_kind { IDS_OWNERS, IDS_RANGES };

int ids_check_text(
	struct slice text, enum ids_kind kind, const char *what, uint32_t uid, struct err *e);
/* Checks passwd, group, subuid and subgid of directory `etc`; missing files are empty. */
int ids_check(const char *etc, uint32_t uid, struct err *e);
