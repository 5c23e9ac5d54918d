/* The readers of lib/json.h: from nodes to C values, each error with the path of the member. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"

static int expect(const struct json *v, enum json_type type, struct err *e)
{
	if (v->type != type) {
		return json_error(
			e, v, "must be %s, not %s", json_type_name(type), json_type_name(v->type));
	}
	return 0;
}

int json_read_bool(const struct json *v, void *at, struct err *e)
{
	int r = expect(v, JSON_BOOL, e);

	if (r == 0) {
		*(bool *)at = v->truth;
	}
	return r;
}

int json_read_str(const struct json *v, void *at, struct err *e)
{
	int r = expect(v, JSON_STRING, e);

	if (r == 0) {
		*(const char **)at = v->text;
	}
	return r;
}

int json_read_abs_path(const struct json *v, void *at, struct err *e)
{
	int r = expect(v, JSON_STRING, e);

	if (r == 0 && v->text[0] != '/') {
		return json_error(e, v, "must be an absolute path, not '%.100s'", v->text);
	}
	if (r == 0) {
		*(const char **)at = v->text;
	}
	return r;
}

static int read_digits(
	const struct json *v, const char *digits, uint64_t max, uint64_t *ret, struct err *e)
{
	uint64_t n = 0;

	for (const char *c = digits; *c; c++) {
		if (*c < '0' || *c > '9') {
			return json_error(e, v, "must be an integer, not %.40s", v->text);
		}
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*c - '0'), &n) || n > max) {
			return json_error(e, v, "%.40s is out of range", v->text);
		}
	}
	*ret = n;
	return 0;
}

int json_read_u64(const struct json *v, void *at, struct err *e)
{
	int r = expect(v, JSON_NUMBER, e);

	if (r < 0) {
		return r;
	}
	if (v->text[0] == '-') {
		return json_error(e, v, "must not be negative, but is %.40s", v->text);
	}
	return read_digits(v, v->text, UINT64_MAX, at, e);
}

int json_read_i64(const struct json *v, void *at, struct err *e)
{
	int r = expect(v, JSON_NUMBER, e);
	bool minus = r == 0 && v->text[0] == '-';
	uint64_t n;

	if (r < 0) {
		return r;
	}
	r = read_digits(v, v->text + minus, (uint64_t)INT64_MAX + minus, &n, e);
	if (r < 0) {
		return r;
	}
	*(int64_t *)at = minus ? (int64_t)(0 - n) : (int64_t)n;
	return 0;
}

static int read_ranged(const struct json *v, int64_t min, int64_t max, int64_t *ret, struct err *e)
{
	int r = json_read_i64(v, ret, e);

	if (r == 0 && (*ret < min || *ret > max)) {
		return json_error(e, v, "%.40s is out of range", v->text);
	}
	return r;
}

int json_read_u32(const struct json *v, void *at, struct err *e)
{
	int64_t n;
	int r = read_ranged(v, 0, UINT32_MAX, &n, e);

	if (r == 0) {
		*(uint32_t *)at = (uint32_t)n;
	}
	return r;
}

int json_read_int(const struct json *v, void *at, struct err *e)
{
	int64_t n;
	int r = read_ranged(v, INT32_MIN, INT32_MAX, &n, e);

	if (r == 0) {
		*(int *)at = (int)n;
	}
	return r;
}

int json_read_any(const struct json *v, void *at, struct err *e)
{
	(void)e;
	*(const struct json **)at = v;
	return 0;
}

int json_read_object_node(const struct json *v, void *at, struct err *e)
{
	int r = expect(v, JSON_OBJECT, e);

	return r < 0 ? r : json_read_any(v, at, e);
}

int json_read_array_node(const struct json *v, void *at, struct err *e)
{
	int r = expect(v, JSON_ARRAY, e);

	return r < 0 ? r : json_read_any(v, at, e);
}

int json_read_strv(const struct json *v, void *at, struct err *e)
{
	_cleanup_free_ const char **strv = NULL;
	const struct json *item;
	int r = expect(v, JSON_ARRAY, e);

	if (r < 0) {
		return r;
	}
	strv = calloc((size_t)v->count + 1, sizeof(*strv));
	if (!strv) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	json_each(item, v)
	{
		r = json_read_str(item, &strv[item->index], e);
		if (r < 0) {
			return r;
		}
	}
	*(const char ***)at = take_ptr(&strv);
	return 0;
}

int json_read_opt_i64(const struct json *v, void *at, struct err *e)
{
	struct opt_i64 *opt = at;
	int r = json_read_i64(v, &opt->v, e);

	opt->set = r == 0;
	return r;
}

int json_read_opt_u64(const struct json *v, void *at, struct err *e)
{
	struct opt_u64 *opt = at;
	int r = json_read_u64(v, &opt->v, e);

	opt->set = r == 0;
	return r;
}

int json_read_opt_bool(const struct json *v, void *at, struct err *e)
{
	struct opt_bool *opt = at;
	int r = json_read_bool(v, &opt->v, e);

	opt->set = r == 0;
	return r;
}

static const struct json_field *find_field(const struct json_field *fields, const char *name)
{
	for (; fields->name; fields++) {
		if (strcmp(fields->name, name) == 0) {
			return fields;
		}
	}
	return NULL;
}

static int check_required(const struct json *object, const struct json_field *fields, struct err *e)
{
	for (; fields->name; fields++) {
		const struct json *v = json_get(object, fields->name);

		if (fields->presence == JSON_REQUIRED && (!v || v->type == JSON_NULL)) {
			return json_error(e, object, "member '%s' is missing", fields->name);
		}
	}
	return 0;
}

int json_read(const struct json *object, const struct json_field *fields, enum json_unknown unknown,
	void *into, struct err *e)
{
	const struct json *v;
	int r = expect(object, JSON_OBJECT, e);

	if (r < 0) {
		return r;
	}
	json_each(v, object)
	{
		const struct json_field *f = find_field(fields, v->key);

		if (!f && unknown == JSON_UNKNOWN_REFUSED) {
			return json_error(e, v, "unknown member");
		}
		if (!f || v->type == JSON_NULL) {
			continue;
		}
		r = f->read(v, (char *)into + f->offset, e);
		if (r < 0) {
			return r;
		}
	}
	return check_required(object, fields, e);
}
