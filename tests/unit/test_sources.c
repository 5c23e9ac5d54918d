#include "tests/unit/unit.h"

#include "images/recipe.h"
#include "images/sources.h"
#include "lib/buf.h"

static const struct recipe recipe = {
	.name = "debian-12", .suite = "bookworm", .components = "main"};

static void deb822_stanzas_of_the_suite_become_lines(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	sources_parse_deb822(SLICE("Types: deb deb-src\n"
				   "# a comment\n"
				   "URIs: http://mirror/debian\n"
				   "Suites: bookworm bookworm-updates bookworm-backports\n"
				   "Components: main contrib\n"
				   "Signed-By: /usr/share/keyrings/k.gpg\n"
				   "\n"
				   "types: deb\nuris: http://security\nsuites: bookworm-security\n"
				   "components: main"),
		&recipe, &b);
	assert_string_equal(buf_str(&b), "deb [signed-by=/usr/share/keyrings/k.gpg] "
					 "http://mirror/debian bookworm main contrib\n"
					 "deb [signed-by=/usr/share/keyrings/k.gpg] "
					 "http://mirror/debian bookworm-updates main "
					 "contrib\n"
					 "deb http://security bookworm-security main\n");
}

static void other_suites_parties_and_disabled_stanzas_are_left_out(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	sources_parse_deb822(
		SLICE("Types: deb\nURIs: http://x\nSuites: trixie\nComponents: main\n\n"
		      "Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: stable\n\n"
		      "Types: deb-src\nURIs: http://x\nSuites: bookworm\nComponents: main\n\n"
		      "Enabled: no\nTypes: deb\nURIs: http://x\nSuites: bookworm\nComponents: "
		      "main\n"
		      "no colon\n: \n"),
		&recipe, &b);
	assert_int_equal(b.n, 0);
}

static void one_line_sources_are_read(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	sources_parse_list(
		SLICE("# deb http://no bookworm main\n"
		      "deb-src http://no bookworm main\n"
		      "deb [arch=amd64 signed-by=/k.gpg] http://one bookworm main\n"
		      "deb http://two bookworm-security main non-free\n"
		      "deb http://no jammy main\ndeb [unended http://no bookworm main\ndeb\n"),
		&recipe, &b);
	assert_string_equal(buf_str(&b), "deb [signed-by=/k.gpg] http://one bookworm main\n"
					 "deb http://two bookworm-security main non-free\n");
}

static void without_a_source_a_mirror_must_be_given(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct recipe r = recipe;
	struct sources_query q = {.etc = "/nonexistent", .recipe = &r, .security = true};

	(void)state;
	r.keyring = "/k";
	assert_int_equal(sources_read(&q, &b, NULL), -ENOENT);
	q.mirror = "http://a/";
	assert_int_equal(sources_read(&q, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "deb [signed-by=/k] http://a/ bookworm main\n");
	q.mirror = "http://a/ x";
	assert_int_equal(sources_read(&q, &b, NULL), -EINVAL);
	q.mirror = "nothing";
	assert_int_equal(sources_read(&q, &b, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deb822_stanzas_of_the_suite_become_lines),
		cmocka_unit_test(other_suites_parties_and_disabled_stanzas_are_left_out),
		cmocka_unit_test(one_line_sources_are_read),
		cmocka_unit_test(without_a_source_a_mirror_must_be_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
