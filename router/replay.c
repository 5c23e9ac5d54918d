#include "router/replay.h"

bool replay_in_time(int64_t stamp, int64_t now, int64_t started)
{
	return stamp >= started && stamp >= now - REPLAY_TOLERANCE &&
	       stamp <= now + REPLAY_TOLERANCE;
}

enum replay_verdict replay_judge_subscribe(
	const struct replay_stamps *s, bool alive, int64_t stamp, int64_t now)
{
	if (stamp < s->subscribe) {
		return REPLAY_REFUSE;
	}
	if (alive) {
		return stamp == s->subscribe ? REPLAY_DUPLICATE : REPLAY_ACCEPT;
	}
	if (stamp != s->subscribe && stamp != s->leave) {
		return REPLAY_ACCEPT;
	}
	return now >= stamp && now <= stamp + 1 ? REPLAY_AMBIGUOUS : REPLAY_REFUSE;
}

enum replay_verdict replay_judge_leave(const struct replay_stamps *s, bool alive, int64_t stamp)
{
	return alive && stamp > s->subscribe && stamp > s->leave ? REPLAY_ACCEPT : REPLAY_REFUSE;
}

void replay_note_subscribe(struct replay_stamps *s, int64_t stamp)
{
	s->subscribe = stamp > s->subscribe ? stamp : s->subscribe;
}

void replay_note_leave(struct replay_stamps *s, int64_t stamp)
{
	s->leave = stamp > s->leave ? stamp : s->leave;
}

bool replay_may_forget(const struct replay_stamps *s, int64_t now)
{
	int64_t last = s->leave > s->subscribe ? s->leave : s->subscribe;

	return now > last + REPLAY_TOLERANCE;
}
