#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/mount_fs.h"
#include "runtime/mount_options.h"
#include "runtime/spec.h"

static int configure(
	int fs, const struct spec_mount *m, const struct mount_options *o, struct err *e)
{
	struct slice rest = buf_slice(&o->superblock);

	if (m->source && *m->source &&
		fsconfig(fs, FSCONFIG_SET_STRING, "source", m->source, 0) < 0) {
		return err_errno(e, "source '%s'", m->source);
	}
	while (rest.n) {
		size_t len = strlen(rest.p);
		const char *equals = memchr(rest.p, '=', len);
		char key[64];
		int r;

		if (equals && (size_t)(equals - rest.p) < sizeof(key)) {
			memcpy(key, rest.p, (size_t)(equals - rest.p));
			key[equals - rest.p] = '\0';
			r = fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0);
		} else {
			r = fsconfig(fs, FSCONFIG_SET_FLAG, rest.p, NULL, 0);
		}
		if (r < 0) {
			return err_errno(e, "option '%s'", rest.p);
		}
		rest = slice_skip(rest, len + 1);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return err_errno(e, "make file system '%s'", m->type);
	}
	return 0;
}

int mount_fs_make(const struct spec_mount *m, const struct mount_options *o, struct err *e)
{
	_cleanup_close_ int fs = fsopen(m->type, FSOPEN_CLOEXEC);
	uint64_t attrs = (o->attr_set & ~o->attr_clear_rec) | o->attr_set_rec;
	int mount, r;

	if (fs < 0) {
		return err_errno(e, "file system '%s'", m->type);
	}
	r = configure(fs, m, o, e);
	if (r < 0) {
		return r;
	}
	mount = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
	return mount < 0 ? err_errno(e, "mount file system '%s'", m->type) : mount;
}
