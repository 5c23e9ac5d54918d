/*
 * config.json (OCI, version 1.0.2) and fief.json of a container, as a function of its record, the
 * manifest of its image and the path of the bundle. Pure: the same input gives the same bytes.
 */
#pragma once

struct buf;
struct manifest;
struct record;

struct config {
	const struct record *record;
	const struct manifest *image;
	const char *bundle; /* absolute path of the bundle, for its network namespace */
};

void config_write_oci(const struct config *c, struct buf *to);
void config_write_fief(const struct config *c, struct buf *to);
