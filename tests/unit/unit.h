/*
 * What every unit test includes: cmocka and the headers that it wants before it.
 *
 * The name of a test is a sentence of behaviour. A test makes its files in a directory of its own
 * (unit_dir()), which the teardown removes.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (!strstr((text), (part))) {                                                     \
			fail_msg("'%s' does not contain '%s'", (text), (part));                    \
		}                                                                                  \
	} while (0)
