/*
 * Labels of Linux security modules: AppArmor profiles are applied, SELinux labels are not supported
 * yet and refused where SELinux is on. With the module off the answers are runc's.
 */
#pragma once

struct err;
struct spec;
struct spec_process;

/* Before anything is made: what this host cannot do is an error. */
int labels_check(const struct spec_process *p, const char *mount_label, struct err *e);
/* Child, while it is root: the profile holds from the next execve(2) on. */
int labels_apply(const struct spec_process *p, struct err *e);
