// SPDX-License-Identifier: Apache-2.0
/* e4c-map DIR TWINS OTHER: files through mappings. OTHER: a readable file of at least two pages on another file system that can do O_DIRECT. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "twin.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static sigjmp_buf on_bus_error;
static void bus_error(int number)
{
	(void)number;
	siglongjmp(on_bus_error, 1);
}

static bool faults(volatile uint8_t *at, bool write)
{
	if (sigsetjmp(on_bus_error, 1))
		return true;
	if (write)
		*at = 1;
	else
		(void)*at;
	return false;
}

static uint8_t *map_pages(int fd, int flags, int page, int count)
{
	uint8_t *base = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE, flags, fd, page * (off_t)PAGE);

	need(base != MAP_FAILED, "mmap");
	return base;
}

static void cold(int fd)
{
	need(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "dropping the cache of one file");
}

static void shared_and_private(void)
{
	struct twin t = twin_open("mapped", 0);
	uint8_t *base, *own, *bytes = fresh_bytes(20 * PAGE);

	twin_write(&t, 0, 130 * PAGE + 99);
	need(ftruncate(t.fd, 200 * PAGE + 50) == 0, "ftruncate");
	twin_expect_size(&t, 200 * PAGE + 50);
	cold(t.fd);
	base = map_pages(t.fd, MAP_SHARED, 0, 202);
	own = map_pages(t.fd, MAP_PRIVATE, 0, 200);
	memcpy(base + 120 * PAGE + 10, bytes, 20 * PAGE); /* written pages, the last one, holes; two groups */
	twin_expect(&t, 120 * PAGE + 10, bytes, 20 * PAGE);
	twin_agree(&t, "a shared mapping: written");
	check(!memcmp(own + 120 * PAGE + 10, bytes, 20 * PAGE), "a private mapping shows it");
	memset(own + 5 * PAGE, 0xAA, 3 * PAGE);
	memset(own + 190 * PAGE, 0xBB, PAGE);
	twin_agree(&t, "writes to a private mapping do not reach the file");
	check_number(msync(base, 150 * PAGE, MS_SYNC), 0, "msync");
	check_number(msync(base, 150 * PAGE, MS_ASYNC), 0, "msync, asynchronous");
	cold(t.fd);
	check(own[5 * PAGE] == 0xAA, "they stay in it");
	/* The mapping is dropped, the contents are not. */
	memcpy(base + 40 * PAGE, bytes, 5 * PAGE);
	twin_expect(&t, 40 * PAGE, bytes, 5 * PAGE);
	check_number(madvise(base, 200 * PAGE, MADV_DONTNEED), 0, "MADV_DONTNEED");
	check(!memcmp(base + 40 * PAGE, bytes, 5 * PAGE), "keeps what was written to a shared mapping");
	check_number(madvise(own, 20 * PAGE, MADV_DONTNEED), 0, "MADV_DONTNEED of a private one");
	need(pread(t.copy, bytes, PAGE, 5 * PAGE) == PAGE, "pread");
	check(!memcmp(own + 5 * PAGE, bytes, PAGE), "which shows the file again");
	check(base[200 * PAGE + 50] == 0 && base[201 * PAGE - 1] == 0, "past the end, a mapping is zeros");
	base[200 * PAGE + 60] = 1; /* lost, as on every file system */
	check(faults(base + 201 * PAGE, false), "a page further, it is SIGBUS");
	cold(t.fd);
	need(ftruncate(t.fd, 200 * PAGE + 100) == 0, "ftruncate");
	twin_expect_size(&t, 200 * PAGE + 100);
	twin_agree(&t, "what was written there does not come into the file");
	need(ftruncate(t.fd, 125 * PAGE + 5) == 0, "ftruncate");
	twin_expect_size(&t, 125 * PAGE + 5);
	check(faults(base + 126 * PAGE, true), "what is truncated is SIGBUS");
	check(base[125 * PAGE + 5] == 0 && base[126 * PAGE - 1] == 0, "and zero in the last page");
	twin_agree(&t, "truncated under a mapping");
	need(ftruncate(t.fd, 140 * PAGE) == 0, "ftruncate");
	twin_expect_size(&t, 140 * PAGE);
	memcpy(base + 138 * PAGE, bytes, PAGE);
	twin_expect(&t, 138 * PAGE, bytes, PAGE);
	need(fallocate(t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100 * PAGE + 1, 30 * PAGE) == 0, "punch");
	twin_expect_zero(&t, 100 * PAGE + 1, 30 * PAGE);
	check(base[110 * PAGE] == 0 && base[129 * PAGE] == 0, "a hole punched under a mapping is zeros");
	memcpy(base + 110 * PAGE, bytes, PAGE);
	twin_expect(&t, 110 * PAGE, bytes, PAGE);
	twin_agree(&t, "and can be written again");
	munmap(base, 202 * PAGE);
	munmap(own, 200 * PAGE);
	free(bytes);
	twin_close(&t);
}

