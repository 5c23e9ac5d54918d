/*
 * The verbs of fief-shim, one file each: argv[0] is the verb's name; they return the exit status.
 */
#pragma once

int verb_prepare(const void *globals, int argc, char **argv);
int verb_release(const void *globals, int argc, char **argv);
int verb_run(const void *globals, int argc, char **argv);
int verb_state(const void *globals, int argc, char **argv);
int verb_exec(const void *globals, int argc, char **argv);
int verb_signal(const void *globals, int argc, char **argv);
int verb_stop(const void *globals, int argc, char **argv);
int verb_logs(const void *globals, int argc, char **argv);
