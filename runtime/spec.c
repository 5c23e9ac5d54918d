/* The top of config.json and its linux object; process and resources have files of their own. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/spec.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 /* Linux 5.6 */
#endif

static const struct {
	const char *name, *proc_name;
	int flag;
} namespaces[] = {
	{"user", "user", CLONE_NEWUSER},
	{"mount", "mnt", CLONE_NEWNS},
	{"pid", "pid", CLONE_NEWPID},
	{"network", "net", CLONE_NEWNET},
	{"ipc", "ipc", CLONE_NEWIPC},
	{"uts", "uts", CLONE_NEWUTS},
	{"cgroup", "cgroup", CLONE_NEWCGROUP},
	{"time", "time", CLONE_NEWTIME},
};

int namespace_flag(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		if (strcmp(namespaces[i].name, name) == 0) {
			return namespaces[i].flag;
		}
	}
	return 0;
}

const char *namespace_name(int flag)
{
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		if (namespaces[i].flag == flag) {
			return namespaces[i].name;
		}
	}
	return NULL;
}

const char *namespace_proc_name(int flag)
{
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		if (namespaces[i].flag == flag) {
			return namespaces[i].proc_name;
		}
	}
	return NULL;
}

int spec_read_vec(const struct json *array, const struct json_field *fields, size_t size,
	struct spec_vec *ret, struct err *e)
{
	const struct json *item, *checked;
	int r = json_read_array_node(array, &checked, e);

	if (r < 0) {
		return r;
	}
	ret->items = calloc(array->count ? array->count : 1, size);
	if (!ret->items) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	ret->n = array->count;
	json_each(item, array)
	{
		r = json_read(item, fields, JSON_UNKNOWN_ALLOWED,
			(char *)ret->items + item->index * size, e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_destination(const struct json *v, void *at, struct err *e)
{
	int r = json_read_str(v, at, e);

	/* A relative destination is deprecated and means relative to "/" (1.2). */
	if (r == 0 && v->text[0] == '\0') {
		return json_error(e, v, "must not be empty");
	}
	return r;
}

static int read_mounts(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"destination", read_destination, offsetof(struct spec_mount, destination),
			JSON_REQUIRED},
		{"type", json_read_str, offsetof(struct spec_mount, type), JSON_OPTIONAL},
		{"source", json_read_str, offsetof(struct spec_mount, source), JSON_OPTIONAL},
		{"options", json_read_strv, offsetof(struct spec_mount, options), JSON_OPTIONAL},
		{},
	};
	struct spec_vec *mounts = at;
	const struct json *item;
	int r = spec_read_vec(v, fields, sizeof(struct spec_mount), mounts, e);

	if (r < 0) {
		return r;
	}
	json_each(item, v)
	{
		spec_at(*mounts, struct spec_mount, item->index)->node = item;
	}
	return 0;
}

static int read_hook_list(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"path", json_read_abs_path, offsetof(struct spec_hook, path), JSON_REQUIRED},
		{"args", json_read_strv, offsetof(struct spec_hook, args), JSON_OPTIONAL},
		{"env", json_read_strv, offsetof(struct spec_hook, env), JSON_OPTIONAL},
		{"timeout", json_read_opt_i64, offsetof(struct spec_hook, timeout), JSON_OPTIONAL},
		{},
	};
	const struct json *item;
	int r = spec_read_vec(v, fields, sizeof(struct spec_hook), at, e);

	if (r < 0) {
		return r;
	}
	json_each(item, v)
	{
		struct spec_hook *hook =
			spec_at(*(struct spec_vec *)at, struct spec_hook, item->index);

		if (hook->timeout.set && hook->timeout.v <= 0) {
			return json_error(e, json_get(item, "timeout"), "must be over 0 seconds");
		}
	}
	return 0;
}

