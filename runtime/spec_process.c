/* The process object: config.json, and exec --process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/caps.h"
#include "runtime/spec.h"

static const struct {
	const char *name;
	int resource;
} rlimits[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

static int read_rlimit_type(const struct json *v, void *at, struct err *e)
{
	struct spec_rlimit *limit = at;
	int r = json_read_str(v, &limit->name, e);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(rlimits); i++) {
		if (strcmp(rlimits[i].name, limit->name) == 0) {
			limit->resource = rlimits[i].resource;
			return 0;
		}
	}
	return json_error(e, v, "unknown rlimit '%.40s'", limit->name);
}

static int read_rlimits(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"type", read_rlimit_type, 0, JSON_REQUIRED},
		{"soft", json_read_u64, offsetof(struct spec_rlimit, soft), JSON_REQUIRED},
		{"hard", json_read_u64, offsetof(struct spec_rlimit, hard), JSON_REQUIRED},
		{},
	};
	struct spec_vec *vec = at;
	int r = spec_read_vec(v, fields, sizeof(struct spec_rlimit), vec, e);

	for (size_t i = 0; r == 0 && i < vec->n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (spec_at(*vec, struct spec_rlimit, i)->resource ==
				spec_at(*vec, struct spec_rlimit, j)->resource) {
				return json_error(e, v, "duplicate rlimit '%s'",
					spec_at(*vec, struct spec_rlimit, i)->name);
			}
		}
	}
	return r;
}

/* An unknown capability is left out, as callers of runc expect: images name capabilities that a
 * kernel does not have yet. */
static int read_cap_set(const struct json *v, void *at, struct err *e)
{
	const struct json *item, *checked;
	int r = json_read_array_node(v, &checked, e);

	if (r < 0) {
		return r;
	}
	json_each(item, v)
	{
		const char *name;
		int cap;

		r = json_read_str(item, &name, e);
		if (r < 0) {
			return r;
		}
		cap = cap_number(name);
		if (cap >= 0) {
			*(uint64_t *)at |= UINT64_C(1) << cap;
		}
	}
	return 0;
}

static int read_caps(const struct json *v, void *at, struct err *e)
{
#define CAP_FIELD(name, set)                                                                       \
	{                                                                                          \
		name, read_cap_set, offsetof(struct spec_caps, mask) + (set) * sizeof(uint64_t),   \
			JSON_OPTIONAL                                                              \
	}
	static const struct json_field fields[] = {
		CAP_FIELD("bounding", CAP_SET_BOUNDING),
		CAP_FIELD("effective", CAP_SET_EFFECTIVE),
		CAP_FIELD("inheritable", CAP_SET_INHERITABLE),
		CAP_FIELD("permitted", CAP_SET_PERMITTED),
		CAP_FIELD("ambient", CAP_SET_AMBIENT),
		{},
	};
#undef CAP_FIELD

	((struct spec_caps *)at)->set = true;
	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

/* The kernel takes 4294967295 for "leave it as it is", which here would be root. */
static int read_id(const struct json *v, void *at, struct err *e)
{
	int r = json_read_u32(v, at, e);

	return r == 0 && *(uint32_t *)at == UINT32_MAX ? json_error(e, v, "is not an id") : r;
}

static int read_gids(const struct json *v, void *at, struct err *e)
{
	struct spec_vec *vec = at;
	const struct json *item, *checked;
	int r = json_read_array_node(v, &checked, e);

	if (r < 0) {
		return r;
	}
	vec->items = calloc(v->count ? v->count : 1, sizeof(uint32_t));
	if (!vec->items) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	vec->n = v->count;
	json_each(item, v)
	{
		r = read_id(item, spec_at(*vec, uint32_t, item->index), e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_user(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"uid", read_id, offsetof(struct spec_process, uid), JSON_OPTIONAL},
		{"gid", read_id, offsetof(struct spec_process, gid), JSON_OPTIONAL},
		{"umask", json_read_opt_u64, offsetof(struct spec_process, umask), JSON_OPTIONAL},
		{"additionalGids", read_gids, offsetof(struct spec_process, gids), JSON_OPTIONAL},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_console_size(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"height", json_read_u32, offsetof(struct spec_process, rows), JSON_OPTIONAL},
		{"width", json_read_u32, offsetof(struct spec_process, columns), JSON_OPTIONAL},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_cwd(const struct json *v, void *at, struct err *e)
{
	int r = json_read_str(v, at, e);

	if (r == 0 && v->text[0] != '/') {
		return json_error(e, v, "must be an absolute path, not '%.100s'", v->text);
	}
	return r;
}

int spec_process_read(const struct json *v, struct spec_process **ret, struct err *e)
{
	static const struct json_field fields[] = {
		{"terminal", json_read_bool, offsetof(struct spec_process, terminal),
			JSON_OPTIONAL},
		{"consoleSize", read_console_size, 0, JSON_OPTIONAL},
		{"user", read_user, 0, JSON_OPTIONAL},
		{"args", json_read_strv, offsetof(struct spec_process, args), JSON_OPTIONAL},
		{"env", json_read_strv, offsetof(struct spec_process, env), JSON_OPTIONAL},
		{"cwd", read_cwd, offsetof(struct spec_process, cwd), JSON_REQUIRED},
		{"capabilities", read_caps, offsetof(struct spec_process, caps), JSON_OPTIONAL},
		{"rlimits", read_rlimits, offsetof(struct spec_process, rlimits), JSON_OPTIONAL},
		{"noNewPrivileges", json_read_bool,
			offsetof(struct spec_process, no_new_privileges), JSON_OPTIONAL},
		{"oomScoreAdj", json_read_opt_i64, offsetof(struct spec_process, oom_score_adj),
			JSON_OPTIONAL},
		{"apparmorProfile", json_read_str, offsetof(struct spec_process, apparmor_profile),
			JSON_OPTIONAL},
		{"selinuxLabel", json_read_str, offsetof(struct spec_process, selinux_label),
			JSON_OPTIONAL},
		{},
	};
	struct spec_process *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	r = json_read(v, fields, JSON_UNKNOWN_ALLOWED, p, e);
	if (r == 0 && (!p->args || !p->args[0])) {
		r = json_error(e, v, "args must not be empty");
	}
	if (r == 0 && p->oom_score_adj.set &&
		(p->oom_score_adj.v < -1000 || p->oom_score_adj.v > 1000)) {
		r = json_error(e, json_get(v, "oomScoreAdj"), "must lie in -1000..1000");
	}
	if (r < 0) {
		(void)spec_process_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct spec_process *spec_process_free(struct spec_process *p)
{
	if (p) {
		free(p->gids.items);
		free(p->args);
		free(p->env);
		free(p->rlimits.items);
		free(p);
	}
	return NULL;
}
