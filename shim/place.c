#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/paths.h"
#include "shim/place.h"

static int open_made(const char *path, mode_t mode, struct err *e)
{
	int r = files_mkdir_p(path, mode, e);
	int fd = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return r == 0 && fd < 0 ? err_errno(e, "open '%s'", path) : fd;
}

static int take_lock(struct place *place, struct err *e)
{
	place->lock_fd =
		openat(place->state_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (place->lock_fd < 0) {
		return err_errno(e, "open '%s/lock'", place->state);
	}
	if (flock(place->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		return errno == EWOULDBLOCK
			       ? err_set(e, -EBUSY, "container %u has a shim already", place->uid)
			       : err_errno(e, "lock '%s/lock'", place->state);
	}
	return 0;
}

int place_open(struct place *place, const char *prefix, uint32_t uid, struct err *e)
{
	_cleanup_free_ char *all = path_of(prefix, PATH_SHIM_STATE, NULL);
	_cleanup_free_ char *run = path_of(prefix, PATH_SHIM_RUN, NULL);
	char tail[16];
	int r;

	*place = (struct place){.state_fd = -1, .run_fd = -1, .lock_fd = -1, .uid = uid};
	(void)snprintf(tail, sizeof(tail), "%u", uid);
	place->state = path_of(prefix, PATH_SHIM_STATE, tail);
	r = files_mkdir_p(all, 0711, e);
	if (r == 0) {
		r = place->state_fd = open_made(place->state, 0755, e);
	}
	if (r >= 0) {
		r = place->run_fd = open_made(run, 0711, e);
	}
	if (r >= 0) {
		r = take_lock(place, e);
	}
	if (r < 0) {
		place_done(place);
	}
	return r < 0 ? r : 0;
}

void place_done(struct place *place)
{
	free(place->state);
	place->state = NULL;
	close_fd(&place->state_fd);
	close_fd(&place->run_fd);
	close_fd(&place->lock_fd);
}

int place_address(int dir_fd, const char *name, struct sockaddr_un *ret, struct err *e)
{
	int n;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path)) {
		return err_set(e, -ENAMETOOLONG, "socket '%s': the name is too long", name);
	}
	return 0;
}

int place_listen(int dir_fd, const char *name, int type, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;
	mode_t mask;
	int r = fd < 0 ? err_errno(e, "make a socket") : place_address(dir_fd, name, &at, e);

	if (r < 0) {
		return r;
	}
	(void)unlinkat(dir_fd, name, 0);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&at, sizeof(at));
	(void)umask(mask);
	if (r < 0 || listen(fd, 16) < 0) {
		return err_errno(e, "listen on '%s'", name);
	}
	return take_fd(&fd);
}
