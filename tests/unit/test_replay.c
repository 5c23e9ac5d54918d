#include "tests/unit/unit.h"

#include "router/replay.h"

enum { T = 1000000 };

/* A node and its stamps, as the registrar keeps them. */
struct model {
	struct replay_stamps stamps;
	bool alive;
	bool listens; /* the vassal is there */
};

static bool subscribe(struct model *m, int64_t stamp, int64_t now)
{
	enum replay_verdict v = replay_judge_subscribe(&m->stamps, m->alive, stamp, now);

	if (!replay_in_time(stamp, now, 0) || v == REPLAY_REFUSE ||
		(v == REPLAY_AMBIGUOUS && !m->listens)) {
		return false;
	}
	m->alive = true;
	replay_note_subscribe(&m->stamps, stamp);
	return true;
}

static bool leave(struct model *m, int64_t stamp, int64_t now)
{
	if (!replay_in_time(stamp, now, 0) ||
		replay_judge_leave(&m->stamps, m->alive, stamp) != REPLAY_ACCEPT) {
		return false;
	}
	m->alive = false;
	replay_note_leave(&m->stamps, stamp);
	return true;
}

static void announcements_in_order_are_taken(void **state)
{
	struct model m = {.listens = true};

	(void)state;
	for (int64_t t = T; t < T + 100; t += 10) {
		assert_true(subscribe(&m, t, t));
	}
}

static void several_in_one_second_do_no_harm(void **state)
{
	struct model m = {.listens = true};

	(void)state;
	assert_true(subscribe(&m, T, T));
	assert_int_equal(replay_judge_subscribe(&m.stamps, true, T, T), REPLAY_DUPLICATE);
	assert_true(subscribe(&m, T, T));
	assert_true(m.alive);
}

static void an_old_one_is_refused_alive_and_gone(void **state)
{
	struct model m = {.listens = true};

	(void)state;
	assert_true(subscribe(&m, T, T));
	assert_true(subscribe(&m, T + 10, T + 10));
	assert_false(subscribe(&m, T, T + 11));
	assert_true(leave(&m, T + 21, T + 20));
	for (int64_t now = T + 20; now < T + 75; now++) {
		assert_false(subscribe(&m, T, now));
		assert_false(now > T + 11 && subscribe(&m, T + 10, now));
		/* the unsubscribe, flipped */
		m.listens = false;
		assert_false(subscribe(&m, T + 21, now));
		assert_false(subscribe(&m, T + 10, now));
	}
}

static void a_subscribe_flipped_is_no_unsubscribe(void **state)
{
	struct model m = {.listens = true};

	(void)state;
	assert_true(subscribe(&m, T, T));
	assert_false(leave(&m, T, T));
	assert_true(subscribe(&m, T + 10, T + 10));
	assert_false(leave(&m, T, T + 10));
	assert_false(leave(&m, T + 10, T + 10));
	assert_true(m.alive);
}

static void an_unsubscribe_counts_once(void **state)
{
	struct model m = {.listens = true};

	(void)state;
	assert_true(subscribe(&m, T, T));
	assert_true(leave(&m, T + 3, T + 2));
	assert_true(subscribe(&m, T + 2, T + 2)); /* back in the same second */
	assert_false(leave(&m, T + 3, T + 2));	  /* the replay */
	assert_true(m.alive);
	assert_true(leave(&m, T + 4, T + 3));
}

static void a_vassal_restarted_at_any_time_is_back_at_once(void **state)
{
	(void)state;
	/* announced at T, stopped after `stop` seconds, started after `start` more */
	for (int64_t stop = 0; stop < 4; stop++) {
		for (int64_t start = 0; start < 4; start++) {
			struct model m = {.listens = true};

			assert_true(subscribe(&m, T, T));
			assert_true(leave(&m, T + stop + 1, T + stop));
			assert_true(subscribe(&m, T + stop + start, T + stop + start));
			assert_true(m.alive);
		}
	}
}

static void replays_within_the_second_need_a_vassal_that_listens(void **state)
{
	struct model m = {.listens = true};

	(void)state;
	assert_true(subscribe(&m, T, T));
	assert_true(leave(&m, T + 1, T));
	m.listens = false;
	assert_false(subscribe(&m, T, T));	   /* the subscribe again */
	assert_false(subscribe(&m, T + 1, T + 1)); /* the unsubscribe flipped */
	m.listens = true;
	assert_false(subscribe(&m, T, T + 2)); /* its second is over */
	assert_false(subscribe(&m, T + 1, T + 3));
	assert_false(subscribe(&m, T + 1, T)); /* before its second */
}

static void stamps_are_of_now(void **state)
{
	(void)state;
	assert_true(replay_in_time(T - 60, T, 0));
	assert_true(replay_in_time(T + 60, T, 0));
	assert_false(replay_in_time(T - 61, T, 0));
	assert_false(replay_in_time(T + 61, T, 0));
	assert_false(replay_in_time(0, T, 0));
	assert_false(replay_in_time(INT64_MAX, T, 0));
	assert_true(replay_in_time(T, T, T));
	assert_false(replay_in_time(T - 1, T, T)); /* from before the router's start */
}

static void stamps_are_kept_as_long_as_a_replay_could_pass(void **state)
{
	(void)state;
	for (int64_t last = T - 60; last <= T + 60; last++) {
		struct replay_stamps s = {.subscribe = last - 1, .leave = last};

		for (int64_t now = T; now < T + 200; now++) {
			assert_false(replay_may_forget(&s, now) && replay_in_time(last, now, 0));
		}
		assert_true(replay_may_forget(&s, T + 200));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announcements_in_order_are_taken),
		cmocka_unit_test(several_in_one_second_do_no_harm),
		cmocka_unit_test(an_old_one_is_refused_alive_and_gone),
		cmocka_unit_test(a_subscribe_flipped_is_no_unsubscribe),
		cmocka_unit_test(an_unsubscribe_counts_once),
		cmocka_unit_test(a_vassal_restarted_at_any_time_is_back_at_once),
		cmocka_unit_test(replays_within_the_second_need_a_vassal_that_listens),
		cmocka_unit_test(stamps_are_of_now),
		cmocka_unit_test(stamps_are_kept_as_long_as_a_replay_could_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
