/*
 * "tmpcopyup": a tmpfs begins with a copy of what it covers. Files, directories, links and fifos are
 * copied with owner and mode; devices and sockets are left out, extended attributes are not copied.
 */
#pragma once

struct err;

/* Copies what is in the directory `from` (O_PATH will do) to the directory `to`, and its owner and mode. */
int copyup_directory(int from, int to, struct err *e);
