/*
 * fief-systemd UNIT SLICE [PROPERTY=NUMBER...]: asks systemd for a delegated transient scope with this
 * process in it, says on descriptor 0 (sync.h) how that went, and stays until the other end closes.
 *
 * Run by fief alone, as root, with --systemd-cgroup. The only user of libsystemd.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"
#include "runtime/sync.h"

enum { DEADLINE_USEC = 30'000'000 };

struct job {
	const char *path; /* of the job that is waited for; NULL: not known yet */
	char result[64];  /* "done", "failed", ...; empty while it runs */
};

static int on_job_removed(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
	struct job *job = ctx;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) >= 0 && job->path &&
		strcmp(path, job->path) == 0) {
		(void)stpncpy(job->result, result, sizeof(job->result) - 1);
	}
	return 0;
}

static int put_property(sd_bus_message *m, const char *text)
{
	const char *equals = strchr(text, '=');
	char name[64];

	if (!equals || (size_t)(equals - text) >= sizeof(name)) {
		return -EINVAL;
	}
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	return sd_bus_message_append(
		m, "(sv)", name, "t", (uint64_t)strtoull(equals + 1, NULL, 10));
}

static int fill(sd_bus_message *m, char **argv)
{
	int r = sd_bus_message_append(m, "ss", argv[0], "replace");

	if (r >= 0) {
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	}
	if (r >= 0) {
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
			"container of fief", "Slice", "s", argv[1], "Delegate", "b", 1,
			"DefaultDependencies", "b", 0, "CollectMode", "s", "inactive-or-failed",
			"PIDs", "au", 1, (uint32_t)getpid());
	}
	for (char **p = argv + 2; *p && r >= 0; p++) {
		r = put_property(m, *p);
	}
	if (r >= 0) {
		r = sd_bus_message_close_container(m);
	}
	return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static uint64_t now_usec(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1'000'000 + (uint64_t)ts.tv_nsec / 1000;
}

static int wait_job(sd_bus *bus, struct job *job, struct err *e)
{
	uint64_t end = now_usec() + DEADLINE_USEC;

	while (!job->result[0]) {
		int r = sd_bus_process(bus, NULL);

		if (r < 0) {
			return err_code(e, r, "bus");
		}
		if (now_usec() > end) {
			return err_set(e, -ETIMEDOUT, "systemd does not answer within %d seconds",
				DEADLINE_USEC / 1'000'000);
		}
		if (r == 0) {
			(void)sd_bus_wait(bus, end - now_usec());
		}
	}
	return strcmp(job->result, "done") == 0
		       ? 0
		       : err_set(e, -ECANCELED, "systemd's job: %s", job->result);
}

static int call(sd_bus *bus, sd_bus_message *m, struct err *e)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	struct job job = {};
	int r = sd_bus_match_signal(bus, NULL, "org.freedesktop.systemd1",
		"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved",
		on_job_removed, &job);

	if (r >= 0) {
		r = sd_bus_call(bus, m, DEADLINE_USEC, &error, &reply);
	}
	if (r >= 0) {
		r = sd_bus_message_read(reply, "o", &job.path);
	}
	if (r < 0) {
		r = err_set(e, r, "%s", error.message ? error.message : err_text(-r));
	} else {
		r = wait_job(bus, &job, e);
	}
	sd_bus_error_free(&error);
	(void)sd_bus_message_unref(reply);
	return r;
}

static int start(char **argv, struct err *e)
{
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0) {
		return err_code(e, r, "reach systemd over the system bus");
	}
	r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.systemd1",
		"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
		"StartTransientUnit");
	if (r >= 0) {
		r = fill(m, argv);
	}
	r = r < 0 ? err_code(e, r, "make the request to systemd") : call(bus, m, e);
	(void)sd_bus_message_unref(m);
	(void)sd_bus_flush_close_unref(bus);
	return r;
}

static const struct cli_option options[] = {{}};

static const struct cli cli = {
	.usage = "fief-systemd UNIT SLICE [PROPERTY=NUMBER...]",
	.about = "Run by fief with --systemd-cgroup: makes a scope and stays in it until fief lets "
		 "go.",
	.options = options,
	.stop_at_operand = true,
};

int main(int argc, char **argv)
{
	struct err e = {};
	char byte;
	int at;

	log_set_name("fief-systemd");
	at = cli_parse(&cli, argc, argv, NULL, &e);
	if (at >= 0 && argc - at < 2) {
		at = err_set(&e, -EINVAL, "unit and slice are missing");
	}
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	if (start(argv + at, &e) < 0) {
		sync_send_failure(STDIN_FILENO, &e);
		return 1;
	}
	(void)sync_send(STDIN_FILENO, SYNC_READY, 0);
	(void)!recv(STDIN_FILENO, &byte, 1, 0); /* until fief closes its end */
	return 0;
}
