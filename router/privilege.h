/*
 * Giving up privileges for good.
 */
#pragma once

struct err;

/* Becomes `user` with its groups and without any capability; no way leads back. */
int privilege_drop(const char *user, struct err *e);
