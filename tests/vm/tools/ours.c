// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-ours: ioctls of ours that work on a directory, with any arguments.
 *
 *   e4c-ours adopt DIR NAME FIRST COUNT [FLAGS]   E4C_IOC_ADOPT; prints the number that was found
 *   e4c-ours entries DIR [SIZE]    E4C_IOC_GET_ENTRIES until the end, SIZE bytes at a time (4096); for each entry "NAME TYPE INODE C" with the
 *                                  attribute as hexadecimal digits, or "NAME ERRNO"
 *
 * Says which call failed with the errno's name, e.g. "E4C_IOC_ADOPT: EPERM", and exits with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../../include/ext4crypt/uapi.h"

static int failed(const char *call)
{
	fprintf(stderr, "%s: %s\n", call, strerrorname_np(errno));
	return 1;
}

static int adopt(int dir, char **argument, int count)
{
	struct e4c_adopt arg = {
		.name = (uintptr_t)argument[0],
		.name_len = (__u32)strlen(argument[0]),
		.first = strtoull(argument[1], NULL, 0),
		.count = strtoull(argument[2], NULL, 0),
		.flags = count > 3 ? (__u32)strtoul(argument[3], NULL, 0) : 0,
	};

	if (ioctl(dir, E4C_IOC_ADOPT, &arg))
		return failed("E4C_IOC_ADOPT");
	printf("%llu\n", (unsigned long long)arg.first);
	return 0;
}

static void entry_print(const struct e4c_entry *entry)
{
	printf("%.*s ", (int)entry->name_len, entry->name);
	if (entry->error) {
		printf("%s\n", strerrorname_np(-entry->error));
		return;
	}
	printf("%o %llu ", entry->mode >> 12, (unsigned long long)entry->inode);
	for (unsigned i = 0; i < entry->c_size; i++)
		printf("%02x", entry->c[i]);
	printf("\n");
}

static int entries(int dir, size_t size)
{
	char *buffer = aligned_alloc(8, size + 8);
	struct e4c_get_entries arg;

	if (!buffer)
		return failed("malloc");
	do {
		/* What the kernel does not write is seen, and where it must not write too. */
		memset(buffer, 0x5a, size + 8);
		arg = (struct e4c_get_entries){ .entries = (uintptr_t)buffer, .size = (__u32)size };
		if (ioctl(dir, E4C_IOC_GET_ENTRIES, &arg))
			return failed("E4C_IOC_GET_ENTRIES");
		for (size_t at = 0; at < arg.size;) {
			const struct e4c_entry *entry = (void *)(buffer + at);

			if (!entry->size || entry->size % 8 || at + entry->size > arg.size || entry->zero)
				return failed("a record is malformed");
			entry_print(entry);
			at += entry->size;
		}
		if (buffer[size] != 0x5a)
			return failed("the kernel wrote past the buffer");
	} while (arg.size);
	free(buffer);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	int dir;

	if (!(argc >= 6 && !strcmp(verb, "adopt")) && !(argc <= 4 && !strcmp(verb, "entries"))) {
		fprintf(stderr, "usage: e4c-ours adopt DIR NAME FIRST COUNT [FLAGS] | entries DIR [SIZE]\n");
		return 2;
	}
	dir = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (dir < 0)
		return failed(argv[2]);
	if (!strcmp(verb, "adopt"))
		return adopt(dir, argv + 3, argc - 3);
	return entries(dir, argc > 3 ? strtoul(argv[3], NULL, 0) : 4096);
}
