// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-io: single file operations that no standard program offers.
 *
 *   e4c-io mmap-write FILE OFFSET TEXT   writes TEXT through a shared mapping
 *   e4c-io pread FILE OFFSET LENGTH      the bytes, to standard output; fails as read(2) does
 *   e4c-io fallocate FILE MODE OFFSET LENGTH   MODE: alloc, keep, punch, zero, collapse, insert
 *   e4c-io storm FILE OFFSET TIMES       reads one byte there that many times, each of which must fail with EIO
 *   e4c-io mmap-fill FILE LENGTH         makes a new file of that size and writes each page through a mapping, until a page fault is refused; prints how many
 *   e4c-io hold-mapping FILE LENGTH READY GO   a new file of that size, filled with 'a' through a mapping and left dirty; creates READY, waits for GO, fills
 *                                        it with 'b' and syncs it
 *   e4c-io sync-range FILE               writes out what is dirty and waits, and asks for no commit of the journal
 *   e4c-io truncate FILE LENGTH          ftruncate(2), on a file that is open already
 *   e4c-io seek-data FILE OFFSET         lseek(2) with SEEK_DATA: the offset
 *   e4c-io creat FILE                    creates an empty file
 *   e4c-io flip FILE OFFSET              flips the lowest bit of one byte (for disks)
 *   e4c-io swap FILE OFFSET OFFSET LENGTH  swaps two ranges (for disks)
 *
 * Says which call failed with the errno's name, e.g. "pread: EIO", and exits with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int failed(const char *call)
{
	fprintf(stderr, "%s: %s\n", call, strerrorname_np(errno));
	return 1;
}

static int mmap_write(int fd, off_t offset, const char *text)
{
	const off_t skip = offset % 4096;
	const size_t length = strlen(text);
	char *base = mmap(NULL, length + (size_t)skip, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset - skip);

	if (base == MAP_FAILED)
		return failed("mmap");
	memcpy(base + skip, text, length);
	if (msync(base, length + (size_t)skip, MS_SYNC))
		return failed("msync");
	return munmap(base, length + (size_t)skip) ? failed("munmap") : 0;
}

static int read_range(int fd, off_t offset, size_t length)
{
	char buffer[4096];

	while (length > 0) {
		const size_t want = length < sizeof(buffer) ? length : sizeof(buffer);
		const ssize_t got = pread(fd, buffer, want, offset);

		if (got < 0)
			return failed("pread");
		if (got == 0)
			break;
		if (fwrite(buffer, 1, (size_t)got, stdout) != (size_t)got)
			return failed("fwrite");
		offset += got;
		length -= (size_t)got;
	}
	return 0;
}

static int allocate(int fd, const char *name, off_t offset, off_t length)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = {
		{ "alloc", 0 },
		{ "keep", FALLOC_FL_KEEP_SIZE },
		{ "punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
		{ "zero", FALLOC_FL_ZERO_RANGE },
		{ "collapse", FALLOC_FL_COLLAPSE_RANGE },
		{ "insert", FALLOC_FL_INSERT_RANGE },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, name))
			return fallocate(fd, modes[i].mode, offset, length) ? failed("fallocate") : 0;
	errno = EINVAL;
	return failed("mode");
}

static int storm(int fd, off_t offset, long times)
{
	char byte;

	for (long i = 0; i < times; i++)
		if (pread(fd, &byte, 1, offset) != -1 || errno != EIO)
			return failed("pread did not fail");
	return 0;
}

static sigjmp_buf no_page;

static void on_bus_error(int signal)
{
	siglongjmp(no_page, signal);
}

static int mmap_fill(int fd, size_t length)
{
	static volatile size_t at;
	char *base;

	if (ftruncate(fd, (off_t)length))
		return failed("ftruncate");
	base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return failed("mmap");
	signal(SIGBUS, on_bus_error);
	if (!sigsetjmp(no_page, 1))
		for (at = 0; at < length; at += 4096)
			memset(base + at, 'm', 4096);
	printf("%zu\n", at / 4096);
	return msync(base, length, MS_SYNC) ? failed("msync") : 0;
}

