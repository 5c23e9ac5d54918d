#include "tests/unit/unit.h"

#include "bundles/record.h"
#include "lib/buf.h"
#include "lib/json.h"

#define REQUIRED "\"version\":1,\"uid\":31001,\"name\":\"shop\",\"image\":\"debian-12\""

static int parse(const char *text, struct json_doc **doc, struct record *r, struct err *e)
{
	int ret = json_parse(slice_of(text), NULL, doc, e);

	assert_int_equal(ret, 0);
	return record_parse(json_root(*doc), r, e);
}

static void assert_accepted(const char *text)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_record_ struct record r = {};
	struct err e = {};

	if (parse(text, &doc, &r, &e) != 0) {
		fail_msg("%s: %s", text, e.msg);
	}
}

static void assert_refused(const char *text, const char *member)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_record_ struct record r = {};
	struct err e = {};

	if (parse(text, &doc, &r, &e) == 0) {
		fail_msg("accepted: %s", text);
	}
	assert_string_equal(e.member, member);
	assert_contains(e.msg, member);
}

/* A missing member has no path of its own: the object is named, and the member in the text. */
static void assert_missing(const char *text, const char *object, const char *member)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_record_ struct record r = {};
	struct err e = {};

	assert_true(parse(text, &doc, &r, &e) < 0);
	assert_string_equal(e.member, object);
	assert_contains(e.msg, member);
}

static void absent_members_have_defaults(void **state)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_record_ struct record r = {};

	(void)state;
	assert_int_equal(parse("{" REQUIRED "}", &doc, &r, NULL), 0);
	assert_int_equal(r.uid, 31001);
	assert_string_equal(r.hostname, "shop");
	assert_int_equal(r.memory, 268435456);
	assert_int_equal(r.cpu.weight, 100);
	assert_int_equal(r.cpu.max, 0);
	assert_int_equal(r.pids, 512);
	assert_null(r.netns);
	assert_null(r.nameservers[0]);
	assert_int_equal(r.hosts_n, 0);
	assert_string_equal(r.restart, "no");
}

static void all_members_are_read_and_written_again(void **state)
{
	static const char text[] =
		"{" REQUIRED ",\"hostname\":\"Web\",\"memory\":33554432,"
		"\"cpu\":{\"weight\":10000,\"max\":250},\"pids\":8,\"netns\":\"/run/netns/a\","
		"\"nameservers\":[\"192.0.2.1\",\"2001:db8::1\"],"
		"\"hosts\":[{\"address\":\"192.0.2.9\",\"names\":[\"db\",\"db.local\"]}],"
		"\"restart\":\"always\"}";
	_cleanup_json_ struct json_doc *doc = NULL, *again = NULL;
	_cleanup_record_ struct record r = {}, r2 = {};
	_cleanup_buf_ struct buf one = {}, two = {};

	(void)state;
	assert_int_equal(parse(text, &doc, &r, NULL), 0);
	assert_int_equal(r.cpu.max, 250);
	assert_string_equal(r.nameservers[1], "2001:db8::1");
	assert_string_equal(r.hosts[0].names[1], "db.local");
	record_write(&r, &one);
	assert_int_equal(parse(buf_str(&one), &again, &r2, NULL), 0);
	record_write(&r2, &two);
	assert_string_equal(buf_str(&one), buf_str(&two));
}

static void a_missing_required_member_is_named(void **state)
{
	(void)state;
	assert_missing("{\"uid\":31001,\"name\":\"a\",\"image\":\"b\"}", ".", "version");
	assert_missing("{\"version\":1,\"name\":\"a\",\"image\":\"b\"}", ".", "uid");
	assert_missing("{\"version\":1,\"uid\":31001,\"image\":\"b\"}", ".", "name");
	assert_missing("{\"version\":1,\"uid\":31001,\"name\":\"a\"}", ".", "image");
}

static void unknown_members_are_refused_at_every_level(void **state)
{
	(void)state;
	assert_refused("{" REQUIRED ",\"colour\":1}", ".colour");
	assert_refused("{" REQUIRED ",\"cpu\":{\"shares\":1}}", ".cpu.shares");
	assert_refused("{" REQUIRED ",\"hosts\":[{\"address\":\"::1\",\"names\":[\"a\"],\"x\":1}]}",
		".hosts[0].x");
}

