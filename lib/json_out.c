/* The writer half of lib/json.h: no yajl, no allocation besides the buf. */
#include <inttypes.h>
#include <stdio.h>

#include "lib/buf.h"
#include "lib/json.h"
#include "lib/utf8.h"

static void newline(struct json_out *o)
{
	if (!o->indent) {
		return;
	}
	buf_put_str(o->to, "\n");
	for (uint32_t i = 0; i < o->depth; i++) {
		buf_put_str(o->to, "  ");
	}
}

/* s is valid UTF-8. */
static void put_escaped(struct buf *to, struct slice s)
{
	size_t plain = 0; /* start of the run that needs no escape */

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			continue;
		}
		buf_put(to, (struct slice){.p = s.p + plain, .n = i - plain});
		if (c == '"' || c == '\\') {
			buf_putf(to, "\\%c", c);
		} else if (c == '\n') {
			buf_put_str(to, "\\n");
		} else if (c == '\t') {
			buf_put_str(to, "\\t");
		} else {
			buf_putf(to, "\\u%04x", c);
		}
		plain = i + 1;
	}
	buf_put(to, slice_skip(s, plain));
}

/* Bytes that are not UTF-8 (an argument, a name of a file) become U+FFFD: output is always JSON. */
static void put_string(struct buf *to, struct slice s)
{
	buf_put_u8(to, '"');
	for (;;) {
		size_t n = utf8_valid(s);

		put_escaped(to, (struct slice){.p = s.p, .n = n});
		if (n == s.n) {
			break;
		}
		buf_put_str(to, "\xef\xbf\xbd");
		s = slice_skip(s, n + 1);
	}
	buf_put_u8(to, '"');
}

/* What stands before each value: comma, line, key. */
static void lead(struct json_out *o, const char *key)
{
	if (o->comma) {
		buf_put_u8(o->to, ',');
	}
	if (o->depth) {
		newline(o);
	}
	if (key) {
		put_string(o->to, slice_of(key));
		buf_put_str(o->to, o->indent ? ": " : ":");
	}
	o->comma = true;
}

static void open_container(struct json_out *o, const char *key, char mark)
{
	lead(o, key);
	buf_put_u8(o->to, (uint8_t)mark);
	o->depth++;
	o->comma = false;
}

static void close_container(struct json_out *o, char mark)
{
	bool empty = !o->comma;

	o->depth--;
	if (!empty) {
		newline(o);
	}
	buf_put_u8(o->to, (uint8_t)mark);
	o->comma = true;
	if (o->depth == 0 && o->indent) {
		buf_put_u8(o->to, '\n');
	}
}

void json_out_object(struct json_out *o, const char *key)
{
	open_container(o, key, '{');
}

void json_out_object_end(struct json_out *o)
{
	close_container(o, '}');
}

void json_out_array(struct json_out *o, const char *key)
{
	open_container(o, key, '[');
}

void json_out_array_end(struct json_out *o)
{
	close_container(o, ']');
}

void json_out_slice(struct json_out *o, const char *key, struct slice s)
{
	lead(o, key);
	put_string(o->to, s);
}

void json_out_str(struct json_out *o, const char *key, const char *s)
{
	json_out_slice(o, key, slice_of(s));
}

void json_out_i64(struct json_out *o, const char *key, int64_t v)
{
	lead(o, key);
	buf_putf(o->to, "%" PRId64, v);
}

void json_out_u64(struct json_out *o, const char *key, uint64_t v)
{
	lead(o, key);
	buf_putf(o->to, "%" PRIu64, v);
}

void json_out_bool(struct json_out *o, const char *key, bool v)
{
	lead(o, key);
	buf_put_str(o->to, v ? "true" : "false");
}

void json_out_null(struct json_out *o, const char *key)
{
	lead(o, key);
	buf_put_str(o->to, "null");
}

void json_out_strv(struct json_out *o, const char *key, const char *const *v)
{
	json_out_array(o, key);
	for (; v && *v; v++) {
		json_out_str(o, NULL, *v);
	}
	json_out_array_end(o);
}

static void out_children(struct json_out *o, const struct json *v)
{
	const struct json *child;

	json_each(child, v)
	{
		json_out_value(o, child->key, child);
	}
}

void json_out_value(struct json_out *o, const char *key, const struct json *v)
{
	switch (v->type) {
	case JSON_NULL:
		json_out_null(o, key);
		break;
	case JSON_BOOL:
		json_out_bool(o, key, v->truth);
		break;
	case JSON_NUMBER:
		lead(o, key);
		buf_put_str(o->to, v->text);
		break;
	case JSON_STRING:
		json_out_str(o, key, v->text);
		break;
	case JSON_ARRAY:
		json_out_array(o, key);
		out_children(o, v);
		json_out_array_end(o);
		break;
	case JSON_OBJECT:
		json_out_object(o, key);
		out_children(o, v);
		json_out_object_end(o);
		break;
	}
}
