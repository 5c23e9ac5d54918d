/*
 * yajl's SAX callbacks fill a tree in an arena. yajl itself has no limit on depth or keys and its
 * own tree is freed by recursion, so the limits live in the callbacks, the tree is freed by chunks,
 * and nothing here recurses on the depth of the input except json_out_value(), which is bounded by
 * the depth limit of the parser.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/utf8.h"

const struct json_limits json_limits_default = {.size = 1 << 20, .depth = 64, .members = 4096};

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t start[];
};

struct json_doc {
	struct chunk *chunks;
	struct json *root;
};

struct parser {
	struct json_doc *doc;
	const struct json_limits *limits;
	struct json *open; /* the array or object being filled */
	const char *key;   /* of the value that comes next */
	uint32_t depth;
	struct err *e;
	int failure; /* -errno set by a callback */
};

enum { CHUNK_SIZE = 16 << 10 };

static void *arena_alloc(struct json_doc *doc, size_t n)
{
	size_t need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct chunk *c = doc->chunks;

	if (!c || c->size - c->used < need) {
		size_t size = need > CHUNK_SIZE ? need : CHUNK_SIZE;

		c = malloc(sizeof(*c) + size);
		if (!c) {
			return NULL;
		}
		c->used = 0;
		c->size = size;
		c->next = doc->chunks;
		doc->chunks = c;
	}
	c->used += need;
	return (char *)c->start + c->used - need;
}

/* Names the array or object that was being filled, as what it holds is not a node yet. */
static int refuse(struct parser *p, int r, const char *why)
{
	char path[ERR_MEMBER_MAX];

	json_path(p->open, path, sizeof(path));
	p->failure = err_member(p->e, r, path, "%s", why);
	return 0;
}

static const char *arena_str(struct parser *p, const unsigned char *s, size_t n)
{
	char *copy;

	if (memchr(s, 0, n)) {
		(void)refuse(p, -EINVAL, "a string in it holds a NUL character");
		return NULL;
	}
	copy = arena_alloc(p->doc, n + 1);
	if (!copy) {
		(void)refuse(p, -ENOMEM, "out of memory");
		return NULL;
	}
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

static struct json *add(struct parser *p, enum json_type type)
{
	struct json *v;

	if (p->open && p->open->count >= p->limits->members) {
		(void)refuse(p, -E2BIG, "too many members");
		return NULL;
	}
	v = arena_alloc(p->doc, sizeof(*v));
	if (!v) {
		(void)refuse(p, -ENOMEM, "out of memory");
		return NULL;
	}
	*v = (struct json){.type = type, .key = p->key, .parent = p->open};
	p->key = NULL;
	if (!p->open) {
		p->doc->root = v;
		return v;
	}
	v->index = p->open->count++;
	if (p->open->last) {
		p->open->last->next = v;
	} else {
		p->open->first = v;
	}
	p->open->last = v;
	return v;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int truth)
{
	struct json *v = add(ctx, JSON_BOOL);

	if (v) {
		v->truth = truth;
	}
	return v != NULL;
}

static int add_text(struct parser *p, enum json_type type, const unsigned char *s, size_t n)
{
	struct json *v = add(p, type);

	if (!v) {
		return 0;
	}
	v->text = arena_str(p, s, n);
	return v->text != NULL;
}

static int on_number(void *ctx, const char *s, size_t n)
{
	return add_text(ctx, JSON_NUMBER, (const unsigned char *)s, n);
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	return add_text(ctx, JSON_STRING, s, n);
}

static int open_container(struct parser *p, enum json_type type)
{
	struct json *v;

	if (p->depth >= p->limits->depth) {
		return refuse(p, -E2BIG, "nested too deeply");
	}
	v = add(p, type);
	if (!v) {
		return 0;
	}
	p->open = v;
	p->depth++;
	return 1;
}

static int on_object(void *ctx)
{
	return open_container(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return open_container(ctx, JSON_ARRAY);
}

static int on_close(void *ctx)
{
	struct parser *p = ctx;

	/* The tree is const for its readers; the parser made it and may still write. */
	p->open = (struct json *)(uintptr_t)p->open->parent;
	p->depth--;
	return 1;
}

static int by_key(const void *a, const void *b)
{
	const struct json *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

/* Sorted, as comparing each with each takes a second for the worst text within the limits. */
static int refuse_duplicates(struct parser *p, const struct json *object)
{
	_cleanup_free_ const struct json **sorted = NULL;
	const struct json *v;

	if (object->count < 2) {
		return 1;
	}
	sorted = calloc(object->count, sizeof(*sorted));
	if (!sorted) {
		return refuse(p, -ENOMEM, "out of memory");
	}
	json_each(v, object)
	{
		sorted[v->index] = v;
	}
	qsort(sorted, object->count, sizeof(*sorted), by_key);
	for (uint32_t i = 1; i < object->count; i++) {
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0) {
			p->failure = json_error(p->e, sorted[i], "duplicate key");
			return 0;
		}
	}
	return 1;
}

static int on_object_close(void *ctx)
{
	struct parser *p = ctx;

	return refuse_duplicates(p, p->open) && on_close(p);
}

static int on_key(void *ctx, const unsigned char *s, size_t n)
{
	struct parser *p = ctx;

	p->key = arena_str(p, s, n);
	return p->key != NULL;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_close,
	.yajl_start_array = on_array,
	.yajl_end_array = on_close,
};

static int error_at(struct slice text, size_t at, struct err *e, struct slice why)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at && i < text.n; i++) {
		column = text.p[i] == '\n' ? 1 : column + 1;
		line += text.p[i] == '\n';
	}
	return err_set(e, -EINVAL, "not valid JSON at line %zu, column %zu: %.*s", line, column,
		(int)why.n, why.p);
}