static int read_hooks(const struct json *v, void *at, struct err *e)
{
#define HOOK_FIELD(name, kind)                                                                     \
	{                                                                                          \
		name, read_hook_list, (kind) * sizeof(struct spec_vec), JSON_OPTIONAL              \
	}
	static const struct json_field fields[] = {
		HOOK_FIELD("prestart", HOOK_PRESTART),
		HOOK_FIELD("createRuntime", HOOK_CREATE_RUNTIME),
		HOOK_FIELD("createContainer", HOOK_CREATE_CONTAINER),
		HOOK_FIELD("startContainer", HOOK_START_CONTAINER),
		HOOK_FIELD("poststart", HOOK_POSTSTART),
		HOOK_FIELD("poststop", HOOK_POSTSTOP),
		{},
	};
#undef HOOK_FIELD

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_namespace_type(const struct json *v, void *at, struct err *e)
{
	const char *name;
	int r = json_read_str(v, &name, e);

	if (r < 0) {
		return r;
	}
	*(int *)at = namespace_flag(name);
	return *(int *)at ? 0 : json_error(e, v, "unknown namespace '%.40s'", name);
}

static int read_namespaces(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"type", read_namespace_type, offsetof(struct spec_namespace, flag), JSON_REQUIRED},
		{"path", json_read_str, offsetof(struct spec_namespace, path), JSON_OPTIONAL},
		{},
	};
	const struct json *item;
	struct spec_vec *vec = at;
	int seen = 0, r;

	r = spec_read_vec(v, fields, sizeof(struct spec_namespace), vec, e);
	if (r < 0) {
		return r;
	}
	json_each(item, v)
	{
		struct spec_namespace *ns = spec_at(*vec, struct spec_namespace, item->index);

		if (ns->path && !*ns->path) {
			ns->path = NULL; /* Go callers write "path": "" for none */
		}
		if (ns->path && ns->path[0] != '/') {
			return json_error(e, json_get(item, "path"), "must be an absolute path");
		}
		if (seen & ns->flag) {
			return json_error(
				e, item, "duplicate namespace '%s'", namespace_name(ns->flag));
		}
		seen |= ns->flag;
	}
	return 0;
}

static int read_id_maps(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"containerID", json_read_u32, offsetof(struct spec_id_map, container),
			JSON_REQUIRED},
		{"hostID", json_read_u32, offsetof(struct spec_id_map, host), JSON_REQUIRED},
		{"size", json_read_u32, offsetof(struct spec_id_map, size), JSON_REQUIRED},
		{},
	};

	return spec_read_vec(v, fields, sizeof(struct spec_id_map), at, e);
}

static int read_device_type(const struct json *v, void *at, struct err *e)
{
	const char *s;
	int r = json_read_str(v, &s, e);

	if (r < 0) {
		return r;
	}
	if (strlen(s) != 1 || !strchr("cbup", s[0])) {
		return json_error(e, v, "must be c, b, u or p, not '%.20s'", s);
	}
	*(char *)at = s[0];
	return 0;
}

static int read_device_nodes(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"path", json_read_abs_path, offsetof(struct spec_device, path), JSON_REQUIRED},
		{"type", read_device_type, offsetof(struct spec_device, type), JSON_REQUIRED},
		{"major", json_read_i64, offsetof(struct spec_device, major), JSON_OPTIONAL},
		{"minor", json_read_i64, offsetof(struct spec_device, minor), JSON_OPTIONAL},
		{"fileMode", json_read_opt_u64, offsetof(struct spec_device, mode), JSON_OPTIONAL},
		{"uid", json_read_u32, offsetof(struct spec_device, uid), JSON_OPTIONAL},
		{"gid", json_read_u32, offsetof(struct spec_device, gid), JSON_OPTIONAL},
		{},
	};

	return spec_read_vec(v, fields, sizeof(struct spec_device), at, e);
}

