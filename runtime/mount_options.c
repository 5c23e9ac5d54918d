#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/mount_options.h"
#include "runtime/spec.h"

enum action {
	SET,
	CLEAR,
	SET_REC,
	CLEAR_REC,
	PROPAGATE,
	PROPAGATE_REC,
	BIND,
	RBIND,
	REMOUNT,
	SUPERBLOCK,
	COPYUP,
	NOTHING
};

/* NODIRATIME is its own bit; the atime modes share a field, so each clears the field first. */
#define ATIME MOUNT_ATTR__ATIME
#define DIRAT MOUNT_ATTR_NODIRATIME
#define SYMF  MOUNT_ATTR_NOSYMFOLLOW

static const struct {
	const char *name;
	enum action action;
	uint64_t value;
} options[] = {
	{"async", NOTHING, 0}, /* the default; clearing a flag of a fresh superblock does nothing */
	{"atime", CLEAR, MOUNT_ATTR_NOATIME},
	{"bind", BIND, 0},
	{"defaults", NOTHING, 0},
	{"dev", CLEAR, MOUNT_ATTR_NODEV},
	{"diratime", CLEAR, DIRAT},
	{"dirsync", SUPERBLOCK, 0},
	{"exec", CLEAR, MOUNT_ATTR_NOEXEC},
	{"iversion", NOTHING, 0}, /* the file system decides since 4.16 */
	{"lazytime", SUPERBLOCK, 0},
	{"loud", NOTHING, 0},
	{"mand", NOTHING, 0}, /* mandatory locking left the kernel in 5.15 */
	{"noatime", SET, MOUNT_ATTR_NOATIME},
	{"nodev", SET, MOUNT_ATTR_NODEV},
	{"nodiratime", SET, DIRAT},
	{"noexec", SET, MOUNT_ATTR_NOEXEC},
	{"noiversion", NOTHING, 0},
	{"nolazytime", NOTHING, 0},
	{"nomand", NOTHING, 0},
	{"norelatime", CLEAR, MOUNT_ATTR_RELATIME},
	{"nostrictatime", CLEAR, MOUNT_ATTR_STRICTATIME},
	{"nosuid", SET, MOUNT_ATTR_NOSUID},
	{"nosymfollow", SET, SYMF},
	{"private", PROPAGATE, MS_PRIVATE},
	{"ratime", CLEAR_REC, MOUNT_ATTR_NOATIME},
	{"rbind", RBIND, 0},
	{"rdev", CLEAR_REC, MOUNT_ATTR_NODEV},
	{"rdiratime", CLEAR_REC, DIRAT},
	{"relatime", SET, MOUNT_ATTR_RELATIME},
	{"remount", REMOUNT, 0},
	{"rexec", CLEAR_REC, MOUNT_ATTR_NOEXEC},
	{"rnoatime", SET_REC, MOUNT_ATTR_NOATIME},
	{"rnodev", SET_REC, MOUNT_ATTR_NODEV},
	{"rnodiratime", SET_REC, DIRAT},
	{"rnoexec", SET_REC, MOUNT_ATTR_NOEXEC},
	{"rnorelatime", CLEAR_REC, MOUNT_ATTR_RELATIME},
	{"rnostrictatime", CLEAR_REC, MOUNT_ATTR_STRICTATIME},
	{"rnosuid", SET_REC, MOUNT_ATTR_NOSUID},
	{"rnosymfollow", SET_REC, SYMF},
	{"ro", SET, MOUNT_ATTR_RDONLY},
	{"rprivate", PROPAGATE_REC, MS_PRIVATE},
	{"rrelatime", SET_REC, MOUNT_ATTR_RELATIME},
	{"rro", SET_REC, MOUNT_ATTR_RDONLY},
	{"rrw", CLEAR_REC, MOUNT_ATTR_RDONLY},
	{"rshared", PROPAGATE_REC, MS_SHARED},
	{"rslave", PROPAGATE_REC, MS_SLAVE},
	{"rstrictatime", SET_REC, MOUNT_ATTR_STRICTATIME},
	{"rsuid", CLEAR_REC, MOUNT_ATTR_NOSUID},
	{"rsymfollow", CLEAR_REC, SYMF},
	{"runbindable", PROPAGATE_REC, MS_UNBINDABLE},
	{"rw", CLEAR, MOUNT_ATTR_RDONLY},
	{"shared", PROPAGATE, MS_SHARED},
	{"silent", NOTHING, 0},
	{"slave", PROPAGATE, MS_SLAVE},
	{"strictatime", SET, MOUNT_ATTR_STRICTATIME},
	{"suid", CLEAR, MOUNT_ATTR_NOSUID},
	{"symfollow", CLEAR, SYMF},
	{"sync", SUPERBLOCK, 0},
	{"tmpcopyup", COPYUP, 0},
	{"unbindable", PROPAGATE, MS_UNBINDABLE},
};

