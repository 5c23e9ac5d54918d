/*
 * config.json as C structs: what is asked, checked for form, not yet for what this host can do.
 *
 * Source: OCI runtime-spec 1.3.0 (config.md, config-linux.md). Unknown members are ignored, as the
 * specification demands ("Extensibility"); what has a meaning is checked strictly and an error names
 * the member. Strings are borrowed from the document that the spec owns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json.h"

struct err;

/* Grows nothing: arrays are allocated once and freed with the spec. */
struct spec_vec {
	void *items; /* owned */
	size_t n;
};
#define spec_at(vec, type, i) (&((type *)(vec).items)[i])

struct spec_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
	const char *name;
};

enum cap_set {
	CAP_SET_BOUNDING,
	CAP_SET_EFFECTIVE,
	CAP_SET_INHERITABLE,
	CAP_SET_PERMITTED,
	CAP_SET_AMBIENT,
	CAP_SET_MAX
};

struct spec_caps {
	bool set;		    /* member is there; otherwise all sets are empty */
	uint64_t mask[CAP_SET_MAX]; /* bit n: capability n */
};

struct spec_process {
	bool terminal;
	uint32_t rows, columns; /* 0: not given */
	uint32_t uid, gid;
	struct opt_u64 umask;
	struct spec_vec gids; /* of uint32_t */
	const char **args;    /* owned vector, NULL when not given */
	const char **env;     /* owned vector or NULL */
	const char *cwd;
	struct spec_caps caps;
	struct spec_vec rlimits; /* of struct spec_rlimit */
	bool no_new_privileges;
	struct opt_i64 oom_score_adj;
	const char *apparmor_profile, *selinux_label;
};

struct spec_mount {
	const char *destination, *type, *source; /* type, source may be NULL */
	const char **options;			 /* owned vector or NULL */
	const struct json *node;		 /* for error paths */
};

struct spec_namespace {
	int flag;	  /* CLONE_NEW* */
	const char *path; /* NULL: a new one */
};

struct spec_id_map {
	uint32_t container, host, size;
};

struct spec_device {
	const char *path;
	char type; /* c b u p */
	int64_t major, minor;
	struct opt_u64 mode;
	uint32_t uid, gid;
};

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KIND_MAX
};

struct spec_hook {
	const char *path;
	const char **args, **env; /* owned vectors or NULL */
	struct opt_i64 timeout;	  /* seconds */
};

struct spec_device_rule {
	bool allow;
	const char *type; /* a c b; NULL: a */
	struct opt_i64 major, minor;
	const char *access; /* NULL: rwm */
};

struct spec_resources {
	struct {
		struct opt_i64 limit, swap, reservation;
		struct opt_u64 swappiness;
		struct opt_bool disable_oom_killer;
	} memory;
	struct {
		struct opt_u64 shares, period, realtime_period, burst;
		struct opt_i64 quota, realtime_runtime, idle;
		const char *cpus, *mems;
	} cpu;
	struct opt_i64 pids;
	struct spec_vec devices;    /* of struct spec_device_rule */
	const struct json *unified; /* object of strings, or NULL */
};

struct spec {
	struct json_doc *doc; /* owned */
	const char *version;
	const char *hostname, *domainname;
	struct {
		const char *path;
		bool readonly;
	} root;
	struct spec_process *process; /* owned; NULL when absent */
	struct spec_vec mounts;	      /* of struct spec_mount */
	struct spec_vec hooks[HOOK_KIND_MAX];
	const struct json *annotations; /* object of strings or NULL */

	struct spec_vec namespaces; /* of struct spec_namespace */
	struct spec_vec uid_maps, gid_maps;
	struct spec_vec device_nodes; /* of struct spec_device */
	const char *cgroups_path;
	const char *rootfs_propagation;
	const char **masked_paths, **readonly_paths; /* owned vectors or NULL */
	const struct json *sysctl;		     /* object of strings or NULL */
	const struct json *seccomp;		     /* object or NULL */
	const char *mount_label;
	struct {
		bool set;
		unsigned long persona;
	} personality;
	struct spec_resources resources;
};

/* Loads `name` in the directory and checks it. *ret is owned. */
int spec_load(int dirfd, const char *name, struct spec **ret, struct err *e);
struct spec *spec_free(struct spec *spec); /* returns NULL */
void spec_cleanup(struct spec **spec);
#define _cleanup_spec_ __attribute__((cleanup(spec_cleanup)))

/* Reads a process object, as in config.json and in exec --process. *ret is owned. */
int spec_process_read(const struct json *v, struct spec_process **ret, struct err *e);
struct spec_process *spec_process_free(struct spec_process *p); /* returns NULL */
/* Reads a LinuxResources object. */
int spec_resources_read(const struct json *v, struct spec_resources *into, struct err *e);
void spec_resources_done(struct spec_resources *r);

/* The namespace entry of a kind, or NULL when it is not asked for. */
const struct spec_namespace *spec_namespace(const struct spec *spec, int flag);
/* Names as config.json writes them; flag 0 or NULL when unknown. */
int namespace_flag(const char *name);
const char *namespace_name(int flag);
/* Name below /proc/PID/ns. */
const char *namespace_proc_name(int flag);

/* Reads an array of objects: allocates count items of `size` bytes, zeroed, and reads each by the
 * table. Shared by the readers of the spec. */
int spec_read_vec(const struct json *array, const struct json_field *fields, size_t size,
	struct spec_vec *ret, struct err *e);
