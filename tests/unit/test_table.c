#include "tests/unit/unit.h"

#include "lib/buf.h"
#include "router/table.h"
#include "router/update.h"

static struct node *add(struct table *t, const char *name, const char *address, uint32_t weight)
{
	struct node *node = table_add(t, table_key(t, slice_of(name)), address);

	node->weight = weight;
	return node;
}

static const char *lookup(const struct table *t, const char *host)
{
	const struct key *key = table_lookup(t, slice_of(host));

	return key ? key->name : NULL;
}

static void picks_are(struct key *key, const char *want)
{
	for (; *want; want++) {
		struct node *node = table_pick(key);

		assert_non_null(node);
		assert_int_equal(node->address[0], *want);
	}
}

static void equal_weights_take_turns(void **state)
{
	struct table t = {};

	(void)state;
	add(&t, "k", "1", 1);
	add(&t, "k", "2", 1);
	add(&t, "k", "3", 1);
	picks_are(table_find(&t, SLICE("k")), "312312312");
	table_done(&t);
}

static void weights_count_as_in_uwsgi(void **state)
{
	struct table t = {};

	(void)state;
	add(&t, "k", "1", 1);
	add(&t, "k", "2", 2);
	add(&t, "k", "3", 4);
	picks_are(table_find(&t, SLICE("k")), "31223333122333");
	table_done(&t);
}

static void failed_nodes_are_passed_over(void **state)
{
	struct table t = {};
	struct node *one = add(&t, "k", "1", 1), *two = add(&t, "k", "2", 3);

	(void)state;
	two->failed = true;
	picks_are(one->key, "1111");
	one->failed = true;
	assert_null(table_pick(one->key));
	two->failed = false;
	picks_are(one->key, "222");
	table_done(&t);
}

static void a_host_finds_its_key(void **state)
{
	struct table t = {};

	(void)state;
	add(&t, "a.example", "x", 1);
	add(&t, "a.example:8080", "x", 1);
	add(&t, ".wild.example", "x", 1);
	add(&t, "[::1]", "x", 1);
	assert_string_equal(lookup(&t, "a.example"), "a.example");
	assert_string_equal(lookup(&t, "A.ExamPle"), "a.example");
	assert_string_equal(lookup(&t, "a.example:8080"), "a.example:8080");
	assert_string_equal(lookup(&t, "a.example:80"), "a.example");
	assert_string_equal(lookup(&t, "a.example."), "a.example");
	assert_string_equal(lookup(&t, "a.example.:80"), "a.example");
	assert_string_equal(lookup(&t, "[::1]:80"), "[::1]");
	assert_string_equal(lookup(&t, "b.wild.example:80"), ".wild.example");
	assert_string_equal(lookup(&t, "4.3.2.wild.example"), ".wild.example");
	assert_null(lookup(&t, "5.4.3.2.1.wild.example"));
	assert_null(lookup(&t, "wild.example"));
	assert_null(lookup(&t, "b.example"));
	assert_null(lookup(&t, ""));
	table_done(&t);
}

static void a_key_without_nodes_gives_way_to_a_suffix(void **state)
{
	struct table t = {};
	struct node *node = add(&t, "a.b.example", "x", 1);

	(void)state;
	table_remove(&t, node);
	assert_string_equal(lookup(&t, "a.b.example"), "a.b.example");
	add(&t, ".b.example", "y", 1);
	assert_string_equal(lookup(&t, "a.b.example"), ".b.example");
	table_done(&t);
}

static void a_node_in_use_outlives_its_removal(void **state)
{
	struct table t = {};
	struct node *node = node_ref(add(&t, "k", "x", 1));

	(void)state;
	table_forget(&t, node->key);
	assert_null(table_find(&t, SLICE("k")));
	assert_null(node->key);
	assert_string_equal(node->address, "x");
	node_unref(node);
	table_done(&t);
}

static void many_keys_are_found_again(void **state)
{
	struct table t = {};
	char name[32];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			(void)snprintf(name, sizeof(name), "k%d.example", i);
			assert_true((table_find(&t, slice_of(name)) != NULL) == (round == 1));
			if (round == 0) {
				add(&t, name, "x", 1);
			}
		}
	}
	assert_int_equal(t.n_nodes, 20000);
	table_done(&t);
	assert_int_equal(t.n_nodes, 0);
}

static void a_worker_follows_what_it_is_told(void **state)
{
	struct table parent = {}, worker = {};
	struct node *node = add(&parent, "a.example", "/containers/31001/run/x", 3);
	_cleanup_buf_ struct buf b = {};

	(void)state;
	node->modifier1 = 5;
	node->target = (struct target){.kind = TARGET_HOME, .uid = 31001, .path = node->address};
	update_write(UPDATE_UP, node, &b);
	assert_int_equal(update_apply(&worker, buf_slice(&b)), UPDATE_UP);
	assert_int_equal(update_apply(&worker, buf_slice(&b)), UPDATE_UP);
	assert_int_equal(worker.n_nodes, 1);
	node = table_pick(table_find(&worker, SLICE("a.example")));
	assert_string_equal(node->target.path, "/containers/31001/run/x");
	assert_int_equal(node->weight, 3);
	assert_int_equal(node->modifier1, 5);
	assert_int_equal(node->target.uid, 31001);
	/* told again, a failed node has another chance */
	node->failed = true;
	assert_int_equal(update_apply(&worker, buf_slice(&b)), UPDATE_UP);
	assert_false(node->failed);
	buf_clear(&b);
	update_write(UPDATE_DOWN, TAILQ_FIRST(&table_find(&parent, SLICE("a.example"))->nodes), &b);
	assert_int_equal(update_apply(&worker, buf_slice(&b)), UPDATE_DOWN);
	assert_int_equal(worker.n_nodes, 0);
	assert_non_null(table_find(&worker, SLICE("a.example")));
	buf_clear(&b);
	update_write_forget(SLICE("a.example"), &b);
	assert_int_equal(update_apply(&worker, buf_slice(&b)), UPDATE_FORGET);
	assert_null(table_find(&worker, SLICE("a.example")));
	assert_int_equal(update_apply(&worker, SLICE("short")), -EBADMSG);
	table_done(&worker);
	table_done(&parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_weights_take_turns),
		cmocka_unit_test(weights_count_as_in_uwsgi),
		cmocka_unit_test(failed_nodes_are_passed_over),
		cmocka_unit_test(a_host_finds_its_key),
		cmocka_unit_test(a_key_without_nodes_gives_way_to_a_suffix),
		cmocka_unit_test(a_node_in_use_outlives_its_removal),
		cmocka_unit_test(many_keys_are_found_again),
		cmocka_unit_test(a_worker_follows_what_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