static void populate_and_move(void)
{
	struct twin t = twin_open("populated", 0);
	uint8_t *base, *moved, *bytes = fresh_bytes(8 * PAGE);
	pid_t child;
	int status;

	twin_write(&t, 0, 4 * PAGE);
	need(ftruncate(t.fd, 160 * PAGE) == 0, "ftruncate");
	twin_expect_size(&t, 160 * PAGE);
	base = map_pages(t.fd, MAP_SHARED, 0, 16);
	check_number(madvise(base, 16 * PAGE, MADV_POPULATE_WRITE), 0, "MADV_POPULATE_WRITE over data and holes");
	twin_agree(&t, "changes nothing");
	check_number(fsync(t.fd), 0, "fsync");
	cold(t.fd);
	check_number(madvise(base, 16 * PAGE, MADV_POPULATE_READ), 0, "MADV_POPULATE_READ");
	moved = mremap(base, 16 * PAGE, 150 * PAGE, MREMAP_MAYMOVE);
	if (check(moved != MAP_FAILED, "mremap to more pages")) {
		memcpy(moved + 122 * PAGE + 7, bytes, 8 * PAGE);
		twin_expect(&t, 122 * PAGE + 7, bytes, 8 * PAGE);
		child = fork();
		if (child == 0) {
			moved[20 * PAGE] = 'c';
			_exit(moved[122 * PAGE + 7] == bytes[0] ? 0 : 1);
		}
		waitpid(child, &status, 0);
		check_number(status, 0, "a child sees and writes the same mapping");
		twin_expect(&t, 20 * PAGE, "c", 1);
		check_number(mprotect(moved, PAGE, PROT_READ), 0, "mprotect");
		check(faults(moved, true), "makes it read-only");
	}
	twin_agree(&t, "after mremap");
	munmap(moved, 150 * PAGE);
	check_errno((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, t.fd, 0), EOPNOTSUPP, "MAP_SYNC is refused");
	free(bytes);
	twin_close(&t);
}

/* Bytes go from a file's mapping into the same file, and into a mapping without the processor touching it. */
static void through_the_kernel(const char *other)
{
	struct twin t = twin_open("from-itself", 0);
	uint8_t *bytes = fresh_bytes(4 * PAGE), *base, *back = fresh_bytes(4 * PAGE);
	struct iovec local = { bytes, 2 * PAGE }, remote;
	int fd;

	twin_write(&t, 0, 12 * PAGE);
	cold(t.fd);
	base = map_pages(t.fd, MAP_SHARED, 0, 12);
	check_number(pwrite(t.fd, base + 3 * PAGE + 5, 2 * PAGE, 8 * PAGE), 2 * PAGE, "write(2) from a mapping of the same file, not yet read");
	need(pread(t.copy, bytes, 2 * PAGE, 3 * PAGE + 5) == 2 * PAGE, "pread");
	twin_expect(&t, 8 * PAGE, bytes, 2 * PAGE);
	twin_agree(&t, "what it wrote");
	cold(t.fd);
	check_number(pwrite(t.fd, base + PAGE, PAGE, PAGE), PAGE, "write(2) of a page from itself");
	check_number(pwrite(t.fd, base + 10 * PAGE, 2 * PAGE, 12 * PAGE), 2 * PAGE, "write(2) from a mapping past the end");
	need(pread(t.copy, bytes, 2 * PAGE, 10 * PAGE) == 2 * PAGE, "pread");
	twin_expect(&t, 12 * PAGE, bytes, 2 * PAGE);
	twin_agree(&t, "what they wrote");
	check_number(pread(t.fd, base + 6 * PAGE + 1, 2 * PAGE, 0), 2 * PAGE, "read(2) into a mapping of the same file");
	need(pread(t.copy, bytes, 2 * PAGE, 0) == 2 * PAGE, "pread");
	twin_expect(&t, 6 * PAGE + 1, bytes, 2 * PAGE);
	twin_agree(&t, "what it read");
	cold(t.fd);
	fd = open(other, O_RDONLY | O_DIRECT | O_CLOEXEC);
	need(fd >= 0, other);
	check_number(pread(fd, base + 2 * PAGE, 2 * PAGE, 0), 2 * PAGE, "a direct read of another device into a mapping");
	need(pread(fd, back, 2 * PAGE, 0) == 2 * PAGE, "pread");
	twin_expect(&t, 2 * PAGE, back, 2 * PAGE);
	twin_agree(&t, "what it read there");
	close(fd);
	remote = (struct iovec){ base + 9 * PAGE + 9, 2 * PAGE };
	check_number(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), 2 * PAGE, "process_vm_writev into a mapping");
	twin_expect(&t, 9 * PAGE + 9, bytes, 2 * PAGE);
	twin_agree(&t, "what it wrote there");
	munmap(base, 12 * PAGE);
	free(bytes);
	free(back);
	twin_close(&t);
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = bus_error };

	if (argc != 4) {
		fprintf(stderr, "usage: e4c-map DIR TWINS OTHER\n");
		return 2;
	}
	twin_directories(argv[1], argv[2]);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	shared_and_private();
	populate_and_move();
	through_the_kernel(argv[3]);
	return finish();
}
