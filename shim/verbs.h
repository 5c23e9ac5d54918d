/*
 * The verbs of fief-shim, one file each: argv[0] is the verb's name; they return the exit status.
 */
#pragma once

int verb_prepare(int argc, char **argv);
int verb_release(int argc, char **argv);
