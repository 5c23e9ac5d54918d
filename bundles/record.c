#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundles/record.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int read_range(
	const struct json *v, uint64_t min, uint64_t max, uint64_t *ret, struct err *e)
{
	uint64_t n;
	int r = json_read_u64(v, &n, e);

	if (r < 0) {
		return r;
	}
	if (n < min || n > max) {
		return json_error(e, v, "%s is out of range (%llu to %llu)", v->text,
			(unsigned long long)min, (unsigned long long)max);
	}
	*ret = n;
	return 0;
}

static int read_range32(
	const struct json *v, uint32_t min, uint32_t max, uint32_t *ret, struct err *e)
{
	uint64_t n = 0;
	int r = read_range(v, min, max, &n, e);

	if (r == 0) {
		*ret = (uint32_t)n;
	}
	return r;
}

/* A string of 1..max bytes of `set`. */
static int read_chars(
	const struct json *v, const char *set, size_t max, const char **ret, struct err *e)
{
	int r = json_read_str(v, ret, e);
	size_t n;

	if (r < 0) {
		return r;
	}
	n = strlen(*ret);
	if (n < 1 || n > max) {
		return json_error(e, v, "must have 1 to %zu characters", max);
	}
	if (strspn(*ret, set) != n) {
		return json_error(e, v, "'%.64s' has a character that is not allowed", *ret);
	}
	return 0;
}

static int read_version(const struct json *v, void *at, struct err *e)
{
	return read_range32(v, 1, 1, at, e);
}

static int read_uid(const struct json *v, void *at, struct err *e)
{
	return read_range32(v, UID_FIRST, UID_LAST, at, e);
}

static int read_name(const struct json *v, void *at, struct err *e)
{
	const char **name = at;
	int r = read_chars(v, LOWER DIGITS "-", RECORD_NAME_MAX, name, e);

	if (r == 0 && ((*name)[0] == '-' || (*name)[strlen(*name) - 1] == '-')) {
		return json_error(e, v, "'%s' begins or ends with '-'", *name);
	}
	return r;
}

static int read_image(const struct json *v, void *at, struct err *e)
{
	const char **name = at;
	int r = json_read_str(v, name, e);

	if (r == 0 && !manifest_name_ok(*name)) {
		return json_error(e, v, "'%.64s' is not an image name", *name);
	}
	return r;
}

static int read_hostname(const struct json *v, void *at, struct err *e)
{
	return read_chars(v, LOWER UPPER DIGITS "-", RECORD_NAME_MAX, at, e);
}

static int read_memory(const struct json *v, void *at, struct err *e)
{
	uint64_t *memory = at;
	int r = read_range(v, RECORD_MEMORY_MIN, RECORD_MEMORY_MAX, memory, e);

	if (r == 0 && *memory % RECORD_PAGE != 0) {
		return json_error(e, v, "%s is not a multiple of %d", v->text, RECORD_PAGE);
	}
	return r;
}

static int read_weight(const struct json *v, void *at, struct err *e)
{
	return read_range32(v, 1, 10000, at, e);
}

static int read_max(const struct json *v, void *at, struct err *e)
{
	return read_range32(v, 1, 100000, at, e);
}

static int read_cpu(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"weight", read_weight, offsetof(struct record_cpu, weight), JSON_OPTIONAL},
		{"max", read_max, offsetof(struct record_cpu, max), JSON_OPTIONAL},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_REFUSED, at, e);
}

static int read_pids(const struct json *v, void *at, struct err *e)
{
	return read_range32(v, 8, 1000000, at, e);
}

/* It is handed to the runtime and written into files of lines: printable ASCII only. */
static int read_netns(const struct json *v, void *at, struct err *e)
{
	const char **path = at;
	int r = json_read_abs_path(v, path, e);

	if (r < 0) {
		return r;
	}
	if (strlen(*path) > RECORD_NETNS_MAX) {
		return json_error(e, v, "is longer than %d bytes", RECORD_NETNS_MAX);
	}
	for (const char *c = *path; *c; c++) {
		if (*c < ' ' || *c > '~') {
			return json_error(e, v, "has a character that is not printable ASCII");
		}
	}
	return 0;
}

static int read_address(const struct json *v, void *at, struct err *e)
{
	const char **address = at;
	unsigned char raw[sizeof(struct in6_addr)];
	int r = json_read_str(v, address, e);

	if (r == 0 && inet_pton(AF_INET, *address, raw) != 1 &&
		inet_pton(AF_INET6, *address, raw) != 1) {
		return json_error(e, v, "'%.64s' is not an address", *address);
	}
	return r;
}

