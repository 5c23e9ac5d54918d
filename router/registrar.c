/*
 * Nodes wait in one of two lists, oldest first: `alive` until they have been silent for the
 * tolerance, `gone` until their stamps may be forgotten. One timer stands at the nearer of the two
 * heads. A key is forgotten with its last node; until then workers answer 503, not 404.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "router/keys.h"
#include "router/registrar.h"
#include "router/subscription.h"
#include "router/update.h"

/* Until the stamps of a node that is gone are looked at: nothing older passes the time check. */
#define FORGET_AFTER ((REPLAY_TOLERANCE + 2) * USEC_PER_SEC)

/* An announcement on its way through the checks. */
struct claim {
	struct subscription sub;
	const struct sender *sender; /* borrowed */
	struct target target;	     /* path points to address */
	struct key *key;	     /* NULL: not known yet */
	struct node *node;	     /* NULL: not known yet */
	int64_t now;
	uint8_t digest;
	enum replay_verdict verdict;
	char address[SUBSCRIPTION_ADDRESS_MAX + 1];
};

static const struct {
	const char *name;
	bool refusal;
} outcomes[OUTCOME_MAX] = {
	[OUTCOME_NEW] = {"new", false},
	[OUTCOME_REFRESH] = {"refresh", false},
	[OUTCOME_DUPLICATE] = {"duplicate", false},
	[OUTCOME_LEAVE] = {"leave", false},
	[OUTCOME_MALFORMED] = {"malformed", true},
	[OUTCOME_ADDRESS] = {"address", true},
	[OUTCOME_UNSIGNED] = {"unsigned", true},
	[OUTCOME_NO_KEY] = {"no-key", true},
	[OUTCOME_OWNER] = {"owner", true},
	[OUTCOME_TIME] = {"time", true},
	[OUTCOME_REPLAY] = {"replay", true},
	[OUTCOME_FLOOD] = {"flood", true},
	[OUTCOME_SIGNATURE] = {"signature", true},
	[OUTCOME_FULL] = {"full", true},
};

const char *outcome_name(enum outcome o)
{
	return outcomes[o].name;
}

bool outcome_is_refusal(enum outcome o)
{
	return outcomes[o].refusal;
}

static void publish(struct registrar *r, enum update_type type, const struct node *node)
{
	_cleanup_buf_ struct buf packet = {};

	update_write(type, node, &packet);
	if (!buf_failed(&packet)) {
		r->publish(r, buf_slice(&packet));
	}
}

static void arm(struct registrar *r)
{
	const struct node *alive = TAILQ_FIRST(&r->alive), *gone = TAILQ_FIRST(&r->gone);
	uint64_t due = UINT64_MAX, now = loop_now(r->loop);

	if (alive) {
		due = alive->reg.seen + r->tolerance;
	}
	if (gone && gone->reg.seen + FORGET_AFTER < due) {
		due = gone->reg.seen + FORGET_AFTER;
	}
	if (due == UINT64_MAX) {
		loop_timer_clear(r->loop, &r->timer);
		return;
	}
	(void)loop_timer_set(r->loop, &r->timer, due > now ? due - now : 0);
}

/* Puts the node at the end of the list of its state. */
static void set_state(struct registrar *r, struct node *node, bool alive)
{
	TAILQ_REMOVE(node->reg.alive ? &r->alive : &r->gone, node, reg.age);
	node->reg.alive = alive;
	node->reg.seen = loop_now(r->loop);
	TAILQ_INSERT_TAIL(alive ? &r->alive : &r->gone, node, reg.age);
}

static void forget(struct registrar *r, struct node *node)
{
	struct key *key = node->key;
	struct quota *quota = quota_of(&r->quotas, node->reg.counted);

	if (quota) {
		quota->nodes--;
	}
	TAILQ_REMOVE(&r->gone, node, reg.age);
	table_remove(&r->table, node);
	if (key->n_nodes == 0) {
		_cleanup_buf_ struct buf packet = {};

		update_write_forget(key->link.key, &packet);
		r->publish(r, buf_slice(&packet));
		table_forget(&r->table, key);
	}
}

static void on_timer(struct loop_timer *timer)
{
	struct registrar *r = loop_owner(timer, struct registrar, timer);
	uint64_t now = loop_now(r->loop);
	int64_t wall = (int64_t)time(NULL);
	struct node *node;

	while ((node = TAILQ_FIRST(&r->alive)) && node->reg.seen + r->tolerance <= now) {
		set_state(r, node, false);
		publish(r, UPDATE_DOWN, node);
		r->silent++;
		if (limit_allow(&r->news, now)) {
			log_info("key='%s' node='%s' gone by silence", node->key->name,
				node->address);
		}
	}
	while ((node = TAILQ_FIRST(&r->gone)) && node->reg.seen + FORGET_AFTER <= now) {
		if (replay_may_forget(&node->reg.stamps, wall)) {
			forget(r, node);
		} else {
			set_state(r, node, false); /* a sender whose clock is ahead: later */
		}
	}
	arm(r);
}

