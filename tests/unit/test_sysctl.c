#include <sched.h>

#include "tests/unit/unit.h"

#include "lib/json.h"
#include "runtime/spec.h"
#include "runtime/sysctl.h"

static void assert_path(const char *key, const char *expected)
{
	char path[256];

	assert_int_equal(sysctl_path(key, path, sizeof(path)), 0);
	assert_string_equal(path, expected);
}

static void both_spellings_are_taken(void **state)
{
	(void)state;
	assert_path("net.ipv4.ip_forward", "sys/net/ipv4/ip_forward");
	assert_path("net/ipv4/ip_forward", "sys/net/ipv4/ip_forward");
	assert_path("net.ipv4.conf.eth0/1.forwarding", "sys/net/ipv4/conf/eth0.1/forwarding");
	assert_path("net/ipv4/conf/eth0.1/forwarding", "sys/net/ipv4/conf/eth0.1/forwarding");
}

static void names_that_could_lead_elsewhere_are_refused(void **state)
{
	static const char *const keys[] = {"net..ipv4", "net/../x", "net//x", "..", "net.//x"};
	char path[256], small[10];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (sysctl_path(keys[i], path, sizeof(path)) == 0) {
			fail_msg("'%s' is taken as '%s'", keys[i], path);
		}
	}
	assert_int_equal(sysctl_path("net.ipv4.ip_forward", small, sizeof(small)), -EINVAL);
}

static int check(const char *key, int namespace)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	struct spec_namespace ns = {.flag = namespace};
	struct spec spec = {.namespaces = {.items = &ns, .n = 1}};
	char text[100];

	(void)snprintf(text, sizeof(text), "{\"%s\":\"1\"}", key);
	assert_int_equal(json_parse(slice_of(text), NULL, &doc, NULL), 0);
	spec.sysctl = json_root(doc);
	return sysctl_check(&spec, NULL);
}

static void each_belongs_to_a_namespace_of_the_container(void **state)
{
	(void)state;
	assert_int_equal(check("net.core.somaxconn", CLONE_NEWNET), 0);
	assert_int_equal(check("net/core/somaxconn", CLONE_NEWNET), 0);
	assert_int_equal(check("kernel.shmmax", CLONE_NEWIPC), 0);
	assert_int_equal(check("fs.mqueue.msg_max", CLONE_NEWIPC), 0);
	assert_int_equal(check("kernel.domainname", CLONE_NEWUTS), 0);
	assert_true(check("net.core.somaxconn", CLONE_NEWIPC) < 0);
	assert_true(check("kernel.shmmax", CLONE_NEWNET) < 0);
	assert_true(check("kernel.panic", CLONE_NEWIPC) < 0);
	assert_true(check("vm.swappiness", CLONE_NEWNET) < 0);
	assert_true(check("user.max_user_namespaces", CLONE_NEWUSER) < 0);
	assert_true(check("network.x", CLONE_NEWNET) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_spellings_are_taken),
		cmocka_unit_test(names_that_could_lead_elsewhere_are_refused),
		cmocka_unit_test(each_belongs_to_a_namespace_of_the_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
