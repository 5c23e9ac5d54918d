#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/uwsgi.h"
#include "router/subscription.h"

struct parse {
	struct subscription *sub; /* borrowed */
	bool saw_key;
	size_t n;
	struct slice names[SUBSCRIPTION_VARS_MAX];
};

bool subscription_key_is_sound(struct slice key)
{
	if (key.n == 0 || key.n > SUBSCRIPTION_KEY_MAX) {
		return false;
	}
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
			(!c || !strchr(".-_:[]", c))) {
			return false;
		}
	}
	return true;
}

static bool number(struct slice s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 18) {
		return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') {
			return false;
		}
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v;
	return v <= max;
}

static bool on_key(struct parse *p, struct slice v)
{
	if (!subscription_key_is_sound(v)) {
		return false;
	}
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];

		p->sub->key[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	p->sub->key[v.n] = '\0';
	p->saw_key = true;
	return true;
}

static bool on_address(struct parse *p, struct slice v)
{
	if (v.n == 0 || v.n > SUBSCRIPTION_ADDRESS_MAX) {
		return false;
	}
	for (size_t i = 0; i < v.n; i++) {
		/* nothing that could end the quotes of a log line, or be no text in JSON */
		if (v.p[i] < 0x20 || v.p[i] >= 0x7f || v.p[i] == '\'') {
			return false;
		}
	}
	p->sub->address = v;
	return true;
}

static bool on_modifier1(struct parse *p, struct slice v)
{
	uint64_t n = 0;
	bool ok = number(v, UINT8_MAX, &n);

	p->sub->modifier1 = (uint8_t)n;
	return ok;
}

static bool on_modifier2(struct parse *p, struct slice v)
{
	uint64_t n = 0;
	bool ok = number(v, UINT8_MAX, &n);

	p->sub->modifier2 = (uint8_t)n;
	return ok;
}

static bool on_weight(struct parse *p, struct slice v)
{
	uint64_t n = 0;
	bool ok = number(v, UINT64_MAX, &n);

	/* a vassal without a weight of its own sends 0 */
	n = n ? n : 1;
	p->sub->weight = n > SUBSCRIPTION_WEIGHT_MAX ? SUBSCRIPTION_WEIGHT_MAX : (uint32_t)n;
	return ok;
}

static bool on_cores(struct parse *p, struct slice v)
{
	return number(v, UINT64_MAX, &p->sub->cores);
}

static bool on_load(struct parse *p, struct slice v)
{
	return number(v, UINT64_MAX, &p->sub->load);
}

static bool on_stamp(struct parse *p, struct slice v)
{
	uint64_t n = 0;
	bool ok = number(v, INT64_MAX, &n);

	p->sub->has_stamp = true;
	p->sub->stamp = (int64_t)n;
	return ok;
}

static bool on_sign(struct parse *p, struct slice v)
{
	p->sub->signature = v;
	return v.n > 0;
}

static const struct {
	struct slice name;
	bool (*on)(struct parse *p, struct slice value);
} known[] = {
	{SLICE("key"), on_key},
	{SLICE("address"), on_address},
	{SLICE("modifier1"), on_modifier1},
	{SLICE("modifier2"), on_modifier2},
	{SLICE("weight"), on_weight},
	{SLICE("cores"), on_cores},
	{SLICE("load"), on_load},
	{SLICE("unix"), on_stamp},
	{SLICE("sign"), on_sign},
};

/* Unknown names are ignored: that is how versions of uWSGI interoperate. */
static int take_var(struct parse *p, struct slice name, struct slice value, struct err *e)
{
	if (p->sub->signature.n) {
		return err_set(e, -EBADMSG, "'sign' is not the last variable");
	}
	if (p->n == SUBSCRIPTION_VARS_MAX) {
		return err_set(e, -EBADMSG, "too many variables");
	}
	for (size_t i = 0; i < p->n; i++) {
		if (slice_eq(p->names[i], name)) {
			return err_set(e, -EBADMSG, "a variable is there twice");
		}
	}
	p->names[p->n++] = name;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (slice_eq(known[i].name, name) && !known[i].on(p, value)) {
			return err_set(e, -EBADMSG, "bad value of '%s'", known[i].name.p);
		}
	}
	return 0;
}

static int take_header(struct slice *datagram, struct subscription *ret, struct err *e)
{
	struct uwsgi_header header;

	if (uwsgi_header_read(*datagram, &header) == 0) {
		return err_set(e, -EBADMSG, "shorter than a header");
	}
	*datagram = slice_skip(*datagram, UWSGI_HEADER_SIZE);
	if (header.modifier1 != UWSGI_MOD_SUBSCRIPTION || header.modifier2 > 1) {
		return err_set(e, -EBADMSG, "not a subscription: modifiers %u and %u",
			header.modifier1, header.modifier2);
	}
	if (header.size != datagram->n) {
		return err_set(e, -EBADMSG, "size does not match");
	}
	ret->leave = header.modifier2 == 1;
	return 0;
}

int subscription_parse(struct slice datagram, struct subscription *ret, struct err *e)
{
	struct parse p = {.sub = ret};
	struct slice block, before, name, value;
	int r;

	*ret = (struct subscription){.weight = 1};
	r = take_header(&datagram, ret, e);
	if (r < 0) {
		return r;
	}
	block = datagram;
	before = block;
	while ((r = uwsgi_next(&block, &name, &value)) > 0) {
		r = take_var(&p, name, value, e);
		if (r < 0) {
			return r;
		}
		if (ret->signature.n && !ret->signed_bytes.p) {
			ret->signed_bytes =
				(struct slice){.p = datagram.p, .n = datagram.n - before.n};
		}
		before = block;
	}
	if (r < 0) {
		return err_set(e, r, "malformed variables");
	}
	if (!p.saw_key || ret->address.n == 0) {
		return err_set(e, -EBADMSG, "no key or no address");
	}
	return 0;
}