void registrar_init(struct registrar *r)
{
	TAILQ_INIT(&r->alive);
	TAILQ_INIT(&r->gone);
	r->timer.on_expire = on_timer;
}

void registrar_done(struct registrar *r)
{
	if (r->loop) {
		loop_timer_clear(r->loop, &r->timer);
	}
	table_done(&r->table);
	quotas_done(&r->quotas);
}

/* Whether a socket listens at the address now; asked of homes alone, where connecting is one
 * immediate step. */
static bool listens(const struct registrar *r, const struct claim *c)
{
	bool pending;
	int fd;

	if (c->target.kind != TARGET_HOME) {
		return false;
	}
	fd = target_connect(&c->target, r->containers, &pending);
	if (fd < 0) {
		return fd == -EAGAIN;
	}
	close_fd(&fd);
	return true;
}

static int judge_replay(const struct registrar *r, struct claim *c, struct err *e)
{
	static const struct replay_stamps none;
	const struct replay_stamps *stamps = c->node ? &c->node->reg.stamps : &none;
	bool alive = c->node && c->node->reg.alive;

	if (!replay_in_time(c->sub.stamp, c->now, r->started)) {
		return err_set(e, -ETIME, "stamp %lld is not of now (%lld)",
			(long long)c->sub.stamp, (long long)c->now);
	}
	c->verdict = c->sub.leave ? replay_judge_leave(stamps, alive, c->sub.stamp)
				  : replay_judge_subscribe(stamps, alive, c->sub.stamp, c->now);
	if (c->verdict == REPLAY_REFUSE) {
		return err_set(e, -EALREADY, "stamp %lld: a replayed packet, or no such node",
			(long long)c->sub.stamp);
	}
	return 0;
}

/* The checks that need a key. */
static enum outcome authenticate(struct registrar *r, struct claim *c, struct err *e)
{
	struct quota *quota = quota_of(&r->quotas, c->sender->uid);
	uint64_t now = loop_now(r->loop);
	struct key_file *file;
	int code;

	if (c->sub.signature.n == 0 || !c->sub.has_stamp) {
		(void)err_set(e, -EACCES, "not signed");
		return OUTCOME_UNSIGNED;
	}
	code = judge_replay(r, c, e);
	if (code < 0) {
		return code == -ETIME ? OUTCOME_TIME : OUTCOME_REPLAY;
	}
	if (keys_get(r->keys, c->sub.key, &file, e) < 0) {
		return OUTCOME_NO_KEY;
	}
	if (keys_allow(file, c->sender, e) < 0) {
		return OUTCOME_OWNER;
	}
	if (quota && quota_failed_often(quota, now)) {
		(void)err_set(e, -EBUSY, "too many bad signatures");
		return OUTCOME_FLOOD;
	}
	c->digest = c->node ? c->node->reg.digest : 0;
	if (keys_verify(file, c->sub.signed_bytes, c->sub.signature, &c->digest) < 0) {
		if (quota) {
			quota_note_failure(quota, now);
		}
		(void)err_set(e, -EACCES, "the signature does not fit the key");
		return OUTCOME_SIGNATURE;
	}
	if (c->verdict == REPLAY_AMBIGUOUS && !listens(r, c)) {
		(void)err_set(e, -EALREADY, "stamp %lld: a replayed packet, and nobody listens",
			(long long)c->sub.stamp);
		return OUTCOME_REPLAY;
	}
	return OUTCOME_NEW;
}

static enum outcome judge(
	struct registrar *r, struct claim *c, struct slice datagram, struct err *e)
{
	if (subscription_parse(datagram, &c->sub, e) < 0) {
		return OUTCOME_MALFORMED;
	}
	memcpy(c->address, c->sub.address.p, c->sub.address.n);
	c->address[c->sub.address.n] = '\0';
	if (target_of(c->sender, c->address, &c->target, e) < 0) {
		return OUTCOME_ADDRESS;
	}
	c->key = table_find(&r->table, slice_of(c->sub.key));
	c->node = c->key ? table_node(c->key, c->address) : NULL;
	if (!r->keys && !r->take_unsigned) {
		(void)err_set(e, -EACCES, "neither --keys nor --unsigned is given");
		return OUTCOME_UNSIGNED;
	}
	return r->keys ? authenticate(r, c, e) : OUTCOME_NEW;
}

