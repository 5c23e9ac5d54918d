/* LinuxResources: linux.resources of config.json, and the argument of update. */
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "runtime/spec.h"

static int read_memory(const struct json *v, void *at, struct err *e)
{
#define FIELD(name, reader, member)                                                                \
	{                                                                                          \
		name, reader, offsetof(struct spec_resources, memory.member), JSON_OPTIONAL        \
	}
	static const struct json_field fields[] = {
		FIELD("limit", json_read_opt_i64, limit),
		FIELD("swap", json_read_opt_i64, swap),
		FIELD("reservation", json_read_opt_i64, reservation),
		FIELD("swappiness", json_read_opt_u64, swappiness),
		FIELD("disableOOMKiller", json_read_opt_bool, disable_oom_killer),
		{},
	};
#undef FIELD

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_cpu(const struct json *v, void *at, struct err *e)
{
#define FIELD(name, reader, member)                                                                \
	{                                                                                          \
		name, reader, offsetof(struct spec_resources, cpu.member), JSON_OPTIONAL           \
	}
	static const struct json_field fields[] = {
		FIELD("shares", json_read_opt_u64, shares),
		FIELD("quota", json_read_opt_i64, quota),
		FIELD("burst", json_read_opt_u64, burst),
		FIELD("period", json_read_opt_u64, period),
		FIELD("realtimeRuntime", json_read_opt_i64, realtime_runtime),
		FIELD("realtimePeriod", json_read_opt_u64, realtime_period),
		FIELD("cpus", json_read_str, cpus),
		FIELD("mems", json_read_str, mems),
		FIELD("idle", json_read_opt_i64, idle),
		{},
	};
#undef FIELD

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_pids(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"limit", json_read_opt_i64, offsetof(struct spec_resources, pids), JSON_OPTIONAL},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_rule_type(const struct json *v, void *at, struct err *e)
{
	int r = json_read_str(v, at, e);

	if (r == 0 && strcmp(v->text, "a") != 0 && strcmp(v->text, "b") != 0 &&
		strcmp(v->text, "c") != 0) {
		return json_error(e, v, "must be a, b or c, not '%.20s'", v->text);
	}
	return r;
}

static int read_access(const struct json *v, void *at, struct err *e)
{
	int r = json_read_str(v, at, e);

	if (r == 0 && (strspn(v->text, "rwm") != strlen(v->text) || strlen(v->text) > 3)) {
		return json_error(e, v, "must be made of r, w and m, not '%.20s'", v->text);
	}
	return r;
}

static int read_devices(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"allow", json_read_bool, offsetof(struct spec_device_rule, allow), JSON_REQUIRED},
		{"type", read_rule_type, offsetof(struct spec_device_rule, type), JSON_OPTIONAL},
		{"major", json_read_opt_i64, offsetof(struct spec_device_rule, major),
			JSON_OPTIONAL},
		{"minor", json_read_opt_i64, offsetof(struct spec_device_rule, minor),
			JSON_OPTIONAL},
		{"access", read_access, offsetof(struct spec_device_rule, access), JSON_OPTIONAL},
		{},
	};

	return spec_read_vec(v, fields, sizeof(struct spec_device_rule), at, e);
}

int spec_resources_read(const struct json *v, struct spec_resources *into, struct err *e)
{
	static const struct json_field fields[] = {
		{"memory", read_memory, 0, JSON_OPTIONAL},
		{"cpu", read_cpu, 0, JSON_OPTIONAL},
		{"pids", read_pids, 0, JSON_OPTIONAL},
		{"devices", read_devices, offsetof(struct spec_resources, devices), JSON_OPTIONAL},
		{"unified", json_read_object_node, offsetof(struct spec_resources, unified),
			JSON_OPTIONAL},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, into, e);
}

void spec_resources_done(struct spec_resources *r)
{
	free(r->devices.items);
	r->devices = (struct spec_vec){};
}
