/*
 * The verbs of fief-shim, one file each: argv[0] is the verb's name; they return the exit status.
 */
#pragma once

int verb_prepare(int argc, char **argv);
int verb_release(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_state(int argc, char **argv);
int verb_exec(int argc, char **argv);
int verb_signal(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_logs(int argc, char **argv);
