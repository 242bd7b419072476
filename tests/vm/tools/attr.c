// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-attr: extended attributes, with values in hexadecimal digits after 0x.
 *
 *   e4c-attr set PATH NAME VALUE
 *   e4c-attr remove PATH NAME
 *   e4c-attr list PATH             each as NAME=VALUE
 *
 * Says which call failed with the errno's name, e.g. "setxattr: ENOSPC", and exits with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

static unsigned char value[65536];

static int failed(const char *call)
{
	fprintf(stderr, "%s: %s\n", call, strerrorname_np(errno));
	return 1;
}

static int set(const char *path, const char *name, const char *digits)
{
	size_t length = 0;
	unsigned byte;

	if (strncmp(digits, "0x", 2))
		return 2;
	for (digits += 2; length < sizeof(value) && sscanf(digits, "%2x", &byte) == 1; digits += 2)
		value[length++] = (unsigned char)byte;
	return lsetxattr(path, name, value, length, 0) ? failed("setxattr") : 0;
}

static int list(const char *path)
{
	static char names[65536];
	const ssize_t length = llistxattr(path, names, sizeof(names));

	if (length < 0)
		return failed("listxattr");
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		const ssize_t size = lgetxattr(path, name, value, sizeof(value));

		if (size < 0)
			return failed("getxattr");
		printf("%s=", name);
		for (ssize_t i = 0; i < size; i++)
			printf("%02x", value[i]);
		printf("\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "set"))
		return set(argv[2], argv[3], argv[4]);
	if (argc == 4 && !strcmp(argv[1], "remove"))
		return lremovexattr(argv[2], argv[3]) ? failed("removexattr") : 0;
	if (argc == 3 && !strcmp(argv[1], "list"))
		return list(argv[2]);
	fprintf(stderr, "usage: e4c-attr set PATH NAME VALUE | remove PATH NAME | list PATH\n");
	return 2;
}