static int hold_mapping(int fd, size_t length, const char *ready, const char *go)
{
	char *base;
	int made;

	if (ftruncate(fd, (off_t)length))
		return failed("ftruncate");
	base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return failed("mmap");
	memset(base, 'a', length);
	made = open(ready, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (made < 0)
		return failed("open");
	while (access(go, F_OK))
		usleep(50000);
	for (size_t i = 0; i < length; i++)
		if (base[i] != 'a')
			return failed("the mapping has changed");
	memset(base, 'b', length);
	return msync(base, length, MS_SYNC) ? failed("msync") : 0;
}

static int seek_data(int fd, off_t offset)
{
	offset = lseek(fd, offset, SEEK_DATA);
	if (offset < 0)
		return failed("lseek");
	return printf("%lld\n", (long long)offset) < 0;
}

static int flip(int fd, off_t offset)
{
	uint8_t byte;

	if (pread(fd, &byte, 1, offset) != 1)
		return failed("pread");
	byte ^= 1;
	if (pwrite(fd, &byte, 1, offset) != 1)
		return failed("pwrite");
	return fsync(fd) ? failed("fsync") : 0;
}

static int swap(int fd, off_t a, off_t b, size_t length)
{
	char *first = malloc(length), *second = malloc(length);
	int result = 0;

	if (!first || !second || pread(fd, first, length, a) != (ssize_t)length || pread(fd, second, length, b) != (ssize_t)length)
		result = failed("pread");
	else if (pwrite(fd, second, length, a) != (ssize_t)length || pwrite(fd, first, length, b) != (ssize_t)length || fsync(fd))
		result = failed("pwrite");
	free(first);
	free(second);
	return result;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	int fd, flags = O_RDWR | O_CLOEXEC;

	if (!strcmp(verb, "pread"))
		flags = O_RDONLY | O_CLOEXEC;
	else if (!strcmp(verb, "creat") || !strcmp(verb, "mmap-fill") || !strcmp(verb, "hold-mapping"))
		flags |= O_CREAT;
	fd = argc > 2 ? open(argv[2], flags, 0644) : -1;
	if (argc > 2 && fd < 0)
		return failed("open");
	if (!strcmp(verb, "creat") && argc == 3)
		return 0;
	if (!strcmp(verb, "mmap-write") && argc == 5)
		return mmap_write(fd, atoll(argv[3]), argv[4]);
	if (!strcmp(verb, "pread") && argc == 5)
		return read_range(fd, atoll(argv[3]), (size_t)atoll(argv[4]));
	if (!strcmp(verb, "fallocate") && argc == 6)
		return allocate(fd, argv[3], atoll(argv[4]), atoll(argv[5]));
	if (!strcmp(verb, "storm") && argc == 5)
		return storm(fd, atoll(argv[3]), atol(argv[4]));
	if (!strcmp(verb, "mmap-fill") && argc == 4)
		return mmap_fill(fd, (size_t)atoll(argv[3]));
	if (!strcmp(verb, "hold-mapping") && argc == 6)
		return hold_mapping(fd, (size_t)atoll(argv[3]), argv[4], argv[5]);
	if (!strcmp(verb, "sync-range") && argc == 3)
		return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) ?
			       failed("sync_file_range") : 0;
	if (!strcmp(verb, "seek-data") && argc == 4)
		return seek_data(fd, atoll(argv[3]));
	if (!strcmp(verb, "truncate") && argc == 4)
		return ftruncate(fd, atoll(argv[3])) ? failed("truncate") : 0;
	if (!strcmp(verb, "flip") && argc == 4)
		return flip(fd, atoll(argv[3]));
	if (!strcmp(verb, "swap") && argc == 6)
		return swap(fd, atoll(argv[3]), atoll(argv[4]), (size_t)atoll(argv[5]));
	fprintf(stderr, "e4c-io: see the head of tools/io.c\n");
	return 2;
}
