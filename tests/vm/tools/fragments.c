// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-fragments: files whose extents are many, in each area of their blocks, and small ones of the same shapes.
 *
 *   e4c-fragments make DIR COUNT    makes them, each with about COUNT extents in each area that it is about
 *   e4c-fragments check DIR COUNT   reads each page that was written, and the holes beside it; one line for each file
 *
 * No two extents of an area can become one: what is between them is a hole, or an unwritten extent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, GROUP = 127, NODE = 127 * 127 };

struct shape {
	const char *name;
	uint64_t stride; /* pages from one that is written to the next */
	unsigned divisor; /* of COUNT */
	bool allocated; /* all of it, before */
	bool full; /* each page is written, those between are punched afterwards */
};

static const struct shape shapes[] = {
	{ "allocated", 2, 1, true, false },
	{ "punched", 2, 1, false, true },
	{ "each-group", GROUP, 1, false, false }, /* one page in each 508 KiB */
	{ "tag-blocks", 2 * GROUP, 1, false, false },
	{ "nodes", 2 * NODE, 1, false, false },
	{ "few-allocated", 2, 16, true, false },
	{ "few-tag-blocks", 2 * GROUP, 16, false, false },
	{ "few-nodes", 2 * NODE, 16, false, false },
};

static void need(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

static void fill(char *page, const struct shape *shape, uint64_t number)
{
	memset(page, (int)('a' + number % 26), PAGE);
	snprintf(page, PAGE, "%s page %llu", shape->name, (unsigned long long)number);
}

/* The I-th of COUNT numbers, each once, in an order in which few neighbours follow each other. */
static uint64_t shuffled(uint64_t i, uint64_t count)
{
	return i * 1237 % count;
}

static int opened(const char *dir, const struct shape *shape, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, shape->name);
	fd = open(path, flags | O_CLOEXEC, 0644);
	need(fd >= 0, path);
	return fd;
}

static void make(const char *dir, const struct shape *shape, uint64_t count)
{
	const uint64_t pages = count * shape->stride;
	const int fd = opened(dir, shape, O_RDWR | O_CREAT | O_EXCL);
	char page[PAGE];

	need(ftruncate(fd, (off_t)(pages * PAGE)) == 0, "ftruncate");
	if (shape->allocated)
		need(fallocate(fd, 0, 0, (off_t)(pages * PAGE)) == 0, "fallocate");
	for (uint64_t i = 0; i < (shape->full ? pages : count); i++) {
		const uint64_t number = shape->full ? i : shuffled(i, count) * shape->stride;

		fill(page, shape, number);
		need(pwrite(fd, page, PAGE, (off_t)(number * PAGE)) == PAGE, "pwrite");
	}
	need(fsync(fd) == 0, "fsync");
	for (uint64_t i = 0; shape->full && i < count; i++)
		need(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)((shuffled(i, count) * shape->stride + 1) * PAGE), PAGE) == 0, "punch");
	need(fsync(fd) == 0 && close(fd) == 0, "fsync");
}

static bool is_page(int fd, uint64_t number, const char *expected)
{
	char got[PAGE];
	const ssize_t length = pread(fd, got, PAGE, (off_t)(number * PAGE));

	need(length >= 0, "pread");
	return length == PAGE && !memcmp(got, expected, PAGE);
}

static bool check(const char *dir, const struct shape *shape, uint64_t count)
{
	static const char zeros[PAGE];
	const int fd = opened(dir, shape, O_RDONLY);
	struct stat info;
	char page[PAGE];
	bool good = fstat(fd, &info) == 0 && (uint64_t)info.st_size == count * shape->stride * PAGE;

	if (!good)
		printf("%s: its size is %llu\n", shape->name, (unsigned long long)info.st_size);
	for (uint64_t i = 0; i < count && good; i++) {
		const uint64_t number = i * shape->stride;

		fill(page, shape, number);
		good = is_page(fd, number, page) && is_page(fd, number + 1, zeros);
		if (!good)
			printf("%s: page %llu or the next has other contents\n", shape->name, (unsigned long long)number);
	}
	close(fd);
	return good;
}

int main(int argc, char **argv)
{
	const uint64_t count = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	bool good = true;

	if (count < 32 || count % 1237 == 0 || (strcmp(argv[1], "make") && strcmp(argv[1], "check"))) {
		fprintf(stderr, "usage: e4c-fragments make|check DIR COUNT, COUNT at least 32 and no multiple of 1237\n");
		return 2;
	}
	for (const struct shape *shape = shapes; shape < shapes + sizeof(shapes) / sizeof(*shapes); shape++) {
		if (!strcmp(argv[1], "make"))
			make(argv[2], shape, count / shape->divisor);
		else
			good &= check(argv[2], shape, count / shape->divisor);
	}
	return good ? 0 : 1;
}
