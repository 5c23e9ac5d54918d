/*
 * What is parsed can be written, and what was written parses to the same text again. Every reader
 * takes every node. A refusal has a message.
 */
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

static void read_every_way(const struct json *v)
{
	static int (*const readers[])(const struct json *, void *, struct err *) = {json_read_bool,
		json_read_str, json_read_abs_path, json_read_i64, json_read_u64, json_read_u32,
		json_read_int, json_read_any, json_read_object_node, json_read_array_node,
		json_read_opt_i64, json_read_opt_u64, json_read_opt_bool};
	_cleanup_free_ const char **strv = NULL;

	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		struct opt_u64 at = {};
		struct err e = {};
		int r = readers[i](v, &at, &e);

		MUST(r == 0 || (r < 0 && e.code == -r && e.msg[0] && e.member[0]));
	}
	(void)json_read_strv(v, &strv, NULL);
}

static void walk(const struct json *v)
{
	const struct json *child;
	uint32_t n = 0;

	read_every_way(v);
	MUST(!v->text || utf8_valid(slice_of(v->text)) == strlen(v->text));
	json_each(child, v)
	{
		MUST(child->parent == v && child->index == n);
		MUST(v->type != JSON_OBJECT || json_get(v, child->key) == child);
		n++;
		walk(child);
	}
	MUST(n == v->count);
}

static void write_text(const struct json_doc *doc, bool indent, struct buf *to)
{
	struct json_out o = {.to = to, .indent = indent};

	json_out_value(&o, NULL, json_root(doc));
	MUST(!buf_failed(to));
}

/* Any bytes make a string of JSON. */
static void write_bytes(struct slice bytes)
{
	const struct json_limits wide = {.size = 1 << 22, .depth = 1, .members = 1};
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_buf_ struct buf to = {};
	struct json_out o = {.to = &to};
	bool nul = bytes.n && memchr(bytes.p, 0, bytes.n);

	json_out_slice(&o, NULL, bytes);
	MUST((json_parse(buf_slice(&to), &wide, &doc, NULL) < 0) == nul);
	if (!nul && utf8_valid(bytes) == bytes.n) {
		MUST(slice_eq(slice_of(json_root(doc)->text), bytes));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct json_limits limits = {.size = 1 << 16, .depth = 20, .members = 200};
	const struct json_limits wide = {.size = 1 << 22, .depth = 20, .members = 200};
	_cleanup_json_ struct json_doc *doc = NULL, *again = NULL, *pretty = NULL;
	_cleanup_buf_ struct buf one = {}, two = {}, three = {}, four = {};
	struct err e = {};
	int r = json_parse((struct slice){(const char *)data, size}, &limits, &doc, &e);

	write_bytes((struct slice){(const char *)data, size});
	if (r < 0) {
		MUST(e.code == -r && e.msg[0] && !doc);
		return 0;
	}
	walk(json_root(doc));
	write_text(doc, false, &one);
	MUST(json_parse(buf_slice(&one), &wide, &again, &e) == 0);
	write_text(again, false, &two);
	MUST(slice_eq(buf_slice(&one), buf_slice(&two)));
	write_text(doc, true, &three);
	MUST(json_parse(buf_slice(&three), &wide, &pretty, &e) == 0);
	write_text(pretty, false, &four);
	MUST(slice_eq(buf_slice(&one), buf_slice(&four)));
	return 0;
}
