#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

bool manifest_name_ok(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(name);

	return n >= 1 && n <= IMAGE_NAME_MAX && strchr(first, name[0]) && strspn(name, all) == n;
}

static int read_version(const struct json *v, void *at, struct err *e)
{
	int r = json_read_u32(v, at, e);

	return r < 0 ? r : *(uint32_t *)at == 1 ? 0 : json_error(e, v, "version must be 1");
}

static int read_name(const struct json *v, void *at, struct err *e)
{
	int r = json_read_str(v, at, e);

	if (r == 0 && !manifest_name_ok(v->text)) {
		return json_error(e, v, "'%s' is not an image name", v->text);
	}
	return r;
}

static int read_architecture(const struct json *v, void *at, struct err *e)
{
	int r = json_read_str(v, at, e);

	if (r == 0 && strcmp(v->text, "amd64") != 0 && strcmp(v->text, "i386") != 0) {
		return json_error(e, v, "must be 'amd64' or 'i386'");
	}
	return r;
}

static int read_digest(const struct json *v, void *at, struct err *e)
{
	static const char head[] = "sha256:";
	int r = json_read_str(v, at, e);

	if (r == 0 && (strncmp(v->text, head, sizeof(head) - 1) != 0 ||
			      strlen(v->text) != sizeof(head) - 1 + 64 ||
			      strspn(v->text + sizeof(head) - 1, "0123456789abcdef") != 64)) {
		return json_error(e, v, "must be 'sha256:' and 64 hex digits");
	}
	return r;
}

static int read_created(const struct json *v, void *at, struct err *e)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
	int r = json_read_str(v, at, e);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < sizeof(shape); i++) {
		char c = v->text[i];
		bool digit = c >= '0' && c <= '9';

		if (shape[i] == 'd' ? !digit : c != shape[i]) {
			return json_error(e, v, "must be a time like 2026-01-31T12:00:00Z");
		}
	}
	return 0;
}

static int read_uwsgi(const struct json *v, void *at, struct err *e)
{
	int r = json_read_abs_path(v, at, e);

	if (r == 0 && strlen(v->text) >= sizeof((struct manifest){}.uwsgi)) {
		return json_error(e, v, "is longer than 255 bytes");
	}
	return r;
}

struct raw {
	uint32_t version;
	const char *name, *architecture, *recipe, *digest, *created, *uwsgi;
};

static const struct json_field fields[] = {
	{"version", read_version, offsetof(struct raw, version), JSON_REQUIRED},
	{"name", read_name, offsetof(struct raw, name), JSON_REQUIRED},
	{"architecture", read_architecture, offsetof(struct raw, architecture), JSON_REQUIRED},
	{"recipe", read_name, offsetof(struct raw, recipe), JSON_REQUIRED},
	{"digest", read_digest, offsetof(struct raw, digest), JSON_REQUIRED},
	{"created", read_created, offsetof(struct raw, created), JSON_REQUIRED},
	{"uwsgi", read_uwsgi, offsetof(struct raw, uwsgi), JSON_OPTIONAL},
	{},
};

int manifest_parse(const struct json *root, struct manifest *ret, struct err *e)
{
	struct raw raw = {};
	int r = json_read(root, fields, JSON_UNKNOWN_REFUSED, &raw, e);

	if (r < 0) {
		return r;
	}
	*ret = (struct manifest){};
	/* every reader above checked the length */
	(void)snprintf(ret->name, sizeof(ret->name), "%s", raw.name);
	(void)snprintf(ret->architecture, sizeof(ret->architecture), "%s", raw.architecture);
	(void)snprintf(ret->recipe, sizeof(ret->recipe), "%s", raw.recipe);
	(void)snprintf(ret->digest, sizeof(ret->digest), "%s", raw.digest);
	(void)snprintf(ret->created, sizeof(ret->created), "%s", raw.created);
	(void)snprintf(ret->uwsgi, sizeof(ret->uwsgi), "%s", raw.uwsgi ? raw.uwsgi : "");
	return 0;
}

int manifest_load(int imagefd, struct manifest *ret, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	int r = json_load(imagefd, "manifest.json", NULL, &doc, e);

	return r < 0 ? r : manifest_parse(json_root(doc), ret, e);
}

int manifest_write(int imagefd, const struct manifest *m, struct err *e)
{
	_cleanup_buf_ struct buf b = {};
	struct json_out o = {.to = &b, .indent = true};

	json_out_object(&o, NULL);
	json_out_u64(&o, "version", 1);
	json_out_str(&o, "name", m->name);
	json_out_str(&o, "architecture", m->architecture);
	json_out_str(&o, "recipe", m->recipe);
	json_out_str(&o, "digest", m->digest);
	json_out_str(&o, "created", m->created);
	if (m->uwsgi[0]) {
		json_out_str(&o, "uwsgi", m->uwsgi);
	} else {
		json_out_null(&o, "uwsgi");
	}
	json_out_object_end(&o);
	if (buf_failed(&b)) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	return files_write_atomic(imagefd, "manifest.json", 0644, buf_slice(&b), e);
}

int manifest_open(
	const char *prefix, const char *name, struct manifest *ret, int *ret_fd, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct manifest m;
	int r;

	if (!manifest_name_ok(name)) {
		return err_set(e, -EINVAL, "'%s' is not an image name", name);
	}
	path = path_of(prefix, PATH_IMAGES, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		return err_set(e, -ENOENT, "there is no image '%s'", name);
	}
	if (fd < 0) {
		return err_errno(e, "open image '%s'", name);
	}
	r = manifest_load(fd, &m, e);
	if (r < 0) {
		return err_wrap(e, r, "image '%s'", name);
	}
	if (strcmp(m.name, name) != 0) {
		return err_set(e, -EINVAL, "image '%s': its manifest names '%s'", name, m.name);
	}
	*ret = m;
	if (ret_fd) {
		*ret_fd = take_fd(&fd);
	}
	return 0;
}
