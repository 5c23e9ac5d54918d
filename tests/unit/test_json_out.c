#include "tests/unit/unit.h"

#include "lib/buf.h"
#include "lib/json.h"

static void write_all(struct json_out *o)
{
	static const char *const strv[] = {"a", "b", NULL};

	json_out_object(o, NULL);
	json_out_str(o, "s", "x");
	json_out_i64(o, "i", INT64_MIN);
	json_out_u64(o, "u", UINT64_MAX);
	json_out_bool(o, "t", true);
	json_out_null(o, "n");
	json_out_strv(o, "v", strv);
	json_out_strv(o, "none", NULL);
	json_out_object(o, "o");
	json_out_array(o, "a");
	json_out_u64(o, NULL, 1);
	json_out_object(o, NULL);
	json_out_object_end(o);
	json_out_array_end(o);
	json_out_object_end(o);
	json_out_object_end(o);
}

static const char compact[] =
	"{\"s\":\"x\",\"i\":-9223372036854775808,\"u\":18446744073709551615,\"t\":true,\"n\":null,"
	"\"v\":[\"a\",\"b\"],\"none\":[],\"o\":{\"a\":[1,{}]}}";

static void commas_and_keys_are_placed(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct json_out o = {.to = &b};

	(void)state;
	write_all(&o);
	assert_string_equal(buf_str(&b), compact);
}

static void indented_output_is_the_same_value(void **state)
{
	_cleanup_buf_ struct buf pretty = {}, again = {};
	struct json_out o = {.to = &pretty, .indent = true}, plain = {.to = &again};
	_cleanup_json_ struct json_doc *doc = NULL;

	(void)state;
	write_all(&o);
	assert_contains(buf_str(&pretty), "{\n  \"s\": \"x\",\n  \"i\"");
	assert_contains(buf_str(&pretty), "\n  \"none\": [],\n");
	assert_int_equal(pretty.p[pretty.n - 1], '\n');
	assert_int_equal(json_parse(buf_slice(&pretty), NULL, &doc, NULL), 0);
	json_out_value(&plain, NULL, json_root(doc));
	assert_string_equal(buf_str(&again), compact);
}

static void strings_are_escaped_and_read_back(void **state)
{
	char every[256] = "";
	_cleanup_buf_ struct buf b = {};
	struct json_out o = {.to = &b};
	_cleanup_json_ struct json_doc *doc = NULL;

	(void)state;
	for (int c = 1; c < 128; c++) {
		every[c - 1] = (char)c;
	}
	strcat(every, "\xc3\xa9\xf0\x9f\x98\x80");
	json_out_object(&o, NULL);
	json_out_str(&o, every, every);
	json_out_object_end(&o);
	assert_contains(buf_str(&b), "\\u0001");
	assert_contains(buf_str(&b), "\\t\\n\\u000b");
	assert_contains(buf_str(&b), "!\\\"#");
	assert_contains(buf_str(&b), "\\\\]");
	assert_contains(buf_str(&b), "~\\u007f");
	assert_int_equal(json_parse(buf_slice(&b), NULL, &doc, NULL), 0);
	assert_string_equal(json_root(doc)->first->key, every);
	assert_string_equal(json_root(doc)->first->text, every);
}

static void a_nul_is_escaped(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct json_out o = {.to = &b};

	(void)state;
	json_out_slice(&o, NULL, SLICE("a\0b"));
	assert_string_equal(buf_str(&b), "\"a\\u0000b\"");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct json_out o = {.to = &b};

	(void)state;
	json_out_str(&o, NULL, "a\xff\xc3(\xe2\x82");
	assert_string_equal(buf_str(&b), "\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void output_is_a_function_of_the_calls(void **state)
{
	_cleanup_buf_ struct buf one = {}, two = {};
	struct json_out a = {.to = &one, .indent = true}, b = {.to = &two, .indent = true};

	(void)state;
	write_all(&a);
	write_all(&b);
	assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
}

static void a_value_is_written_again_with_its_numbers_as_they_were(void **state)
{
	static const char text[] = "{\"z\":1.50,\"a\":[1e400,-0,true,null,{\"k\":\"v\"}]}";
	_cleanup_buf_ struct buf b = {};
	struct json_out o = {.to = &b};
	_cleanup_json_ struct json_doc *doc = NULL;

	(void)state;
	assert_int_equal(json_parse(slice_of(text), NULL, &doc, NULL), 0);
	json_out_value(&o, NULL, json_root(doc));
	assert_string_equal(buf_str(&b), text);
}

static void output_past_the_limit_fails_the_buffer(void **state)
{
	_cleanup_buf_ struct buf b = {.limit = 50};
	struct json_out o = {.to = &b};

	(void)state;
	write_all(&o);
	assert_true(buf_failed(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_and_keys_are_placed),
		cmocka_unit_test(indented_output_is_the_same_value),
		cmocka_unit_test(strings_are_escaped_and_read_back),
		cmocka_unit_test(a_nul_is_escaped),
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
		cmocka_unit_test(output_is_a_function_of_the_calls),
		cmocka_unit_test(a_value_is_written_again_with_its_numbers_as_they_were),
		cmocka_unit_test(output_past_the_limit_fails_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
