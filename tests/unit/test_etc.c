#include "tests/unit/unit.h"

#include "bundles/etc.h"
#include "bundles/record.h"
#include "lib/buf.h"

static const struct record record = {.uid = 31001, .name = "shop", .hostname = "web"};

static void passwd_is_the_images_and_ours(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	etc_passwd(SLICE("root:x:0:0:root:/root:/bin/sh\nmail:x:8:8::/:/bin/false"), &record,
		"/bin/bash", &b);
	assert_string_equal(buf_str(&b), "root:x:0:0:root:/root:/bin/sh\nmail:x:8:8::/:/bin/false\n"
					 "31001:x:31001:31001:shop:/containers/31001:/bin/bash\n");
}

static void lines_of_the_image_that_claim_our_name_or_id_are_left_out(void **state)
{
	_cleanup_buf_ struct buf passwd = {}, group = {};

	(void)state;
	etc_passwd(SLICE("evil:x:31001:0::/:/bin/sh\n31001:x:0:0::/:/bin/sh\n\nx\n"), &record,
		"/bin/sh", &passwd);
	assert_string_equal(
		buf_str(&passwd), "31001:x:31001:31001:shop:/containers/31001:/bin/sh\n");
	etc_group(SLICE("31001:x:0:\nusers:x:100:a,b\n"), &record, &group);
	assert_string_equal(buf_str(&group), "users:x:100:a,b\n31001:x:31001:\n");
}

static void the_first_content_comes_from_the_record(void **state)
{
	struct record_host host = {.address = "192.0.2.9", .names = {"db", "db.local"}};
	struct record r = record;
	_cleanup_buf_ struct buf hosts = {}, hostname = {}, resolv = {};

	(void)state;
	r.hosts = &host;
	r.hosts_n = 1;
	r.nameservers[0] = "192.0.2.1";
	etc_hosts(&r, &hosts);
	etc_hostname(&r, &hostname);
	etc_resolv_conf(&r, &resolv);
	assert_contains(buf_str(&hosts), "127.0.0.1\tlocalhost\n");
	assert_contains(buf_str(&hosts), "\tweb\n192.0.2.9\tdb db.local\n");
	assert_string_equal(buf_str(&hostname), "web\n");
	assert_string_equal(buf_str(&resolv), "nameserver 192.0.2.1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwd_is_the_images_and_ours),
		cmocka_unit_test(lines_of_the_image_that_claim_our_name_or_id_are_left_out),
		cmocka_unit_test(the_first_content_comes_from_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
