/*
 * JSON in (a tree with positions) and out (a streaming writer). The only user of yajl.
 *
 * Parsing is strict: RFC 8259, one value, UTF-8 checked, bounded in size, depth and members, a
 * duplicate key or a NUL inside a string is an error. Numbers keep their text, so that 64-bit
 * integers are exact. Every node knows its parent, so every error can name the path of the member
 * that offends, in the form ".linux.namespaces[2].type"; the root is ".".
 *
 * All nodes and strings belong to the struct json_doc and are valid until json_doc_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"

struct buf;
struct err;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool truth;		   /* JSON_BOOL */
	uint32_t count;		   /* JSON_ARRAY, JSON_OBJECT: number of children */
	uint32_t index;		   /* position within the parent */
	const char *key;	   /* member name, NULL unless the parent is an object */
	const char *text;	   /* JSON_STRING, JSON_NUMBER: NUL-terminated */
	const struct json *parent; /* NULL at the root */
	struct json *first, *last; /* children, linked by next */
	struct json *next;
};

struct json_limits {
	size_t size;	  /* bytes of text */
	uint32_t depth;	  /* nested arrays and objects */
	uint32_t members; /* of one array or object */
};

/* 1 MiB, 64 levels, 4096 members. */
extern const struct json_limits json_limits_default;

struct json_doc;

/* Parses text; limits NULL: the default ones. Returns 0 and an owned document. -EINVAL: not JSON or
 * not allowed (the message has line and column, or the path), -E2BIG: a limit was passed, -ENOMEM. */
int json_parse(
	struct slice text, const struct json_limits *limits, struct json_doc **ret, struct err *e);
/* Reads and parses a file relative to dirfd. The message begins with the path. */
int json_load(int dirfd, const char *path, const struct json_limits *limits, struct json_doc **ret,
	struct err *e);
struct json_doc *json_doc_free(struct json_doc *doc); /* returns NULL */
const struct json *json_root(const struct json_doc *doc);
void json_doc_cleanup(struct json_doc **doc);
#define _cleanup_json_ __attribute__((cleanup(json_doc_cleanup)))

/* The member of an object, or NULL. */
const struct json *json_get(const struct json *object, const char *key);
#define json_each(child, parent) for (child = (parent)->first; child; child = child->next)

/* Writes the path of v into path[n] (cut with a leading "..." if it is longer). */
void json_path(const struct json *v, char *path, size_t n);
/* -EINVAL, with the path of v and "<fmt>". */
[[gnu::format(printf, 3, 4)]] int json_error(
	struct err *e, const struct json *v, const char *fmt, ...);
const char *json_type_name(enum json_type type);

/*
 * Readers: check the type of v and convert. -EINVAL with the path of v otherwise; integers are
 * decimal without fraction or exponent, and out of range is an error.
 * The signature is that of struct json_field.read, with `at` pointing to the named type.
 */
int json_read_bool(const struct json *v, void *at /* bool */, struct err *e);
int json_read_str(const struct json *v, void *at /* const char *, borrowed */, struct err *e);
int json_read_abs_path(
	const struct json *v, void *at /* const char *, begins with '/' */, struct err *e);
int json_read_i64(const struct json *v, void *at /* int64_t */, struct err *e);
int json_read_u64(const struct json *v, void *at /* uint64_t */, struct err *e);
int json_read_u32(const struct json *v, void *at /* uint32_t */, struct err *e);
int json_read_int(const struct json *v, void *at /* int */, struct err *e);
/* Keeps the node itself, for later. */
int json_read_any(const struct json *v, void *at /* const struct json * */, struct err *e);
int json_read_object_node(const struct json *v, void *at /* const struct json * */, struct err *e);
int json_read_array_node(const struct json *v, void *at /* const struct json * */, struct err *e);
/* An array of strings as an owned NULL-terminated vector of borrowed strings. */
int json_read_strv(const struct json *v, void *at /* const char ** , owned */, struct err *e);

struct opt_i64 {
	bool set;
	int64_t v;
};
struct opt_u64 {
	bool set;
	uint64_t v;
};
struct opt_bool {
	bool set;
	bool v;
};
int json_read_opt_i64(const struct json *v, void *at /* struct opt_i64 */, struct err *e);
int json_read_opt_u64(const struct json *v, void *at /* struct opt_u64 */, struct err *e);
int json_read_opt_bool(const struct json *v, void *at /* struct opt_bool */, struct err *e);

enum json_presence { JSON_OPTIONAL, JSON_REQUIRED };
enum json_unknown { JSON_UNKNOWN_ALLOWED, JSON_UNKNOWN_REFUSED };

/* How one member of an object is read: `read(v, (char *)into + offset, e)`. */
struct json_field {
	const char *name;
	int (*read)(const struct json *v, void *at, struct err *e);
	size_t offset;
	enum json_presence presence;
};

/* Reads the members of `object` by the table `fields`, which ends with a zeroed entry. A null
 * member counts as absent. What was read before an error stays in `into`. */
int json_read(const struct json *object, const struct json_field *fields, enum json_unknown unknown,
	void *into, struct err *e);

/*
 * Writer: appends to a buf. Commas, quoting and escaping are its work; `key` is NULL inside arrays
 * and at the root. With indent the output is for people, two spaces a level. Output is a function
 * of the calls alone, and always UTF-8: bytes of a string that are not become U+FFFD.
 */
struct json_out {
	struct buf *to; /* borrowed */
	bool indent;
	uint32_t depth;
	bool comma;
};

void json_out_object(struct json_out *o, const char *key);
void json_out_object_end(struct json_out *o);
void json_out_array(struct json_out *o, const char *key);
void json_out_array_end(struct json_out *o);
void json_out_str(struct json_out *o, const char *key, const char *s);
void json_out_slice(struct json_out *o, const char *key, struct slice s);
void json_out_i64(struct json_out *o, const char *key, int64_t v);
void json_out_u64(struct json_out *o, const char *key, uint64_t v);
void json_out_bool(struct json_out *o, const char *key, bool v);
void json_out_null(struct json_out *o, const char *key);
/* An array of the strings of a NULL-terminated vector. */
void json_out_strv(struct json_out *o, const char *key, const char *const *v);
/* A parsed value again, members in their order. */
void json_out_value(struct json_out *o, const char *key, const struct json *v);
