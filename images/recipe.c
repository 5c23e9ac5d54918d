#include <string.h>

#include "images/recipe.h"

const struct recipe recipes[] = {
	{
		.name = "debian-12",
		.about = "Debian 12 (bookworm) with uWSGI for Python and Perl",
		.suite = "bookworm",
		.keyring = "/usr/share/keyrings/debian-archive-keyring.gpg",
		.components = "main",
		/* uwsgi-plugin-python3 brings the library alone; customers expect the command */
		.packages = "uwsgi-core,uwsgi-plugin-python3,uwsgi-plugin-psgi,python3,perl,"
			    "nullmailer,openssh-sftp-server,procps,less,vim-tiny,ca-certificates,"
			    "curl",
	},
	{},
};

const struct recipe *recipe_find(const char *name)
{
	for (const struct recipe *r = recipes; r->name; r++) {
		if (strcmp(r->name, name) == 0) {
			return r;
		}
	}
	return NULL;
}
