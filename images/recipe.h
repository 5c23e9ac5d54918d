/*
 * What fief-image can build, as a table. To add a distribution, add an entry in recipe.c.
 */
#pragma once

struct recipe {
	const char *name;
	const char *about;
	const char *suite;   /* of the archive */
	const char *keyring; /* signs the archive */
	const char *components;
	const char *packages; /* separated by commas */
};

/* Ends with a zeroed entry. */
extern const struct recipe recipes[];

/* NULL when there is none of this name. */
const struct recipe *recipe_find(const char *name);
