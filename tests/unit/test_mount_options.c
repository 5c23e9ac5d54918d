#include <sys/mount.h>

#include "tests/unit/unit.h"

#include "runtime/mount_options.h"
#include "runtime/spec.h"

static struct mount_options parse(const char *type, const char **options)
{
	struct spec_mount m = {.destination = "/x", .type = type, .options = options};
	struct mount_options o;

	assert_int_equal(mount_options_parse(&m, &o, NULL), 0);
	return o;
}

#define PARSE(type, ...) parse(type, (const char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void names_are_sorted_for_the_binary_search(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 1; mount_options_name(i); i++) {
		assert_true(strcmp(mount_options_name(i - 1), mount_options_name(i)) < 0);
		n = i;
	}
	assert_true(n > 50);
}

static void no_known_name_reaches_the_file_system(void **state)
{
	(void)state;
	for (size_t i = 0; mount_options_name(i); i++) {
		const char *name = mount_options_name(i);
		struct mount_options o = PARSE("tmpfs", name);
		bool flag = strcmp(name, "sync") == 0 || strcmp(name, "dirsync") == 0 ||
			    strcmp(name, "lazytime") == 0;

		assert_int_equal(o.superblock.n, flag ? strlen(name) + 1 : 0);
		mount_options_done(&o);
	}
}

static void the_last_of_a_pair_wins(void **state)
{
	struct mount_options o;

	(void)state;
	o = PARSE("bind", "ro", "nosuid", "rw");
	assert_true(o.bind);
	assert_int_equal(o.attr_set, MOUNT_ATTR_NOSUID);
	assert_int_equal(o.attr_clear, MOUNT_ATTR_RDONLY);
	mount_options_done(&o);
	o = PARSE("bind", "rw", "ro");
	assert_int_equal(o.attr_set, MOUNT_ATTR_RDONLY);
	assert_int_equal(o.attr_clear, 0);
	mount_options_done(&o);
}

static void modes_of_atime_exclude_each_other(void **state)
{
	struct mount_options o;

	(void)state;
	o = PARSE("bind", "noatime", "strictatime");
	assert_int_equal(o.attr_set & MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(o.attr_clear & MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME);
	mount_options_done(&o);
	o = PARSE("bind", "strictatime", "relatime");
	assert_int_equal(o.attr_set & MOUNT_ATTR__ATIME, 0);
	assert_int_equal(o.attr_clear & MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME);
	mount_options_done(&o);
}

static void recursive_options_are_kept_apart(void **state)
{
	struct mount_options o = PARSE("none", "rbind", "rro", "rnosuid", "rsuid", "rslave");

	(void)state;
	assert_true(o.bind && o.recursive && o.propagation_rec);
	assert_int_equal(o.propagation, MS_SLAVE);
	assert_int_equal(o.attr_set, 0);
	assert_int_equal(o.attr_set_rec, MOUNT_ATTR_RDONLY);
	assert_int_equal(o.attr_clear_rec, MOUNT_ATTR_NOSUID);
	mount_options_done(&o);
}

static void unknown_options_are_the_file_system_s(void **state)
{
	static const char expected[] = "mode=1777\0size=4k\0newinstance";
	struct mount_options o = PARSE("tmpfs", "mode=1777", "", "nodev", "size=4k", "newinstance");

	(void)state;
	assert_int_equal(o.superblock.n, sizeof(expected));
	assert_memory_equal(o.superblock.p, expected, sizeof(expected));
	assert_int_equal(o.attr_set, MOUNT_ATTR_NODEV);
	mount_options_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sorted_for_the_binary_search),
		cmocka_unit_test(no_known_name_reaches_the_file_system),
		cmocka_unit_test(the_last_of_a_pair_wins),
		cmocka_unit_test(modes_of_atime_exclude_each_other),
		cmocka_unit_test(recursive_options_are_kept_apart),
		cmocka_unit_test(unknown_options_are_the_file_system_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