/* A later option wins over an earlier one of the same attribute. RELATIME is the value 0. */
static void set_attr(uint64_t *set, uint64_t *clear, uint64_t value)
{
	if (value == MOUNT_ATTR_NOATIME || value == MOUNT_ATTR_STRICTATIME ||
		value == MOUNT_ATTR_RELATIME) {
		*set &= ~(uint64_t)ATIME;
		*clear |= ATIME; /* mount_setattr(2): the field must be cleared to be set */
	} else {
		*clear &= ~value;
	}
	*set |= value;
}

static void clear_attr(uint64_t *set, uint64_t *clear, uint64_t value)
{
	if (value == MOUNT_ATTR_NOATIME || value == MOUNT_ATTR_STRICTATIME ||
		value == MOUNT_ATTR_RELATIME) {
		*set &= ~(uint64_t)ATIME;
		*clear |= ATIME;
	} else {
		*set &= ~value;
		*clear |= value;
	}
}

static void put_superblock(struct mount_options *o, const char *text)
{
	buf_put(&o->superblock, (struct slice){.p = text, .n = strlen(text) + 1});
}

static void apply(struct mount_options *o, size_t i)
{
	uint64_t value = options[i].value;

	switch (options[i].action) {
	case SET:
		set_attr(&o->attr_set, &o->attr_clear, value);
		break;
	case CLEAR:
		clear_attr(&o->attr_set, &o->attr_clear, value);
		break;
	case SET_REC:
		set_attr(&o->attr_set_rec, &o->attr_clear_rec, value);
		break;
	case CLEAR_REC:
		clear_attr(&o->attr_set_rec, &o->attr_clear_rec, value);
		break;
	case PROPAGATE:
	case PROPAGATE_REC:
		o->propagation = value;
		o->propagation_rec = options[i].action == PROPAGATE_REC;
		break;
	case BIND:
	case RBIND:
		o->bind = true;
		o->recursive = options[i].action == RBIND;
		break;
	case REMOUNT:
		o->remount = true;
		break;
	case SUPERBLOCK:
		put_superblock(o, options[i].name);
		break;
	case COPYUP:
		o->tmpcopyup = true;
		break;
	case NOTHING:
		break;
	}
}

static int find(const char *name)
{
	size_t low = 0, high = ARRAY_LEN(options);

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(name, options[mid].name);

		if (order == 0) {
			return (int)mid;
		}
		if (order < 0) {
			high = mid;
		} else {
			low = mid + 1;
		}
	}
	return -1;
}

int mount_options_parse(const struct spec_mount *mount, struct mount_options *ret, struct err *e)
{
	struct mount_options o = {};

	if (mount->type && strcmp(mount->type, "bind") == 0) {
		o.bind = true;
	}
	for (const char **option = mount->options; option && *option; option++) {
		int i = find(*option);

		if (i >= 0) {
			apply(&o, (size_t)i);
		} else if (**option) {
			put_superblock(
				&o, *option); /* the file system's own; unknown ones fail there */
		}
	}
	if (buf_failed(&o.superblock)) {
		mount_options_done(&o);
		return err_set(e, -ENOMEM, "mount '%s': too many options", mount->destination);
	}
	*ret = o;
	return 0;
}

const char *mount_options_name(size_t i)
{
	return i < ARRAY_LEN(options) ? options[i].name : NULL;
}

void mount_options_done(struct mount_options *o)
{
	buf_done(&o->superblock);
}