/* The node of the claim, made when it is missing. */
static struct node *claimed_node(struct registrar *r, struct claim *c)
{
	struct quota *quota = quota_of(&r->quotas, c->sender->uid);
	struct node *node;

	if (c->node) {
		return c->node;
	}
	if ((quota && quota->nodes >= QUOTA_NODES) || r->table.n_nodes >= REGISTRAR_NODES_MAX ||
		(c->key && c->key->n_nodes >= REGISTRAR_NODES_PER_KEY)) {
		return NULL;
	}
	if (!c->key) {
		c->key = table_key(&r->table, slice_of(c->sub.key));
	}
	node = c->key ? table_add(&r->table, c->key, c->address) : NULL;
	if (node) {
		TAILQ_INSERT_TAIL(&r->gone, node, reg.age); /* until it is taken in */
		node->reg.seen = loop_now(r->loop);
		node->reg.counted = c->sender->uid;
		if (quota) {
			quota->nodes++;
		}
	} else if (c->key && c->key->n_nodes == 0) {
		table_forget(&r->table, c->key);
	}
	return node;
}

static enum outcome take_in(struct registrar *r, struct claim *c, struct err *e)
{
	struct node *node = claimed_node(r, c);
	bool was_alive = node && node->reg.alive;

	if (!node) {
		(void)err_set(e, -ENOSPC, "too many nodes");
		return OUTCOME_FULL;
	}
	if (was_alive && c->verdict == REPLAY_DUPLICATE) {
		/* no news, but a worker that failed to reach the node may try again */
		publish(r, UPDATE_UP, node);
		return OUTCOME_DUPLICATE;
	}
	set_state(r, node, true);
	node->target = c->target;
	node->target.path = node->address;
	node->modifier1 = c->sub.modifier1;
	node->modifier2 = c->sub.modifier2;
	node->weight = c->sub.weight;
	node->reg.cores = c->sub.cores;
	node->reg.load = c->sub.load;
	node->reg.digest = c->digest;
	node->reg.uid = c->sender->uid;
	node->reg.pid = c->sender->pid;
	node->reg.seen_wall = c->now;
	if (r->keys) {
		replay_note_subscribe(&node->reg.stamps, c->sub.stamp);
	}
	publish(r, UPDATE_UP, node);
	return was_alive ? OUTCOME_REFRESH : OUTCOME_NEW;
}

static enum outcome take_out(struct registrar *r, struct claim *c, struct err *e)
{
	if (!c->node || !c->node->reg.alive) {
		(void)err_set(e, -ENOENT, "no such node");
		return OUTCOME_REPLAY;
	}
	if (r->keys) {
		replay_note_leave(&c->node->reg.stamps, c->sub.stamp);
	}
	set_state(r, c->node, false);
	publish(r, UPDATE_DOWN, c->node);
	return OUTCOME_LEAVE;
}

static void log_outcome(
	struct registrar *r, const struct claim *c, enum outcome o, const struct err *e)
{
	struct limit *limit = outcome_is_refusal(o) ? &r->log : &r->news;
	char from[ADDR_TEXT_MAX] = "";

	if (o == OUTCOME_REFRESH || o == OUTCOME_DUPLICATE ||
		!limit_allow(limit, loop_now(r->loop))) {
		return;
	}
	if (!c->sender->local) {
		addr_text(&c->sender->addr, from);
	}
	if (!outcome_is_refusal(o)) {
		log_info("key='%s' node='%s' uid=%u from='%s' %s", c->sub.key, c->address,
			c->sender->uid, from, o == OUTCOME_NEW ? "subscribed" : "unsubscribed");
		return;
	}
	log_warning("key='%s' node='%s' uid=%u from='%s' %s refused (%s): %s", c->sub.key,
		c->address, c->sender->uid, from, c->sub.leave ? "unsubscribe" : "subscribe",
		outcome_name(o), e->msg);
}

enum outcome registrar_receive(
	struct registrar *r, const struct sender *sender, struct slice datagram)
{
	struct claim c = {.sender = sender, .now = (int64_t)time(NULL)};
	struct err e = {};
	enum outcome o = judge(r, &c, datagram, &e);

	if (!outcome_is_refusal(o)) {
		o = c.sub.leave ? take_out(r, &c, &e) : take_in(r, &c, &e);
		arm(r);
	}
	r->counts[o]++;
	log_outcome(r, &c, o, &e);
	return o;
}
