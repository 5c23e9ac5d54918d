/*
 * What is taken as a subscription has sound parts, all inside the datagram, and the signed bytes are
 * the block up to `sign`.
 */
#include <string.h>

#include "lib/uwsgi.h"
#include "router/subscription.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = {(const char *)data, size};
	struct subscription s;

	if (subscription_parse(in, &s, NULL) < 0) {
		return 0;
	}
	MUST(size >= UWSGI_HEADER_SIZE && data[0] == UWSGI_MOD_SUBSCRIPTION && data[3] <= 1);
	MUST(s.leave == (data[3] == 1));
	MUST(subscription_key_is_sound(slice_of(s.key)));
	MUST(s.address.n > 0 && s.address.n <= SUBSCRIPTION_ADDRESS_MAX);
	MUST(!memchr(s.address.p, '\0', s.address.n));
	MUST(s.address.p > in.p && s.address.p + s.address.n <= in.p + in.n);
	MUST(s.weight >= 1 && s.weight <= SUBSCRIPTION_WEIGHT_MAX);
	if (s.signature.n) {
		MUST(s.signed_bytes.p == in.p + UWSGI_HEADER_SIZE);
		MUST(s.signed_bytes.n + 2 + 4 + 2 + s.signature.n + UWSGI_HEADER_SIZE == size);
		MUST(s.signature.p + s.signature.n == in.p + in.n);
	}
	return 0;
}
