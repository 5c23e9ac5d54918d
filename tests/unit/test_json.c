#include "tests/unit/unit.h"

#include <fcntl.h>

#include "lib/buf.h"
#include "lib/json.h"

static struct json_doc *parse(const char *text)
{
	struct json_doc *doc = NULL;
	struct err e = {};

	if (json_parse(slice_of(text), NULL, &doc, &e) < 0) {
		fail_msg("'%s': %s", text, e.msg);
	}
	return doc;
}

/* The text is refused with code r, and the message holds `part`. */
static void refuse(struct slice text, const struct json_limits *limits, int r, const char *part)
{
	struct json_doc *doc = NULL;
	struct err e = {};

	assert_int_equal(json_parse(text, limits, &doc, &e), r);
	assert_null(doc);
	assert_contains(e.msg, part);
}

static void every_type_is_read(void **state)
{
	_cleanup_json_ struct json_doc *doc =
		parse(" {\"n\":null,\"t\":true,\"i\":-5,\"s\":\"x\\u00e9\\ud83d\\ude00\",\"a\":[1,["
		      "]],\"o\":{}}\n");
	const struct json *root = json_root(doc), *a = json_get(root, "a");

	(void)state;
	assert_int_equal(root->type, JSON_OBJECT);
	assert_int_equal(root->count, 6);
	assert_int_equal(json_get(root, "n")->type, JSON_NULL);
	assert_true(json_get(root, "t")->truth);
	assert_string_equal(json_get(root, "i")->text, "-5");
	assert_string_equal(json_get(root, "s")->text, "x\xc3\xa9\xf0\x9f\x98\x80");
	assert_int_equal(a->count, 2);
	assert_int_equal(a->last->index, 1);
	assert_ptr_equal(a->last->parent, a);
	assert_null(json_get(root, "absent"));
	assert_null(json_get(a, "x"));
	assert_null(json_get(NULL, "x"));
}

static void a_scalar_may_be_the_root(void **state)
{
	_cleanup_json_ struct json_doc *doc = parse("7");

	(void)state;
	assert_int_equal(json_root(doc)->type, JSON_NUMBER);
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "{", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{,}",
		"{a:1}", "'a'", "01", "+1", "-", "1.", ".5", "1e", "0x10", "NaN", "Infinity", "tru",
		"nulll", "1 2", "{} {}", "[]]", "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\\u12\"",
		"\"a\nb\"", "\"\x01\"", "// c\n1", "/* c */1", "\xef\xbb\xbf{}", "[1 2]",
		"\\u0041"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		refuse(slice_of(bad[i]), NULL, -EINVAL, "not valid JSON");
	}
	refuse((struct slice){}, NULL, -EINVAL, "not valid JSON");
	refuse(SLICE("1\0"), NULL, -EINVAL, "not valid JSON");
}

static void a_syntax_error_names_line_and_column(void **state)
{
	(void)state;
	refuse(SLICE("{\n  \"a\": 1,\n  \"b\": x\n}"), NULL, -EINVAL, "at line 3, column 8");
}

static void strings_must_be_utf8_without_nul(void **state)
{
	static const char *const bad[] = {"\"\x80\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "{\"\xff\":1}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		refuse(slice_of(bad[i]), NULL, -EINVAL, "not UTF-8");
	}
	refuse(SLICE("\"a\\u0000b\""), NULL, -EINVAL, "NUL");
	refuse(SLICE("{\"a\":[{\"b\":\"\\u0000\"}]}"), NULL, -EINVAL, ".a[0]: a string in it");
	refuse(SLICE("{\"a\\u0000b\":1}"), NULL, -EINVAL, "NUL");
	refuse(SLICE("\"a\0b\""), NULL, -EINVAL, "not valid JSON");
}

static void half_a_surrogate_pair_is_refused(void **state)
{
	static const char *const bad[] = {"\"\\ud800\"", "\"\\udc00\"", "\"\\uD83Dx\"",
		"\"\\ud83d\\n\"", "\"\\ud83d\\u0041\"", "\"\\ude00\\ud83d\"", "\"\\ud800\\ud800\""};
	_cleanup_json_ struct json_doc *doc = parse("\"\\\\ud800 \\uD83D\\uDE00\"");

	(void)state;
	assert_string_equal(json_root(doc)->text, "\\ud800 \xf0\x9f\x98\x80");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		refuse(slice_of(bad[i]), NULL, -EINVAL, "surrogate");
	}
	refuse(SLICE("\"\\ud800"), NULL, -EINVAL, "surrogate");
}

