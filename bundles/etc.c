#include <stdio.h>
#include <string.h>

#include "bundles/etc.h"
#include "bundles/record.h"
#include "lib/buf.h"

static struct slice take_until(struct slice *s, char mark)
{
	const char *end = s->n ? memchr(s->p, mark, s->n) : NULL;
	struct slice head = {.p = s->p, .n = end ? (size_t)(end - s->p) : s->n};

	*s = slice_skip(*s, head.n + 1);
	return head;
}

/* passwd and group both begin with name:password:id. */
static bool is_others(struct slice line, struct slice number)
{
	struct slice name = take_until(&line, ':');
	struct slice id;

	(void)take_until(&line, ':');
	id = take_until(&line, ':');
	return name.n && id.n && !slice_eq(name, number) && !slice_eq(id, number);
}

static void copy_others(struct slice image, const struct record *r, struct buf *to)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", r->uid);
	while (image.n) {
		struct slice line = take_until(&image, '\n');

		if (is_others(line, slice_of(number))) {
			buf_put(to, line);
			buf_put_str(to, "\n");
		}
	}
}

void etc_passwd(struct slice image, const struct record *r, const char *shell, struct buf *to)
{
	copy_others(image, r, to);
	buf_putf(to, "%u:x:%u:%u:%s:/containers/%u:%s\n", r->uid, r->uid, r->uid, r->name, r->uid,
		shell);
}

void etc_group(struct slice image, const struct record *r, struct buf *to)
{
	copy_others(image, r, to);
	buf_putf(to, "%u:x:%u:\n", r->uid, r->uid);
}

void etc_hosts(const struct record *r, struct buf *to)
{
	buf_putf(to, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t%s\n",
		r->hostname);
	for (size_t i = 0; i < r->hosts_n; i++) {
		buf_put_str(to, r->hosts[i].address);
		for (const char *const *name = r->hosts[i].names; *name; name++) {
			buf_put_str(to, name == r->hosts[i].names ? "\t" : " ");
			buf_put_str(to, *name);
		}
		buf_put_str(to, "\n");
	}
}

void etc_hostname(const struct record *r, struct buf *to)
{
	buf_putf(to, "%s\n", r->hostname);
}

void etc_resolv_conf(const struct record *r, struct buf *to)
{
	for (const char *const *address = r->nameservers; *address; address++) {
		buf_putf(to, "nameserver %s\n", *address);
	}
}
