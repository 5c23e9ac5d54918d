#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/namespaces.h"
#include "runtime/spec.h"

static int open_by_path(const struct spec_namespace *ns, struct err *e)
{
	_cleanup_close_ int fd = open(ns->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int kind;

	if (fd < 0) {
		return err_errno(e, "%s namespace '%s'", namespace_name(ns->flag), ns->path);
	}
	kind = ioctl(fd, NS_GET_NSTYPE);
	if (kind != ns->flag) {
		return err_set(e, -EINVAL, "'%s' is not a %s namespace", ns->path,
			namespace_name(ns->flag));
	}
	return take_fd(&fd);
}

/* Takes fd. */
static int add_visited(struct namespaces *set, int flag, int fd, struct err *e)
{
	char path[40];
	int own;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_proc_name(flag));
	own = open(path, O_RDONLY | O_CLOEXEC);
	set->join[set->join_n].fd = fd;
	set->join[set->join_n].own = own;
	set->join[set->join_n++].flag = flag;
	return own < 0 ? err_errno(e, "open '%s'", path) : 0;
}

static int add(struct namespaces *set, const struct spec_namespace *ns, struct err *e)
{
	int fd;

	if (!ns->path) {
		if (ns->flag == CLONE_NEWCGROUP) {
			set->new_cgroup = 1;
		} else {
			set->clone_flags |= (uint64_t)(unsigned)ns->flag;
		}
		set->new_network |= ns->flag == CLONE_NEWNET;
		return 0;
	}
	fd = open_by_path(ns, e);
	if (fd < 0) {
		return fd;
	}
	if (ns->flag == CLONE_NEWUSER) {
		set->user_fd = fd;
	} else if (ns->flag == CLONE_NEWPID) {
		set->pid_fd = fd;
	} else if (ns->flag == CLONE_NEWNS) {
		set->mount_fd = fd;
	} else {
		return add_visited(set, ns->flag, fd, e);
	}
	return 0;
}

int namespaces_open(const struct spec *spec, struct namespaces *ret, struct err *e)
{
	struct namespaces set = {.user_fd = -1, .pid_fd = -1, .mount_fd = -1};
	int r = 0;

	for (size_t i = 0; i < spec->namespaces.n && r == 0; i++) {
		r = add(&set, spec_at(spec->namespaces, struct spec_namespace, i), e);
	}
	if (r == 0 && !spec_namespace(spec, CLONE_NEWNS)) {
		r = err_member(e, -EINVAL, ".linux.namespaces", "a mount namespace is required");
	}
	/* The owner of its mqueue file system is whoever makes it. */
	if (spec_namespace(spec, CLONE_NEWUSER) && (set.clone_flags & CLONE_NEWIPC)) {
		set.clone_flags &= ~(uint64_t)CLONE_NEWIPC;
		set.late = CLONE_NEWIPC;
	}
	if (r < 0) {
		namespaces_done(&set);
		return r;
	}
	*ret = set;
	return 0;
}

void namespaces_done(struct namespaces *ns)
{
	for (size_t i = 0; i < ns->join_n; i++) {
		close_fd(&ns->join[i].fd);
		close_fd(&ns->join[i].own);
	}
	ns->join_n = 0;
	close_fd(&ns->user_fd);
	close_fd(&ns->pid_fd);
	close_fd(&ns->mount_fd);
}

bool namespaces_visits(const struct namespaces *ns, int flag)
{
	for (size_t i = 0; i < ns->join_n; i++) {
		if (ns->join[i].flag == flag) {
			return true;
		}
	}
	return false;
}

int namespaces_visit(const struct namespaces *ns, struct err *e)
{
	for (size_t i = 0; i < ns->join_n; i++) {
		if (setns(ns->join[i].fd, ns->join[i].flag) < 0) {
			return err_errno(
				e, "join the %s namespace", namespace_name(ns->join[i].flag));
		}
	}
	return 0;
}

int namespaces_return(const struct namespaces *ns, struct err *e)
{
	for (size_t i = 0; i < ns->join_n; i++) {
		if (setns(ns->join[i].own, ns->join[i].flag) < 0) {
			return err_errno(e, "return to the host's %s namespace",
				namespace_name(ns->join[i].flag));
		}
	}
	return 0;
}

int namespaces_join_mount(const struct namespaces *ns, struct err *e)
{
	if (ns->mount_fd >= 0 && setns(ns->mount_fd, CLONE_NEWNS) < 0) {
		return err_errno(e, "join the mount namespace");
	}
	return 0;
}

static int write_map(pid_t pid, const char *file, const struct spec_vec *maps, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	char path[40];

	for (size_t i = 0; i < maps->n; i++) {
		const struct spec_id_map *m = spec_at(*maps, struct spec_id_map, i);

		buf_putf(&text, "%u %u %u\n", m->container, m->host, m->size);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (!buf_str(&text)) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	return files_write_control(AT_FDCWD, path, text.p, e);
}

int namespaces_write_maps(pid_t pid, const struct spec *spec, struct err *e)
{
	int r = write_map(pid, "uid_map", &spec->uid_maps, e);

	return r < 0 ? r : write_map(pid, "gid_map", &spec->gid_maps, e);
}

int namespaces_loopback_up(struct err *e)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo"};

	if (sock < 0) {
		return err_errno(e, "bring up 'lo'");
	}
	if (ioctl(sock, SIOCGIFFLAGS, &lo) < 0) {
		return err_errno(e, "bring up 'lo'");
	}
	lo.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &lo) < 0 ? err_errno(e, "bring up 'lo'") : 0;
}
