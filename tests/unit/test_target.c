#include "tests/unit/unit.h"

#include <arpa/inet.h>

#include "router/keys.h"
#include "router/target.h"

static int may(uid_t uid, const char *address, struct target *ret)
{
	const struct sender sender = {.local = true, .uid = uid};

	return target_of(&sender, address, ret, NULL);
}

static int may_by_udp(const char *from, const char *address, struct target *ret)
{
	struct sender sender = {.uid = (uid_t)-1};

	assert_int_equal(addr_parse(slice_of(from), &sender.addr, NULL), 0);
	return target_of(&sender, address, ret, NULL);
}

static void a_customer_announces_sockets_of_its_home_alone(void **state)
{
	static const char *const others[] = {"/containers/31002/run/x", "/containers/310010/x",
		"/containers/31001", "/containers/31001x/run", "/containers/31001/../31002/x",
		"/containers/31001/run/..", "/run/x", "run/x", "127.0.0.1:80", "[::1]:80", "@x",
		"//containers/31001/x", "/containers//31001/x", "/containers/+31001/x"};
	struct target t;

	(void)state;
	assert_int_equal(may(31001, "/containers/31001/run/x", &t), 0);
	assert_int_equal(t.kind, TARGET_HOME);
	assert_int_equal(t.uid, 31001);
	assert_int_equal(may(31001, "/containers/31001/run/..x", &t), 0);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (may(31001, others[i], &t) != -EPERM) {
			fail_msg("may announce '%s'", others[i]);
		}
	}
}

static void only_uids_of_containers_and_host_root_announce(void **state)
{
	struct target t;

	(void)state;
	assert_int_equal(may(30001, "/containers/30001/x", &t), 0);
	assert_int_equal(may(49456, "/containers/49456/x", &t), 0);
	assert_int_equal(may(30000, "/containers/30000/x", &t), -EPERM);
	assert_int_equal(may(49457, "/containers/49457/x", &t), -EPERM);
	assert_int_equal(may(1000, "/containers/1000/x", &t), -EPERM);
	assert_int_equal(may((uid_t)-1, "/containers/4294967295/x", &t), -EPERM);
	assert_int_equal(may(0, "/run/any.sock", &t), 0);
	assert_int_equal(t.kind, TARGET_HOST);
	assert_int_equal(may(0, "/containers/31001/run/x", &t), 0); /* links may be in it */
	assert_int_equal(t.kind, TARGET_HOME);
	assert_int_equal(t.uid, 31001);
	assert_int_equal(may(0, "/containers/1000/run/x", &t), 0);
	assert_int_equal(t.kind, TARGET_HOST);
	assert_int_equal(may(0, "10.1.2.3:80", &t), 0);
	assert_int_equal(t.kind, TARGET_INET);
}

static void by_udp_a_sender_announces_its_own_address_alone(void **state)
{
	struct target t;

	(void)state;
	assert_int_equal(may_by_udp("10.0.0.7:999", "10.0.0.7:3031", &t), 0);
	assert_int_equal(t.kind, TARGET_INET);
	assert_int_equal(addr_port(&t.addr), 3031);
	assert_int_equal(may_by_udp("[::ffff:10.0.0.7]:9", "10.0.0.7:3031", &t), 0);
	assert_int_equal(may_by_udp("[fd00::1]:9", "[fd00::1]:3031", &t), 0);
	assert_int_equal(may_by_udp("10.0.0.7:999", "10.0.0.8:3031", &t), -EPERM);
	assert_int_equal(may_by_udp("10.0.0.7:999", "10.0.0.7:0", &t), -EPERM);
	assert_int_equal(may_by_udp("10.0.0.7:999", ":3031", &t), -EPERM);
	assert_int_equal(may_by_udp("10.0.0.7:999", "localhost:3031", &t), -EPERM);
	assert_int_equal(may_by_udp("10.0.0.7:999", "/containers/31001/x", &t), -EPERM);
}

static void addresses_are_numeric(void **state)
{
	static const char *const bad[] = {"", ":", "80", "a:80", "1.2.3.4", "1.2.3.4:", "::1:80",
		"[::1]", "[::1:80", "[1.2.3.4]:80", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3:80",
		"1.2.3.4:8 0"};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (addr_parse(slice_of(bad[i]), &a, NULL) != -EINVAL) {
			fail_msg("taken: '%s'", bad[i]);
		}
	}
	assert_int_equal(addr_parse(SLICE("127.0.0.1:8080"), &a, NULL), 0);
	addr_text(&a, text);
	assert_string_equal(text, "127.0.0.1:8080");
	assert_int_equal(a.in.sin_port, htons(8080));
	assert_int_equal(addr_parse(SLICE("[fd00::1]:1"), &a, NULL), 0);
	addr_text(&a, text);
	assert_string_equal(text, "[fd00::1]:1");
	assert_int_equal(addr_parse(SLICE(":80"), &a, NULL), 0);
	addr_text(&a, text);
	assert_string_equal(text, "[::]:80");
}

static bool in_net(const char *address, const char *net)
{
	struct addr_net n;
	struct addr a;

	assert_int_equal(addr_parse(slice_of(address), &a, NULL), 0);
	assert_int_equal(addr_parse_net(net, &n, NULL), 0);
	return addr_in_net(&a, &n);
}

static void networks_hold_their_addresses(void **state)
{
	struct addr_net n;

	(void)state;
	assert_true(in_net("10.1.2.3:1", "10.0.0.0/8"));
	assert_false(in_net("11.1.2.3:1", "10.0.0.0/8"));
	assert_true(in_net("10.1.2.130:1", "10.1.2.128/25"));
	assert_false(in_net("10.1.2.127:1", "10.1.2.128/25"));
	assert_true(in_net("10.1.2.3:1", "10.1.2.3"));
	assert_true(in_net("[::ffff:10.1.2.3]:1", "10.0.0.0/8"));
	assert_true(in_net("[fd00::1]:1", "fd00::/8"));
	assert_false(in_net("10.1.2.3:1", "fd00::/8"));
	assert_true(in_net("10.1.2.3:1", "0.0.0.0/0"));
	assert_int_equal(addr_parse_net("10.0.0.0/33", &n, NULL), -EINVAL);
	assert_int_equal(addr_parse_net("x", &n, NULL), -EINVAL);
}

static void a_key_names_its_file(void **state)
{
	char name[KEYS_FILE_NAME_MAX], longest[256];

	(void)state;
	keys_file_name("a-b_c.example", ".pem", name);
	assert_string_equal(name, "a-b_c.example.pem");
	keys_file_name("example.com:8080", ".pem", name);
	assert_string_equal(name, "example.com_8080.pem");
	keys_file_name(".wild.example", ".json", name);
	assert_string_equal(name, ".wild.example.json");
	keys_file_name("../../etc/x", ".pem", name);
	assert_string_equal(name, ".._.._etc_x.pem");
	memset(longest, 'a', 255);
	longest[255] = '\0';
	keys_file_name(longest, ".json", name);
	assert_int_equal(strlen(name), 260);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_customer_announces_sockets_of_its_home_alone),
		cmocka_unit_test(only_uids_of_containers_and_host_root_announce),
		cmocka_unit_test(by_udp_a_sender_announces_its_own_address_alone),
		cmocka_unit_test(addresses_are_numeric),
		cmocka_unit_test(networks_hold_their_addresses),
		cmocka_unit_test(a_key_names_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
