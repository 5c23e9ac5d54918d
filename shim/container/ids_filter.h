/*
 * A seccomp filter that leaves its process, and all that come of it, one id to become: the customer's.
 *
 * The tyrant mode of uWSGI runs a vassal as the owner of its file, whoever that is. The customer can
 * make `vassals` a link to a directory with files of other ids of the container; their vassals would
 * run as those ids, out of the customer's sight and reach.
 */
#pragma once

/* setuid(2), setgid(2) and their kin succeed with `id` or -1 only, for x86-64 and i386 callers; else
 * EPERM. Sets no_new_privs. Returns 0 or -1 with errno. */
int ids_filter_install(unsigned id);
