/*
 * The /etc files of a container: passwd and group from the image and U's line, and the first content
 * of those that belong to the customer. Pure.
 */
#pragma once

#include <stdbool.h>

#include "lib/slice.h"

struct buf;
struct record;

/* The image's lines and U's. A line of the image that has U's name or id is left out, so that U is
 * what the host says; so is a line that is no record at all. */
void etc_passwd(struct slice image, const struct record *r, const char *shell, struct buf *to);
void etc_group(struct slice image, const struct record *r, struct buf *to);

void etc_hosts(const struct record *r, struct buf *to);
void etc_hostname(const struct record *r, struct buf *to);
void etc_resolv_conf(const struct record *r, struct buf *to);
