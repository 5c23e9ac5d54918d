/*
 * linux.sysctl: kernel parameters of the container's own namespaces.
 */
#pragma once

#include <stddef.h>

struct err;
struct spec;

/* Refuses parameters that are not of a namespace, or of one that the container does not have. */
int sysctl_check(const struct spec *spec, struct err *e);
/* The file of a parameter relative to /proc, in either spelling of sysctl(8); -EINVAL. */
int sysctl_path(const char *key, char *path, size_t n);
/* Child: writes them through a private procfs, which nothing of the image can shadow. */
int sysctl_apply(const struct spec *spec, struct err *e);