/* One member replaced in a record that is fine otherwise. */
static void assert_value_refused(const char *member, const char *value)
{
	static const struct {
		const char *name, *value;
	} required[] = {{"version", "1"}, {"uid", "31001"}, {"name", "\"a\""}, {"image", "\"b\""}};
	_cleanup_buf_ struct buf b = {};
	char path[64];

	buf_put_str(&b, "{");
	for (size_t i = 0; i < ARRAY_LEN(required); i++) {
		if (strcmp(required[i].name, member) != 0) {
			buf_putf(&b, "\"%s\":%s,", required[i].name, required[i].value);
		}
	}
	buf_putf(&b, "\"%s\":%s}", member, value);
	(void)snprintf(path, sizeof(path), ".%s", member);
	assert_refused(buf_str(&b), path);
}

static void values_of_the_wrong_type_or_out_of_range_are_refused(void **state)
{
	static const struct {
		const char *member, *values[8];
	} bad[] = {
		{"version", {"0", "2", "\"1\"", "1.0", "[]"}},
		{"uid", {"30000", "49457", "-1", "\"31001\"", "31001.0", "18446744073709551616"}},
		{"name", {"\"\"", "\"-a\"", "\"a-\"", "\"A\"", "\"a.b\"", "7"}},
		{"image", {"\"\"", "\".a\"", "\"a/b\"", "\"A\"", "{}"}},
		{"hostname", {"\"\"", "\"a.b\"", "\"a b\"", "\"a\\n\"", "1"}},
		{"memory", {"16777215", "16777217", "0", "-4096", "\"1G\"", "1125899906846720",
				   "99999999999999999999"}},
		{"cpu", {"1", "[]", "\"\""}},
		{"pids", {"7", "1000001", "true", "8.5"}},
		{"netns", {"\"\"", "\"run\"", "\"/a\\nb\"", "\"/\\u00e9\"", "1"}},
		{"nameservers", {"\"192.0.2.1\"", "{}",
					"[\"::1\",\"::1\",\"::1\",\"::1\",\"::1\",\"::1\",\"::1\","
					"\"::1\",\"::1\"]"}},
		{"hosts", {"{}", "\"a\""}},
		{"restart", {"\"\"", "\"never\"", "true"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		for (const char *const *v = bad[i].values; *v; v++) {
			assert_value_refused(bad[i].member, *v);
		}
	}
}

static void nested_members_are_named_by_their_path(void **state)
{
	(void)state;
	assert_refused("{" REQUIRED ",\"cpu\":{\"weight\":0}}", ".cpu.weight");
	assert_refused("{" REQUIRED ",\"cpu\":{\"weight\":10001}}", ".cpu.weight");
	assert_refused("{" REQUIRED ",\"cpu\":{\"max\":0}}", ".cpu.max");
	assert_refused("{" REQUIRED ",\"cpu\":{\"max\":100001}}", ".cpu.max");
	assert_refused("{" REQUIRED ",\"nameservers\":[\"::1\",\"localhost\"]}", ".nameservers[1]");
	assert_refused("{" REQUIRED ",\"nameservers\":[\"fe80::1%eth0\"]}", ".nameservers[0]");
	assert_missing("{" REQUIRED ",\"hosts\":[{\"address\":\"::1\"}]}", ".hosts[0]", "names");
	assert_missing("{" REQUIRED ",\"hosts\":[{\"names\":[\"a\"]}]}", ".hosts[0]", "address");
	assert_refused(
		"{" REQUIRED ",\"hosts\":[{\"address\":\"::1\",\"names\":[]}]}", ".hosts[0].names");
	assert_refused("{" REQUIRED ",\"hosts\":[{\"address\":\"::1\",\"names\":[\"a\",\"b c\"]}]}",
		".hosts[0].names[1]");
}

static void the_ends_of_every_range_are_accepted(void **state)
{
	(void)state;
	assert_accepted("{\"version\":1,\"uid\":30001,\"name\":\"a\",\"image\":\"b\"}");
	assert_accepted("{\"version\":1,\"uid\":49456,\"name\":\"0\",\"image\":\"0._-\"}");
	assert_accepted("{" REQUIRED ",\"memory\":16777216,\"pids\":8,\"cpu\":{\"weight\":1}}");
	assert_accepted("{" REQUIRED ",\"memory\":1125899906842624,\"pids\":1000000,"
			"\"cpu\":{\"weight\":10000,\"max\":100000}}");
	assert_accepted("{" REQUIRED ",\"hostname\":null,\"cpu\":{},\"netns\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_members_have_defaults),
		cmocka_unit_test(all_members_are_read_and_written_again),
		cmocka_unit_test(a_missing_required_member_is_named),
		cmocka_unit_test(unknown_members_are_refused_at_every_level),
		cmocka_unit_test(values_of_the_wrong_type_or_out_of_range_are_refused),
		cmocka_unit_test(nested_members_are_named_by_their_path),
		cmocka_unit_test(the_ends_of_every_range_are_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
