/*
 * Which signed announcements are news and which are echoes: the rule on stamps. Pure.
 *
 * Facts (watched on Debian's uWSGI 2.0.21). A vassal signs its variables with the second of sending:
 * at start, at its first cycle about a second later, then every ten. A reload (SIGHUP, a touched
 * file under an Emperor) sends no unsubscribe, only the announcements of the new master, maybe
 * several in a second. A stop sends an unsubscribe whose stamp is the second AFTER the current one.
 * The header is not signed, so a subscribe and an unsubscribe of one stamp are the same bytes but
 * for byte 3, and each can be flipped into the other; RSA signatures (PKCS #1) are deterministic, so
 * two announcements of one second may be the same bytes altogether.
 *
 * Per (key, address), L is the highest subscribe stamp accepted, V the highest unsubscribe stamp.
 *
 *	subscribe s, node alive	s > L			accept, L = s
 *				s = L			duplicate: nothing changes
 *				s < L			refuse
 *	subscribe s, node gone	s > L, s != V		accept, L = s
 *				s = L or s = V		ambiguous within a second of s, else refuse
 *				s < L			refuse
 *	unsubscribe u		alive, u > L, u > V	accept, V = u; L stays
 *				otherwise		refuse
 *	both			|stamp - now| > 60 s, or stamp before the router's start: refuse
 *
 * Ambiguous: a vassal stopped and started again within the second sends just the bytes that a
 * replay would have (s = L), or those of its own unsubscribe flipped (s = V, in the next second).
 * No rule on stamps can tell them apart. The caller asks the socket: the announcement is accepted
 * when a socket of the sender's own home listens at the address now, i.e. when the vassal is there.
 *
 * Why it holds. (1) A replayed subscribe has s <= L: alive it changes nothing, gone it is refused,
 * or, for one second, accepted only if a vassal of that customer really listens at that address.
 * (2) A subscribe flipped into an unsubscribe has u <= L: refused. (3) A replayed unsubscribe has
 * u <= V: refused, also after the vassal is back with L = u - 1. (4) An unsubscribe flipped into a
 * subscribe has s = V: gone as in (1); alive, L < V, it is one refresh of a node that is there.
 * (5) A genuine subscribe has s >= L, since L was sent earlier by the same clock: s > L is accepted
 * at once, also right after an unsubscribe, for V does not count towards L; s = L alive is no news.
 *
 * Accepted residue: over TCP addresses nobody asks the socket, ambiguous is refused, and a vassal
 * that stops and starts within a second is back with its next announcement, one second later (ten,
 * if that one carries V as well). A second unsubscribe in one second is refused; the node then
 * goes by its first failed connection. Who can hold packets back on the wire can deliver them up to
 * 60 s late. Stamps are forgotten when no packet that they refuse could pass the 60 s check.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { REPLAY_TOLERANCE = 60 }; /* seconds */

struct replay_stamps {
	int64_t subscribe; /* L; 0: none */
	int64_t leave;	   /* V; 0: none */
};

enum replay_verdict { REPLAY_ACCEPT, REPLAY_DUPLICATE, REPLAY_AMBIGUOUS, REPLAY_REFUSE };

/* Both clocks are seconds since the epoch; `started` is when the router began to listen. */
bool replay_in_time(int64_t stamp, int64_t now, int64_t started);

enum replay_verdict replay_judge_subscribe(
	const struct replay_stamps *s, bool alive, int64_t stamp, int64_t now);
enum replay_verdict replay_judge_leave(const struct replay_stamps *s, bool alive, int64_t stamp);

/* After all other checks have passed. */
void replay_note_subscribe(struct replay_stamps *s, int64_t stamp);
void replay_note_leave(struct replay_stamps *s, int64_t stamp);

/* Whether the stamps of a node that is gone may be forgotten. */
bool replay_may_forget(const struct replay_stamps *s, int64_t now);
