/*
 * A container record (spec/container-record.md): what an operator wants. Parsing is pure and strict,
 * and every error names the path of the member. Strings belong to the json_doc it was parsed from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct json;

enum {
	RECORD_NAME_MAX = 63,
	RECORD_NAMESERVERS_MAX = 8,
	RECORD_HOSTS_MAX = 64,
	RECORD_HOST_NAMES_MAX = 16,
	RECORD_NETNS_MAX = 1023, /* bytes */
	RECORD_PAGE = 4096,
};

#define RECORD_MEMORY_MIN     (UINT64_C(16) << 20)
#define RECORD_MEMORY_MAX     (UINT64_C(1) << 50)
#define RECORD_MEMORY_DEFAULT (UINT64_C(256) << 20)

struct record_host {
	const char *address;
	const char *names[RECORD_HOST_NAMES_MAX + 1]; /* ended by NULL */
};

struct record_cpu {
	uint32_t weight;
	uint32_t max; /* per cent of one core; 0: no limit */
};

struct record {
	uint32_t version, uid;
	const char *name, *image, *hostname;
	uint64_t memory; /* bytes */
	struct record_cpu cpu;
	uint32_t pids;
	const char *netns;				     /* NULL: a new one */
	const char *nameservers[RECORD_NAMESERVERS_MAX + 1]; /* ended by NULL */
	struct record_host *hosts;			     /* owned */
	size_t hosts_n;
	const char *restart;
};

/* Fills in the defaults. */
int record_parse(const struct json *root, struct record *ret, struct err *e);
void record_done(struct record *r);
/* Appends the record as JSON with all defaults, members in the order of the specification. */
void record_write(const struct record *r, struct buf *to);

#define _cleanup_record_ __attribute__((cleanup(record_done)))
