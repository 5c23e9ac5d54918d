/* A record that is accepted is written so that it is accepted again, and says the same. */
#include <errno.h>

#include "bundles/record.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = {(const char *)data, size};
	_cleanup_json_ struct json_doc *doc = NULL, *again = NULL;
	_cleanup_record_ struct record r = {}, r2 = {};
	_cleanup_buf_ struct buf one = {}, two = {};
	struct err e = {};

	if (json_parse(in, NULL, &doc, &e) < 0) {
		return 0;
	}
	if (record_parse(json_root(doc), &r, &e) < 0) {
		MUST(e.code != 0 && e.msg[0]);
		return 0;
	}
	record_write(&r, &one);
	MUST(json_parse(buf_slice(&one), NULL, &again, &e) == 0);
	MUST(record_parse(json_root(again), &r2, &e) == 0);
	record_write(&r2, &two);
	MUST(slice_eq(buf_slice(&one), buf_slice(&two)));
	return 0;
}
