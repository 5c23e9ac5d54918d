#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/err.h"
#include "router/privilege.h"

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) {
		return -errno;
	}
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int privilege_drop(const char *user, struct err *e)
{
	const struct passwd *pw;
	int r;

	errno = 0;
	pw = getpwnam(user);
	if (!pw) {
		return errno ? err_errno(e, "look up user '%s'", user)
			     : err_set(e, -ENOENT, "there is no user '%s'", user);
	}
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
		setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0) {
		return err_errno(e, "become user '%s'", user);
	}
	r = drop_capabilities();
	if (r < 0) {
		return err_code(e, r, "drop capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return err_errno(e, "set no_new_privs");
	}
	return 0;
}
