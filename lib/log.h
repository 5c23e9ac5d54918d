/*
 * Log lines for operators, on standard error: "<level> <field=value ...> <message>".
 *
 * Library code never logs; main loops and daemons do. err and warning are for somebody to act on,
 * info tells the life cycle, debug is free. Values from outside are printed with control characters
 * replaced, so a peer cannot forge a line.
 */
#pragma once

struct err;

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Process-wide: the only mutable global of the project. */
void log_set_level(enum log_level level);
/* `name` stands before every line; borrowed, lives as long as the process. */
void log_set_name(const char *name);

[[gnu::format(printf, 2, 3)]] void log_at(enum log_level level, const char *fmt, ...);

#define log_err(...)	 log_at(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* "NAME: <message of e>" as a command prints its failure; returns the exit status 1. */
int log_failure(const struct err *e);
