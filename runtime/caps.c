#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"
#include "runtime/caps.h"
#include "runtime/spec.h"

/* linux/capability.h is what the kernel reads; libcap knows the names. */
struct kernel_caps {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2];
};

int cap_number(const char *name)
{
	cap_value_t value;

	/* cap_from_name(3) takes numbers, any case and what follows a blank; config.json does not. */
	if (strncmp(name, "CAP_", 4) != 0 ||
		name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")] != '\0') {
		return -1;
	}
	return cap_from_name(name, &value) == 0 && value < 64 ? value : -1;
}

bool cap_name(int cap, char name[static 32])
{
	char *lower = cap <= CAP_LAST_CAP ? cap_to_name(cap) : NULL;
	size_t n = lower ? strlen(lower) : 0;

	for (size_t i = 0; i <= n && i < 32; i++) {
		char c = lower ? lower[i] : '\0';

		name[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	(void)cap_free(lower);
	return n > 0 && n < 32;
}

static int get(struct kernel_caps *caps)
{
	*caps = (struct kernel_caps){.head = {.version = _LINUX_CAPABILITY_VERSION_3}};
	return (int)syscall(SYS_capget, &caps->head, caps->data);
}

static uint64_t wide(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

int caps_limit_bounding(const struct spec_caps *caps, struct err *e)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (caps->mask[CAP_SET_BOUNDING] & UINT64_C(1) << cap) {
			continue;
		}
		/* EINVAL: newer than this kernel */
		if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL) {
			return err_errno(e, "drop capability %d from the bounding set", cap);
		}
	}
	return 0;
}

int caps_keep_over_setuid(struct err *e)
{
	return prctl(PR_SET_KEEPCAPS, 1) < 0 ? err_errno(e, "keep capabilities") : 0;
}

static int raise_ambient(uint64_t mask, struct err *e)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
		return err_errno(e, "clear ambient capabilities");
	}
	for (int cap = 0; cap < 64; cap++) {
		if (mask & UINT64_C(1) << cap &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0) {
			return err_errno(e, "raise ambient capability %d", cap);
		}
	}
	return 0;
}

int caps_apply(const struct spec_caps *caps, uint64_t *ret_missing, struct err *e)
{
	struct kernel_caps k;
	uint64_t have, permitted, effective, inheritable;

	if (get(&k) < 0) {
		return err_errno(e, "read capabilities");
	}
	have = wide(k.data[0].permitted, k.data[1].permitted);
	permitted = caps->mask[CAP_SET_PERMITTED] & have;
	effective = caps->mask[CAP_SET_EFFECTIVE] & permitted;
	inheritable = caps->mask[CAP_SET_INHERITABLE] & have;
	*ret_missing = (caps->mask[CAP_SET_PERMITTED] | caps->mask[CAP_SET_EFFECTIVE]) & ~have;
	for (int i = 0; i < 2; i++) {
		k.data[i].permitted = (uint32_t)(permitted >> (32 * i));
		k.data[i].effective = (uint32_t)(effective >> (32 * i));
		k.data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	if (syscall(SYS_capset, &k.head, k.data) < 0) {
		return err_errno(e, "set capabilities");
	}
	return raise_ambient(caps->mask[CAP_SET_AMBIENT] & permitted & inheritable, e);
}

void caps_warn_missing(uint64_t missing)
{
	for (int cap = 0; cap < 64; cap++) {
		char *name = missing & UINT64_C(1) << cap ? cap_to_name(cap) : NULL;

		if (name) {
			log_warning("capability '%s' cannot be granted by this process", name);
			(void)cap_free(name);
		}
	}
}