static void duplicate_keys_are_refused_with_their_path(void **state)
{
	(void)state;
	refuse(SLICE("{\"a\":{\"b\":1,\"c\":2,\"b\":3}}"), NULL, -EINVAL, ".a.b: duplicate key");
	refuse(SLICE("{\"a\":1,\"\\u0061\":2}"), NULL, -EINVAL, ".a: duplicate key");
	refuse(SLICE("[{\"\":1,\"b\":{},\"\":2}]"), NULL, -EINVAL, "[0].: duplicate key");
}

static void size_depth_and_members_are_limited(void **state)
{
	const struct json_limits limits = {.size = 20, .depth = 3, .members = 4};
	struct json_doc *doc;

	(void)state;
	refuse(SLICE("\"0123456789012345678\""), &limits, -E2BIG, "over the limit of 20");
	refuse(SLICE("[[[[]]]]"), &limits, -E2BIG, "nested too deeply");
	refuse(SLICE("[{\"a\":[{}]}]"), &limits, -E2BIG, "[0].a: nested too deeply");
	refuse(SLICE("[1,2,3,4,5]"), &limits, -E2BIG, ".: too many members");
	assert_int_equal(json_parse(SLICE("[[[1,2,3,4]],2,3,4]"), &limits, &doc, NULL), 0);
	doc = json_doc_free(doc);
}

static void a_million_brackets_are_refused_by_the_default_limits(void **state)
{
	char *text = malloc(1 << 20);

	(void)state;
	memset(text, '[', 1 << 20);
	refuse((struct slice){text, 1 << 20}, NULL, -E2BIG, "nested too deeply");
	refuse((struct slice){text, (1 << 20) + 1}, NULL, -E2BIG, "over the limit");
	free(text);
}

static const struct json *member(const struct json_doc *doc, const char *key)
{
	return json_get(json_root(doc), key);
}