/* What yajl says, without its line feed. */
static int syntax_error(yajl_handle y, struct slice text, struct err *e)
{
	unsigned char *said = yajl_get_error(y, 0, (const unsigned char *)text.p, text.n);
	struct slice why = slice_of(said ? (const char *)said : "syntax error");
	size_t at = yajl_get_bytes_consumed(y); /* past the character that offends */
	int r;

	why.n = strcspn(why.p, "\n");
	r = error_at(text, at ? at - 1 : 0, e, why);
	yajl_free_error(y, said);
	return r;
}

/* The value of four hexadecimal digits, -1 if they are not. */
static int hex4(struct slice s)
{
	int value = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = i < s.n && s.p[i] ? strchr(digits, s.p[i] | 0x20) : NULL;

		if (!at || (s.p[i] >= 0x10 && s.p[i] < 0x1a)) {
			return -1;
		}
		value = value << 4 | (int)(at - digits);
	}
	return value;
}

/* Length of the escape that s begins with; 0 for half of a surrogate pair. Other faults are yajl's to
 * find. */
static size_t escape_length(struct slice s)
{
	int unit = s.n > 1 && s.p[1] == 'u' ? hex4(slice_skip(s, 2)) : -1;
	struct slice next = slice_skip(s, 6);
	int low = next.n > 1 && next.p[0] == '\\' && next.p[1] == 'u' ? hex4(slice_skip(next, 2))
								      : -1;

	if (unit < 0xd800 || unit > 0xdfff) {
		return 2;
	}
	return unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* yajl takes overlong forms, encoded surrogates and code points past U+10FFFF for UTF-8, and makes
 * "?" or bad UTF-8 of half a surrogate pair: two texts would mean one string. */
static int check_characters(struct slice text, struct err *e)
{
	size_t valid = utf8_valid(text);

	if (valid < text.n) {
		return error_at(text, valid, e, SLICE("not UTF-8"));
	}
	for (size_t i = 0; i < text.n;) {
		/* a backslash outside of strings is an error that yajl finds */
		size_t n = text.p[i] == '\\' ? escape_length(slice_skip(text, i)) : 1;

		if (n == 0) {
			return error_at(text, i, e, SLICE("half of a surrogate pair"));
		}
		i += n;
	}
	return 0;
}

static int run_parser(yajl_handle y, struct parser *p, struct slice text)
{
	yajl_status status = yajl_parse(y, (const unsigned char *)text.p, text.n);

	if (status == yajl_status_ok) {
		status = yajl_complete_parse(y);
	}
	if (p->failure < 0) {
		return p->failure;
	}
	if (status != yajl_status_ok) {
		return syntax_error(y, text, p->e);
	}
	if (!p->doc->root) {
		return err_set(p->e, -EINVAL, "not valid JSON: no value");
	}
	return 0;
}

int json_parse(
	struct slice text, const struct json_limits *limits, struct json_doc **ret, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	struct parser p = {.limits = limits ? limits : &json_limits_default, .e = e};
	yajl_handle y;
	int r;

	if (text.n > p.limits->size) {
		return err_set(e, -E2BIG, "JSON text of %zu bytes is over the limit of %zu", text.n,
			p.limits->size);
	}
	r = check_characters(text, e);
	if (r < 0) {
		return r;
	}
	doc = calloc(1, sizeof(*doc));
	p.doc = doc;
	y = doc ? yajl_alloc(&callbacks, NULL, &p) : NULL;
	if (!y) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	r = run_parser(y, &p, text);
	yajl_free(y);
	if (r < 0) {
		return r;
	}
	*ret = take_ptr(&doc);
	return 0;
}

int json_load(int dirfd, const char *path, const struct json_limits *limits, struct json_doc **ret,
	struct err *e)
{
	size_t max = limits ? limits->size : json_limits_default.size;
	_cleanup_buf_ struct buf text = {};
	int r = files_read(dirfd, path, max, &text, e);

	if (r < 0) {
		return r;
	}
	r = json_parse(buf_slice(&text), limits, ret, e);
	return r < 0 ? err_wrap(e, r, "'%s'", path) : 0;
}

struct json_doc *json_doc_free(struct json_doc *doc)
{
	while (doc && doc->chunks) {
		struct chunk *next = doc->chunks->next;

		free(doc->chunks);
		doc->chunks = next;
	}
	free(doc);
	return NULL;
}

const struct json *json_root(const struct json_doc *doc)
{
	return doc->root;
}

void json_doc_cleanup(struct json_doc **doc)
{
	*doc = json_doc_free(*doc);
}

const struct json *json_get(const struct json *object, const char *key)
{
	const struct json *v;

	if (!object || object->type != JSON_OBJECT) {
		return NULL;
	}
	json_each(v, object)
	{
		if (v->key && strcmp(v->key, key) == 0) {
			return v;
		}
	}
	return NULL;
}

/* Builds the path from its end, so that the part next to the member survives a cut. */
void json_path(const struct json *v, char *path, size_t n)
{
	char full[1024];
	size_t at = sizeof(full) - 1;

	full[at] = '\0';
	for (; v && v->parent; v = v->parent) {
		char step[160];
		int len = v->key ? snprintf(step, sizeof(step), ".%.128s", v->key)
				 : snprintf(step, sizeof(step), "[%u]", v->index);

		if (len < 0 || (size_t)len > at) {
			break;
		}
		at -= (size_t)len;
		memcpy(full + at, step, (size_t)len);
	}
	if (full[at] == '\0') {
		(void)snprintf(path, n, ".");
	} else if (sizeof(full) - at > n) {
		(void)snprintf(path, n, "...%s", full + sizeof(full) - (n - 3));
	} else {
		(void)snprintf(path, n, "%s", full + at);
	}
}

int json_error(struct err *e, const struct json *v, const char *fmt, ...)
{
	char path[ERR_MEMBER_MAX], why[ERR_MSG_MAX];
	va_list ap;

	json_path(v, path, sizeof(path));
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_member(e, -EINVAL, path, "%s", why);
}

const char *json_type_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};

	return names[type];
}
