// SPDX-License-Identifier: Apache-2.0
/* e4c-agree DIR TWINS WHEN: each file of TWINS has one in DIR, and their contents agree. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "twin.h"

int main(int argc, char **argv)
{
	struct dirent *entry;
	char name[128];
	DIR *twins;

	if (argc != 4) {
		fprintf(stderr, "usage: e4c-agree DIR TWINS WHEN\n");
		return 2;
	}
	twin_directories(argv[1], argv[2]);
	snprintf(name, sizeof(name), "all files agree, %s", argv[3]);
	twins = opendir(argv[2]);
	need(twins != NULL, argv[2]);
	while ((entry = readdir(twins))) {
		struct twin t;

		if (entry->d_type != DT_REG)
			continue;
		t = twin_existing(entry->d_name);
		twin_agree(&t, name);
		twin_close(&t);
	}
	closedir(twins);
	return finish();
}
