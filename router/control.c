#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "router/control.h"
#include "router/registrar.h"
#include "router/workers.h"

enum { CLIENTS_MAX = 8, DOCUMENT_MAX = 256 << 20 };
#define CLIENT_TIMEOUT (5 * USEC_PER_SEC)

struct client {
	struct loop_io io; /* owns its fd */
	struct loop_timer timer;
	struct control *control;
	struct buf out;
};

static void write_node(struct json_out *o, const struct node *node)
{
	json_out_object(o, NULL);
	json_out_str(o, "name", node->address);
	json_out_bool(o, "alive", node->reg.alive);
	json_out_u64(o, "modifier1", node->modifier1);
	json_out_u64(o, "modifier2", node->modifier2);
	json_out_i64(o, "last_check", node->reg.seen_wall);
	json_out_i64(o, "pid", node->reg.pid);
	json_out_i64(o, "uid", node->reg.uid == (uid_t)-1 ? -1 : (int64_t)node->reg.uid);
	json_out_u64(o, "cores", node->reg.cores);
	json_out_u64(o, "load", node->reg.load);
	json_out_u64(o, "weight", node->weight);
	json_out_object_end(o);
}

static void write_keys(struct json_out *o, const struct table *t)
{
	json_out_array(o, "subscriptions");
	for (size_t i = 0; i < t->keys.n_buckets; i++) {
		for (struct map_link *link = t->keys.buckets[i]; link; link = link->next) {
			const struct key *key = loop_owner(link, struct key, link);
			const struct node *node;

			json_out_object(o, NULL);
			json_out_str(o, "key", key->name);
			json_out_array(o, "nodes");
			TAILQ_FOREACH(node, &key->nodes, link)
			{
				write_node(o, node);
			}
			json_out_array_end(o);
			json_out_object_end(o);
		}
	}
	json_out_array_end(o);
}

static void write_counts(struct json_out *o, const struct registrar *r)
{
	for (int refusal = 0; refusal < 2; refusal++) {
		json_out_object(o, refusal ? "refused" : "accepted");
		for (enum outcome i = 0; i < OUTCOME_MAX; i++) {
			if (outcome_is_refusal(i) == (refusal == 1)) {
				json_out_u64(o, outcome_name(i), r->counts[i]);
			}
		}
		json_out_object_end(o);
	}
	json_out_u64(o, "silent", r->silent);
}

void control_write(const struct control *c, struct buf *to)
{
	struct json_out o = {.to = to, .indent = true};

	json_out_object(&o, NULL);
	json_out_str(&o, "version", FIEF_VERSION);
	json_out_i64(&o, "pid", getpid());
	json_out_u64(&o, "uid", getuid());
	json_out_u64(&o, "gid", getgid());
	json_out_array(&o, "workers");
	for (size_t i = 0; i < c->workers->n; i++) {
		json_out_object(&o, NULL);
		json_out_u64(&o, "id", i);
		json_out_i64(&o, "pid", c->workers->slots[i].pid);
		json_out_u64(&o, "restarts", c->workers->slots[i].restarts);
		json_out_object_end(&o);
	}
	json_out_array_end(&o);
	write_counts(&o, c->registrar);
	write_keys(&o, &c->registrar->table);
	json_out_object_end(&o);
	buf_put_u8(to, '\n');
}

static void client_free(struct client *client)
{
	loop_unwatch(client->control->loop, &client->io);
	loop_timer_clear(client->control->loop, &client->timer);
	close_fd(&client->io.fd);
	buf_done(&client->out);
	client->control->clients--;
	free(client);
}

static void on_client(struct loop_io *io, uint32_t epoll_events)
{
	struct client *client = loop_owner(io, struct client, io);
	ssize_t n = send(io->fd, client->out.p, client->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN && !(epoll_events & (EPOLLHUP | EPOLLERR))) {
		return;
	}
	if (n > 0) {
		buf_drop(&client->out, (size_t)n);
	}
	if (n < 0 || client->out.n == 0) {
		client_free(client);
	}
}

static void on_timeout(struct loop_timer *timer)
{
	client_free(loop_owner(timer, struct client, timer));
}

static void on_connect(struct loop_io *io, uint32_t epoll_events)
{
	struct control *c = loop_owner(io, struct control, io);
	_cleanup_close_ int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	(void)epoll_events;
	if (fd < 0 || c->clients == CLIENTS_MAX || !(client = calloc(1, sizeof(*client)))) {
		return;
	}
	c->clients++;
	client->control = c;
	client->io = (struct loop_io){.fd = take_fd(&fd), .on_ready = on_client};
	client->timer.on_expire = on_timeout;
	client->out.limit = DOCUMENT_MAX;
	control_write(c, &client->out);
	if (buf_failed(&client->out) || loop_watch(c->loop, &client->io, EPOLLOUT, NULL) < 0 ||
		loop_timer_set(c->loop, &client->timer, CLIENT_TIMEOUT) < 0) {
		client_free(client);
	}
}

int control_open(struct control *c, const char *path, struct err *e)
{
	int fd = listen_unix(path, SOCK_STREAM, 0600, &c->file, e);

	c->io = (struct loop_io){.fd = fd < 0 ? -1 : fd, .on_ready = on_connect};
	return fd < 0 ? fd : 0;
}

int control_start(struct control *c, struct err *e)
{
	return c->io.fd < 0 ? 0 : loop_watch(c->loop, &c->io, EPOLLIN, e);
}

void control_done(struct control *c)
{
	if (c->loop) {
		loop_unwatch(c->loop, &c->io);
	}
	close_fd(&c->io.fd);
	socket_file_remove(&c->file);
}

void control_close(struct control *c)
{
	close_fd(&c->io.fd);
}