static int read_string_map(const struct json *v, void *at, struct err *e)
{
	const struct json *item;
	int r = json_read_object_node(v, at, e);

	if (r < 0) {
		return r;
	}
	json_each(item, v)
	{
		const char *s;

		r = json_read_str(item, &s, e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_personality(const struct json *v, void *at, struct err *e)
{
	const struct json *domain = json_get(v, "domain"), *flags = json_get(v, "flags");
	struct spec *spec = at;
	const char *name;
	int r;

	if (!domain) {
		return json_error(e, v, "member 'domain' is missing");
	}
	r = json_read_str(domain, &name, e);
	if (r < 0) {
		return r;
	}
	if (flags && flags->type == JSON_ARRAY && flags->count) {
		return json_error(e, flags, "no flags are known");
	}
	if (strcmp(name, "LINUX") != 0 && strcmp(name, "LINUX32") != 0) {
		return json_error(e, domain, "must be LINUX or LINUX32, not '%.40s'", name);
	}
	spec->personality.set = true;
	spec->personality.persona = strcmp(name, "LINUX32") == 0 ? PER_LINUX32 : PER_LINUX;
	return 0;
}

static int read_propagation(const struct json *v, void *at, struct err *e)
{
	static const char *const known[] = {"shared", "slave", "private", "unbindable", "rshared",
		"rslave", "rprivate", "runbindable"};
	int r = json_read_str(v, at, e);

	if (r < 0 || !v->text[0]) {
		return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i], v->text) == 0) {
			return 0;
		}
	}
	return json_error(e, v, "rootfsPropagation '%.40s' is not supported", v->text);
}

static int read_resources(const struct json *v, void *at, struct err *e)
{
	return spec_resources_read(v, at, e);
}

static int read_linux(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"namespaces", read_namespaces, offsetof(struct spec, namespaces), JSON_OPTIONAL},
		{"uidMappings", read_id_maps, offsetof(struct spec, uid_maps), JSON_OPTIONAL},
		{"gidMappings", read_id_maps, offsetof(struct spec, gid_maps), JSON_OPTIONAL},
		{"devices", read_device_nodes, offsetof(struct spec, device_nodes), JSON_OPTIONAL},
		{"cgroupsPath", json_read_str, offsetof(struct spec, cgroups_path), JSON_OPTIONAL},
		{"rootfsPropagation", read_propagation, offsetof(struct spec, rootfs_propagation),
			JSON_OPTIONAL},
		{"maskedPaths", json_read_strv, offsetof(struct spec, masked_paths), JSON_OPTIONAL},
		{"readonlyPaths", json_read_strv, offsetof(struct spec, readonly_paths),
			JSON_OPTIONAL},
		{"sysctl", read_string_map, offsetof(struct spec, sysctl), JSON_OPTIONAL},
		{"seccomp", json_read_object_node, offsetof(struct spec, seccomp), JSON_OPTIONAL},
		{"mountLabel", json_read_str, offsetof(struct spec, mount_label), JSON_OPTIONAL},
		{"personality", read_personality, 0, JSON_OPTIONAL},
		{"resources", read_resources, offsetof(struct spec, resources), JSON_OPTIONAL},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_root(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"path", json_read_str, offsetof(struct spec, root.path), JSON_REQUIRED},
		{"readonly", json_read_bool, offsetof(struct spec, root.readonly), JSON_OPTIONAL},
		{},
	};

	return json_read(v, fields, JSON_UNKNOWN_ALLOWED, at, e);
}

static int read_process(const struct json *v, void *at, struct err *e)
{
	return spec_process_read(v, at, e);
}

/* Every 1.x is taken: newer minor versions only add members, and unknown members are ignored. */
static int read_version(const struct json *v, void *at, struct err *e)
{
	int r = json_read_str(v, at, e);

	if (r == 0 && (strncmp(v->text, "1.", 2) != 0 || v->text[2] < '0' || v->text[2] > '9')) {
		return json_error(e, v, "version '%.40s' is not supported, only 1.x", v->text);
	}
	return r;
}