static int read_nameservers(const struct json *v, void *at, struct err *e)
{
	const char **list = at;
	const struct json *child;
	size_t n = 0;
	int r = json_read_array_node(v, &child, e);

	if (r < 0) {
		return r;
	}
	if (v->count > RECORD_NAMESERVERS_MAX) {
		return json_error(e, v, "has more than %d addresses", RECORD_NAMESERVERS_MAX);
	}
	json_each(child, v)
	{
		r = read_address(child, &list[n++], e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_host_names(const struct json *v, void *at, struct err *e)
{
	const char **list = at;
	const struct json *child;
	size_t n = 0;
	int r = json_read_array_node(v, &child, e);

	if (r < 0) {
		return r;
	}
	if (v->count < 1 || v->count > RECORD_HOST_NAMES_MAX) {
		return json_error(e, v, "must have 1 to %d names", RECORD_HOST_NAMES_MAX);
	}
	json_each(child, v)
	{
		r = read_chars(child, LOWER UPPER DIGITS "._-", 253, &list[n++], e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_host(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"address", read_address, offsetof(struct record_host, address), JSON_REQUIRED},
		{"names", read_host_names, offsetof(struct record_host, names), JSON_REQUIRED},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_REFUSED, at, e);
}

static int read_restart(const struct json *v, void *at, struct err *e)
{
	static const char *const allowed[] = {"no", "on-failure", "always"};
	const char **restart = at;
	int r = json_read_str(v, restart, e);

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(allowed); i++) {
		if (strcmp(*restart, allowed[i]) == 0) {
			return 0;
		}
	}
	return r < 0 ? r : json_error(e, v, "must be 'no', 'on-failure' or 'always'");
}

/* While parsing, the array of hosts is kept as a node. */
struct raw {
	struct record record;
	const struct json *hosts;
};

#define AT(member) offsetof(struct raw, record.member)

static const struct json_field fields[] = {
	{"version", read_version, AT(version), JSON_REQUIRED},
	{"uid", read_uid, AT(uid), JSON_REQUIRED},
	{"name", read_name, AT(name), JSON_REQUIRED},
	{"image", read_image, AT(image), JSON_REQUIRED},
	{"hostname", read_hostname, AT(hostname), JSON_OPTIONAL},
	{"memory", read_memory, AT(memory), JSON_OPTIONAL},
	{"cpu", read_cpu, AT(cpu), JSON_OPTIONAL},
	{"pids", read_pids, AT(pids), JSON_OPTIONAL},
	{"netns", read_netns, AT(netns), JSON_OPTIONAL},
	{"nameservers", read_nameservers, AT(nameservers), JSON_OPTIONAL},
	{"hosts", json_read_array_node, offsetof(struct raw, hosts), JSON_OPTIONAL},
	{"restart", read_restart, AT(restart), JSON_OPTIONAL},
	{},
};

static int read_hosts(const struct json *v, struct record *r, struct err *e)
{
	const struct json *child;
	int ret;

	if (v->count > RECORD_HOSTS_MAX) {
		return json_error(e, v, "has more than %d entries", RECORD_HOSTS_MAX);
	}
	r->hosts = calloc(v->count ? v->count : 1, sizeof(*r->hosts));
	if (!r->hosts) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	json_each(child, v)
	{
		ret = read_host(child, &r->hosts[r->hosts_n++], e);
		if (ret < 0) {
			return ret;
		}
	}
	return 0;
}

int record_parse(const struct json *root, struct record *ret, struct err *e)
{
	struct raw raw = {.record = {.memory = RECORD_MEMORY_DEFAULT,
				  .cpu = {.weight = 100},
				  .pids = 512,
				  .restart = "no"}};
	int r = json_read(root, fields, JSON_UNKNOWN_REFUSED, &raw, e);

	if (r == 0 && raw.hosts) {
		r = read_hosts(raw.hosts, &raw.record, e);
	}
	if (r < 0) {
		record_done(&raw.record);
		return r;
	}
	if (!raw.record.hostname) {
		raw.record.hostname = raw.record.name;
	}
	*ret = raw.record;
	return 0;
}

void record_done(struct record *r)
{
	free(r->hosts);
	*r = (struct record){};
}

static void write_hosts(const struct record *r, struct json_out *o)
{
	json_out_array(o, "hosts");
	for (size_t i = 0; i < r->hosts_n; i++) {
		json_out_object(o, NULL);
		json_out_str(o, "address", r->hosts[i].address);
		json_out_strv(o, "names", r->hosts[i].names);
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

void record_write(const struct record *r, struct buf *to)
{
	struct json_out o = {.to = to, .indent = true};

	json_out_object(&o, NULL);
	json_out_u64(&o, "version", 1);
	json_out_u64(&o, "uid", r->uid);
	json_out_str(&o, "name", r->name);
	json_out_str(&o, "image", r->image);
	json_out_str(&o, "hostname", r->hostname);
	json_out_u64(&o, "memory", r->memory);
	json_out_object(&o, "cpu");
	json_out_u64(&o, "weight", r->cpu.weight);
	if (r->cpu.max) {
		json_out_u64(&o, "max", r->cpu.max);
	}
	json_out_object_end(&o);
	json_out_u64(&o, "pids", r->pids);
	if (r->netns) {
		json_out_str(&o, "netns", r->netns);
	}
	json_out_strv(&o, "nameservers", r->nameservers);
	write_hosts(r, &o);
	json_out_str(&o, "restart", r->restart);
	json_out_object_end(&o);
}