static void integers_are_exact_at_the_edges(void **state)
{
	_cleanup_json_ struct json_doc *doc =
		parse("{\"u\":18446744073709551615,\"o\":18446744073709551616,\"max\":"
		      "9223372036854775807,"
		      "\"over\":9223372036854775808,\"min\":-9223372036854775808,"
		      "\"under\":-9223372036854775809,\"u32\":4294967295,\"u33\":4294967296,"
		      "\"int\":-2147483648,\"zero\":-0,\"big\":1000000000000000000000000000000}");
	uint64_t u = 0;
	int64_t i = 0;
	uint32_t u32 = 0;
	int n = 0;

	(void)state;
	assert_int_equal(json_read_u64(member(doc, "u"), &u, NULL), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(json_read_u64(member(doc, "o"), &u, NULL), -EINVAL);
	assert_int_equal(json_read_u64(member(doc, "big"), &u, NULL), -EINVAL);
	assert_int_equal(json_read_u64(member(doc, "int"), &u, NULL), -EINVAL);
	assert_true(u == UINT64_MAX);
	assert_int_equal(json_read_i64(member(doc, "max"), &i, NULL), 0);
	assert_true(i == INT64_MAX);
	assert_int_equal(json_read_i64(member(doc, "over"), &i, NULL), -EINVAL);
	assert_int_equal(json_read_i64(member(doc, "min"), &i, NULL), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(json_read_i64(member(doc, "under"), &i, NULL), -EINVAL);
	assert_int_equal(json_read_i64(member(doc, "zero"), &i, NULL), 0);
	assert_true(i == 0);
	assert_int_equal(json_read_u32(member(doc, "u32"), &u32, NULL), 0);
	assert_true(u32 == UINT32_MAX);
	assert_int_equal(json_read_u32(member(doc, "u33"), &u32, NULL), -EINVAL);
	assert_int_equal(json_read_u32(member(doc, "int"), &u32, NULL), -EINVAL);
	assert_int_equal(json_read_int(member(doc, "int"), &n, NULL), 0);
	assert_int_equal(n, INT32_MIN);
	assert_int_equal(json_read_int(member(doc, "u32"), &n, NULL), -EINVAL);
}

static void fractions_and_exponents_are_not_integers(void **state)
{
	_cleanup_json_ struct json_doc *doc = parse("[1.0,1e3,-1.5,1E0]");
	const struct json *v;
	int64_t i;

	(void)state;
	json_each(v, json_root(doc))
	{
		struct err e;

		assert_int_equal(json_read_i64(v, &i, &e), -EINVAL);
		assert_contains(e.msg, "must be an integer");
	}
}

static void every_reader_refuses_the_wrong_type_by_path(void **state)
{
	static int (*const readers[])(const struct json *, void *, struct err *) = {json_read_bool,
		json_read_str, json_read_abs_path, json_read_i64, json_read_u64, json_read_u32,
		json_read_int, json_read_object_node, json_read_array_node, json_read_strv,
		json_read_opt_i64, json_read_opt_u64, json_read_opt_bool};
	_cleanup_json_ struct json_doc *doc = parse("{\"a\":[0,{\"b\":null}]}");
	const struct json *v = json_get(member(doc, "a")->last, "b");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		struct opt_u64 at = {};
		struct err e = {};

		assert_int_equal(readers[i](v, &at, &e), -EINVAL);
		assert_string_equal(e.member, ".a[1].b");
		assert_contains(e.msg, ".a[1].b: must be a");
		assert_contains(e.msg, "not null");
		assert_false(at.set);
	}
}

static void readers_convert_what_fits(void **state)
{
	_cleanup_json_ struct json_doc *doc =
		parse("{\"b\":true,\"s\":\"x\",\"p\":\"/"
		      "x\",\"v\":[\"a\",\"b\"],\"e\":[],\"w\":[\"a\",1]}");
	_cleanup_free_ const char **v = NULL, **empty = NULL, **wrong = NULL;
	const struct json *node;
	struct opt_bool ob;
	const char *s;
	struct err e;
	bool b;

	(void)state;
	assert_int_equal(json_read_bool(member(doc, "b"), &b, &e), 0);
	assert_true(b);
	assert_int_equal(json_read_opt_bool(member(doc, "b"), &ob, &e), 0);
	assert_true(ob.set && ob.v);
	assert_int_equal(json_read_str(member(doc, "s"), &s, &e), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_read_abs_path(member(doc, "p"), &s, &e), 0);
	assert_int_equal(json_read_abs_path(member(doc, "s"), &s, &e), -EINVAL);
	assert_string_equal(e.msg, ".s: must be an absolute path, not 'x'");
	assert_int_equal(json_read_strv(member(doc, "v"), &v, &e), 0);
	assert_string_equal(v[1], "b");
	assert_null(v[2]);
	assert_int_equal(json_read_strv(member(doc, "e"), &empty, &e), 0);
	assert_null(empty[0]);
	assert_int_equal(json_read_strv(member(doc, "w"), &wrong, &e), -EINVAL);
	assert_string_equal(e.member, ".w[1]");
	assert_null(wrong);
	assert_int_equal(json_read_array_node(member(doc, "e"), &node, &e), 0);
	assert_ptr_equal(node, member(doc, "e"));
	assert_int_equal(json_read_object_node(json_root(doc), &node, &e), 0);
	assert_int_equal(json_read_any(member(doc, "s"), &node, &e), 0);
}

struct record {
	uint32_t uid;
	const char *name;
	struct opt_u64 memory;
};

static const struct json_field record_fields[] = {
	{"uid", json_read_u32, offsetof(struct record, uid), JSON_REQUIRED},
	{"name", json_read_str, offsetof(struct record, name), JSON_REQUIRED},
	{"memory", json_read_opt_u64, offsetof(struct record, memory), JSON_OPTIONAL},
	{},
};

static void refuse_record(const char *text, enum json_unknown unknown, const char *msg)
{
	_cleanup_json_ struct json_doc *doc = parse(text);
	struct record rec = {};
	struct err e = {};

	assert_int_equal(json_read(json_root(doc), record_fields, unknown, &rec, &e), -EINVAL);
	assert_string_equal(e.msg, msg);
}

static void a_table_reads_an_object(void **state)
{
	_cleanup_json_ struct json_doc *doc =
		parse("{\"name\":\"x\",\"memory\":null,\"more\":1,\"uid\":30001}");
	struct record rec = {};

	(void)state;
	assert_int_equal(
		json_read(json_root(doc), record_fields, JSON_UNKNOWN_ALLOWED, &rec, NULL), 0);
	assert_int_equal(rec.uid, 30001);
	assert_string_equal(rec.name, "x");
	assert_false(rec.memory.set);
}

static void a_table_refuses_unknown_missing_and_wrong_members(void **state)
{
	(void)state;
	refuse_record("{\"name\":\"x\",\"uid\":1,\"more\":1}", JSON_UNKNOWN_REFUSED,
		".more: unknown member");
	refuse_record("{\"uid\":1}", JSON_UNKNOWN_ALLOWED, ".: member 'name' is missing");
	refuse_record(
		"{\"uid\":1,\"name\":null}", JSON_UNKNOWN_REFUSED, ".: member 'name' is missing");
	refuse_record(
		"{\"uid\":-1,\"name\":\"x\"}", JSON_UNKNOWN_REFUSED, ".uid: -1 is out of range");
	refuse_record("[]", JSON_UNKNOWN_REFUSED, ".: must be an object, not an array");
}

static void a_long_path_keeps_its_end(void **state)
{
	char text[1024] = "", path[40];
	_cleanup_json_ struct json_doc *doc = NULL;
	const struct json *v;

	(void)state;
	for (int i = 0; i < 30; i++) {
		strcat(text, "{\"abcdefghi\":");
	}
	strcat(text, "{\"last\":1}");
	for (int i = 0; i < 30; i++) {
		strcat(text, "}");
	}
	doc = parse(text);
	v = json_root(doc);
	while (v->first) {
		v = v->first;
	}
	json_path(v, path, sizeof(path));
	assert_int_equal(strlen(path), sizeof(path) - 1);
	assert_memory_equal(path, "...", 3);
	assert_string_equal(path + sizeof(path) - 1 - strlen("abcdefghi.last"), "abcdefghi.last");
}

static void load_names_the_file(void **state)
{
	struct json_doc *doc = NULL;
	struct err e;

	(void)state;
	assert_int_equal(json_load(AT_FDCWD, "/nonexistent/x", NULL, &doc, &e), -ENOENT);
	assert_contains(e.msg, "'/nonexistent/x'");
	assert_int_equal(json_load(AT_FDCWD, "/proc/version", NULL, &doc, &e), -EINVAL);
	assert_contains(e.msg, "'/proc/version': not valid JSON");
	assert_null(doc);
}

static void freeing_nothing_is_allowed(void **state)
{
	(void)state;
	assert_null(json_doc_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read),
		cmocka_unit_test(a_scalar_may_be_the_root),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(a_syntax_error_names_line_and_column),
		cmocka_unit_test(strings_must_be_utf8_without_nul),
		cmocka_unit_test(half_a_surrogate_pair_is_refused),
		cmocka_unit_test(duplicate_keys_are_refused_with_their_path),
		cmocka_unit_test(size_depth_and_members_are_limited),
		cmocka_unit_test(a_million_brackets_are_refused_by_the_default_limits),
		cmocka_unit_test(integers_are_exact_at_the_edges),
		cmocka_unit_test(fractions_and_exponents_are_not_integers),
		cmocka_unit_test(every_reader_refuses_the_wrong_type_by_path),
		cmocka_unit_test(readers_convert_what_fits),
		cmocka_unit_test(a_table_reads_an_object),
		cmocka_unit_test(a_table_refuses_unknown_missing_and_wrong_members),
		cmocka_unit_test(a_long_path_keeps_its_end),
		cmocka_unit_test(load_names_the_file),
		cmocka_unit_test(freeing_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