static int check_maps(const struct spec *spec, struct err *e)
{
	const struct spec_namespace *user = spec_namespace(spec, CLONE_NEWUSER);
	bool maps = spec->uid_maps.n || spec->gid_maps.n;

	if (!user && maps) {
		return err_member(
			e, -EINVAL, ".linux.uidMappings", "id mappings need a user namespace");
	}
	if (user && !user->path && (!spec->uid_maps.n || !spec->gid_maps.n)) {
		return err_member(e, -EINVAL, ".linux.namespaces",
			"a new user namespace needs uidMappings and gidMappings");
	}
	return 0;
}

static int read_spec(struct spec *spec, struct err *e)
{
	static const struct json_field fields[] = {
		{"ociVersion", read_version, offsetof(struct spec, version), JSON_REQUIRED},
		{"hostname", json_read_str, offsetof(struct spec, hostname), JSON_OPTIONAL},
		{"domainname", json_read_str, offsetof(struct spec, domainname), JSON_OPTIONAL},
		{"root", read_root, 0, JSON_REQUIRED},
		{"process", read_process, offsetof(struct spec, process), JSON_OPTIONAL},
		{"mounts", read_mounts, offsetof(struct spec, mounts), JSON_OPTIONAL},
		{"hooks", read_hooks, offsetof(struct spec, hooks), JSON_OPTIONAL},
		{"annotations", read_string_map, offsetof(struct spec, annotations), JSON_OPTIONAL},
		{"linux", read_linux, 0, JSON_OPTIONAL},
		{},
	};
	int r = json_read(json_root(spec->doc), fields, JSON_UNKNOWN_ALLOWED, spec, e);

	if (r < 0) {
		return r;
	}
	if ((spec->hostname || spec->domainname) && !spec_namespace(spec, CLONE_NEWUTS)) {
		return err_member(e, -EINVAL, ".hostname",
			"unable to set hostname without a private UTS namespace");
	}
	return check_maps(spec, e);
}

int spec_load(int dirfd, const char *name, struct spec **ret, struct err *e)
{
	_cleanup_spec_ struct spec *spec = calloc(1, sizeof(*spec));
	int r;

	if (!spec) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	r = json_load(dirfd, name, NULL, &spec->doc, e);
	if (r < 0) {
		return r;
	}
	r = read_spec(spec, e);
	if (r < 0) {
		return err_wrap(e, r, "'%s'", name);
	}
	*ret = take_ptr(&spec);
	return 0;
}

static void free_mounts(struct spec_vec *mounts)
{
	for (size_t i = 0; i < mounts->n; i++) {
		free(spec_at(*mounts, struct spec_mount, i)->options);
	}
	free(mounts->items);
}

static void free_hooks(struct spec_vec *hooks)
{
	for (size_t i = 0; i < hooks->n; i++) {
		free(spec_at(*hooks, struct spec_hook, i)->args);
		free(spec_at(*hooks, struct spec_hook, i)->env);
	}
	free(hooks->items);
}

struct spec *spec_free(struct spec *spec)
{
	if (!spec) {
		return NULL;
	}
	free_mounts(&spec->mounts);
	for (size_t i = 0; i < HOOK_KIND_MAX; i++) {
		free_hooks(&spec->hooks[i]);
	}
	(void)spec_process_free(spec->process);
	free(spec->namespaces.items);
	free(spec->uid_maps.items);
	free(spec->gid_maps.items);
	free(spec->device_nodes.items);
	free(spec->masked_paths);
	free(spec->readonly_paths);
	spec_resources_done(&spec->resources);
	(void)json_doc_free(spec->doc);
	free(spec);
	return NULL;
}

void spec_cleanup(struct spec **spec)
{
	*spec = spec_free(*spec);
}

const struct spec_namespace *spec_namespace(const struct spec *spec, int flag)
{
	for (size_t i = 0; i < spec->namespaces.n; i++) {
		const struct spec_namespace *ns =
			spec_at(spec->namespaces, struct spec_namespace, i);

		if (ns->flag == flag) {
			return ns;
		}
	}
	return NULL;
}
