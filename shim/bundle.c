#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "shim/bundle.h"

static int read_image(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"name", json_read_str, offsetof(struct bundle_image, name), JSON_REQUIRED},
		{"architecture", json_read_str, offsetof(struct bundle_image, architecture),
			JSON_REQUIRED},
		{"uwsgi", json_read_abs_path, offsetof(struct bundle_image, uwsgi), JSON_OPTIONAL},
		{},
	};
	struct bundle_image *image = at;
	int r = json_read(v, fields, JSON_UNKNOWN_REFUSED, image, e);

	if (r < 0) {
		return r;
	}
	if (!*image->name || image->name[0] == '.' || strchr(image->name, '/')) {
		return json_error(e, json_get(v, "name"), "'%s' is not a name", image->name);
	}
	return 0;
}

static int read_log(const struct json *v, void *at, struct err *e)
{
	static const struct json_field fields[] = {
		{"size", json_read_u64, offsetof(struct bundle_log, size), JSON_REQUIRED},
		{"keep", json_read_u32, offsetof(struct bundle_log, keep), JSON_REQUIRED},
		{},
	};
	struct bundle_log *log = at;
	int r = json_read(v, fields, JSON_UNKNOWN_REFUSED, log, e);

	if (r < 0) {
		return r;
	}
	if (log->size < 4096) {
		return json_error(e, json_get(v, "size"), "at least 4096 bytes");
	}
	if (log->keep > 1000) {
		return json_error(e, json_get(v, "keep"), "at most 1000");
	}
	return 0;
}

static int read_restart(const struct json *v, void *at, struct err *e)
{
	static const char *const names[] = {
		[BUNDLE_RESTART_NO] = "no",
		[BUNDLE_RESTART_ON_FAILURE] = "on-failure",
		[BUNDLE_RESTART_ALWAYS] = "always",
	};
	const char *name;
	int r = json_read_str(v, &name, e);

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*(enum bundle_restart *)at = (enum bundle_restart)i;
			return 0;
		}
	}
	return r < 0 ? r : json_error(e, v, "'%s' is none of no, on-failure, always", name);
}

static int read_uid(const struct json *v, void *at, struct err *e)
{
	uint32_t *uid = at;
	int r = json_read_u32(v, uid, e);

	if (r == 0 && (*uid < UID_FIRST || *uid > UID_LAST)) {
		return json_error(e, v, "not in %d..%d", UID_FIRST, UID_LAST);
	}
	return r;
}

static const struct json_field fief_fields[] = {
	{"version", json_read_u32, offsetof(struct bundle, version), JSON_REQUIRED},
	{"uid", read_uid, offsetof(struct bundle, uid), JSON_REQUIRED},
	{"name", json_read_str, offsetof(struct bundle, name), JSON_REQUIRED},
	{"home", json_read_abs_path, offsetof(struct bundle, home), JSON_REQUIRED},
	{"image", read_image, offsetof(struct bundle, image), JSON_REQUIRED},
	{"idBase", json_read_u32, offsetof(struct bundle, id_base), JSON_REQUIRED},
	{"memory", json_read_u64, offsetof(struct bundle, memory), JSON_REQUIRED},
	{"shmSize", json_read_u64, offsetof(struct bundle, shm_size), JSON_REQUIRED},
	{"netns", json_read_abs_path, offsetof(struct bundle, netns), JSON_OPTIONAL},
	{"restart", read_restart, offsetof(struct bundle, restart), JSON_REQUIRED},
	{"log", read_log, offsetof(struct bundle, log), JSON_REQUIRED},
	{"stopTimeout", json_read_u32, offsetof(struct bundle, stop_timeout), JSON_REQUIRED},
	{},
};

static int open_dir(struct bundle *b, const char *path, struct err *e)
{
	struct stat st;

	b->path = realpath(path, NULL);
	if (!b->path) {
		return err_errno(e, "bundle '%s'", path);
	}
	b->dir_fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir_fd < 0 || fstat(b->dir_fd, &st) < 0) {
		return err_errno(e, "bundle '%s'", path);
	}
	if (st.st_uid != 0 || (st.st_mode & 022)) {
		return err_set(
			e, -EPERM, "bundle '%s': must belong to root and be root's to write", path);
	}
	return 0;
}

static int check(const struct bundle *b, struct err *e)
{
	const struct json *root = json_root(b->doc);

	if (b->version != 1) {
		return json_error(e, json_get(root, "version"), "only version 1 is known");
	}
	/* mappings that would let host ids of somebody else appear inside */
	if (b->id_base < IDS_BASE || b->id_base > ids_base(UID_LAST)) {
		return json_error(
			e, json_get(root, "idBase"), "not in %u..%u", IDS_BASE, ids_base(UID_LAST));
	}
	if (b->shm_size < 4096) {
		return json_error(e, json_get(root, "shmSize"), "at least 4096 bytes");
	}
	return 0;
}

int bundle_open(const char *path, const char *prefix, struct bundle *ret, struct err *e)
{
	_cleanup_bundle_ struct bundle b = {.dir_fd = -1, .prefix = prefix};
	int r = open_dir(&b, path, e);

	if (r < 0) {
		return r; /* names the bundle itself */
	}
	r = json_load(b.dir_fd, "fief.json", NULL, &b.doc, e);
	if (r == 0) {
		r = json_read(json_root(b.doc), fief_fields, JSON_UNKNOWN_REFUSED, &b, e);
	}
	if (r == 0) {
		r = check(&b, e);
	}
	if (r < 0) {
		return err_wrap(e, r, "bundle '%s'", path);
	}
	*ret = b;
	b = (struct bundle){.dir_fd = -1};
	return 0;
}

void bundle_done(struct bundle *b)
{
	close_fd(&b->dir_fd);
	free(b->path);
	b->path = NULL;
	b->doc = json_doc_free(b->doc);
}
