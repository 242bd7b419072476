// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-race FILE PAGES OPS: threads that write, read, punch and drop pages of one sparse file at the same time. Every 8 bytes of page P are either zero
 * or hold P + 1 in their upper half, whatever the order of things; anything else, and any error, is a failure. Prints what it found and exits with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, WRITERS = 2, READERS = 2 };

static const char *path;
static uint64_t pages, ops;
static atomic_int failures;

static void failed(const char *what, uint64_t page, uint64_t word)
{
	if (atomic_fetch_add(&failures, 1) < 20)
		printf("%s, page %lu: %s, word %016lx\n", what, page, strerrorname_np(errno), word);
}

static int open_file(void)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		failed("open", 0, 0);
	return fd;
}

static void *write_pages(void *seed)
{
	unsigned state = (unsigned)(uintptr_t)seed;
	uint64_t words[WORDS];
	const int fd = open_file();

	for (uint64_t i = 0; i < ops && !failures; i++) {
		const uint64_t page = (uint64_t)rand_r(&state) % pages;
		const off_t at = (off_t)(page * PAGE);

		for (int w = 0; w < WORDS; w++)
			words[w] = (page + 1) << 32 | (i & 0xffffffff);
		switch (rand_r(&state) % 16) {
		case 0:
			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PAGE * (1 + rand_r(&state) % 200)))
				failed("punch", page, 0);
			break;
		case 1:
			if (fdatasync(fd))
				failed("fdatasync", page, 0);
			break;
		default:
			errno = 0;
			if (pwrite(fd, words, PAGE, at) != PAGE)
				failed("pwrite", page, 0);
		}
	}
	close(fd);
	return NULL;
}

static void *read_pages(void *seed)
{
	unsigned state = (unsigned)(uintptr_t)seed;
	uint64_t words[WORDS];
	const int fd = open_file();

	for (uint64_t i = 0; i < 2 * ops && !failures; i++) {
		const uint64_t page = (uint64_t)rand_r(&state) % pages;
		ssize_t got;

		if (rand_r(&state) % 8 == 0)
			posix_fadvise(fd, (off_t)(page / 127 * 127 * PAGE), 127 * PAGE, POSIX_FADV_DONTNEED);
		errno = 0;
		got = pread(fd, words, PAGE, (off_t)(page * PAGE));
		if (got < 0)
			failed("pread", page, 0);
		for (int w = 0; w < got / 8; w++) {
			if (words[w] && words[w] >> 32 != page + 1) {
				failed("wrong contents", page, words[w]);
				break;
			}
		}
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[WRITERS + READERS];

	if (argc != 4) {
		fprintf(stderr, "usage: e4c-race FILE PAGES OPS\n");
		return 2;
	}
	path = argv[1];
	pages = strtoull(argv[2], NULL, 10);
	ops = strtoull(argv[3], NULL, 10);
	for (int i = 0; i < WRITERS + READERS; i++)
		if (pthread_create(&threads[i], NULL, i < WRITERS ? write_pages : read_pages, (void *)(uintptr_t)(i + 1)))
			return 2;
	for (int i = 0; i < WRITERS + READERS; i++)
		pthread_join(threads[i], NULL);
	printf("%d failures\n", failures);
	return failures != 0;
}
