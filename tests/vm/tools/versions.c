// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-versions: a file of which each page says which version of it this is, and a ledger that says which versions it may hold.
 *
 *   e4c-versions write FILE LEDGER PAGES OPS SEED [lax|EVERY]   random page writes, an fsync about every EVERY (64) of them, reads between
 *   e4c-versions check FILE LEDGER          every page that the ledger knows is a version that it allows
 *
 * A page may be any version from the newest that an fsync returned for ("acked") to the newest written. After an fsync that failed, what was written before it
 * may be lost, so a later fsync acknowledges only what is written again. "lax" also bears with errors (of injected faults), and ends with status 3 when the file
 * system has become read-only. Says what it found; exits with 1 if a page is wrong or, unless lax, anything fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, READ_ONLY = 3 };

struct entry {
	uint32_t acked, written;
	uint32_t pending; /* written since the last fsync, so that the next one acknowledges it */
	uint32_t cached;  /* no error since it was written: a read gives exactly "written" */
};

static struct entry *ledger;
static uint64_t pages, state;
static int lax, wrong;

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void fill(uint64_t *words, uint64_t page, uint32_t version)
{
	uint64_t x = (page + 1) * 0x9E3779B97F4A7C15ULL + version;

	words[0] = page;
	words[1] = version;
	for (int i = 2; i < WORDS; i++)
		words[i] = next(&x);
}

/* The version that WORDS are of page PAGE; 0 for zeros; -1 for anything else. */
static int64_t version_of(const uint64_t *words, uint64_t page)
{
	static const uint64_t zeros[WORDS];
	uint64_t expected[WORDS];

	if (!memcmp(words, zeros, PAGE))
		return 0;
	fill(expected, page, (uint32_t)words[1]);
	return memcmp(words, expected, PAGE) ? -1 : (int64_t)words[1];
}

static void judge(const uint64_t *words, uint64_t page, uint32_t exact)
{
	const struct entry *e = &ledger[page];
	const int64_t version = version_of(words, page);
	const uint32_t least = exact ? e->written : e->acked;

	if (version >= least && version <= e->written)
		return;
	if (wrong++ < 20)
		printf("page %lu is version %ld, not %u to %u\n", page, version, least, e->written);
}

static int failed(const char *call)
{
	printf("%s: %s\n", call, strerrorname_np(errno));
	return errno == EROFS ? READ_ONLY : 1;
}

static int open_ledger(const char *path, int create)
{
	const int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
	struct stat st;

	if (fd < 0 || (create && ftruncate(fd, (off_t)(pages * sizeof(*ledger)))) || fstat(fd, &st))
		return failed("ledger");
	pages = (uint64_t)st.st_size / sizeof(*ledger);
	ledger = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return ledger == MAP_FAILED ? failed("mmap") : 0;
}

static int settle(int fd)
{
	const int err = fsync(fd) ? errno : 0;

	for (uint64_t p = 0; p < pages; p++) {
		if (!err && ledger[p].pending)
			ledger[p].acked = ledger[p].written;
		if (err)
			ledger[p].cached = 0;
		ledger[p].pending = 0;
	}
	errno = err;
	return err;
}

static int write_pages(const char *path, uint64_t ops, uint64_t every)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	uint64_t words[WORDS], errors = 0, syncs = 0;

	if (fd < 0)
		return failed("open");
	for (uint64_t i = 0; i < ops && !wrong; i++) {
		const uint64_t page = next(&state) % pages;
		struct entry *e = &ledger[page];

		if (next(&state) % 4 == 0) {
			if (next(&state) % 4 == 0)
				posix_fadvise(fd, (off_t)(page & ~63UL) * PAGE, 64L * PAGE, POSIX_FADV_DONTNEED);
			const ssize_t got = pread(fd, words, PAGE, (off_t)(page * PAGE));

			if (got == PAGE)
				judge(words, page, lax ? 0 : e->cached); /* a page that could not be written may be dropped */
			else if (got < 0 && lax)
				errors++;
			else if (got < 0)
				return failed("pread");
			continue;
		}
		fill(words, page, e->written + 1);
		if (pwrite(fd, words, PAGE, (off_t)(page * PAGE)) == PAGE) {
			*e = (struct entry){ e->acked, e->written + 1, 1, 1 };
		} else {
			if (!lax || errno == EROFS)
				return failed("pwrite");
			errors++;
		}
		if (next(&state) % every == 0) {
			syncs++;
			if (settle(fd)) {
				if (!lax)
					return failed("fsync");
				errors++;
			}
		}
	}
	if (settle(fd)) {
		if (!lax || errno == EROFS)
			return failed("the last fsync");
		errors++;
	}
	printf("%lu operations, %lu fsyncs, %lu errors\n", ops, syncs, errors);
	close(fd);
	return wrong != 0;
}

static int check(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t words[WORDS], written = 0;

	if (fd < 0)
		return failed("open");
	for (uint64_t p = 0; p < pages; p++) {
		const ssize_t got = pread(fd, words, PAGE, (off_t)(p * PAGE));

		if (got < 0) {
			printf("page %lu: %s\n", p, strerrorname_np(errno));
			wrong++;
			continue;
		}
		memset((char *)words + got, 0, PAGE - (size_t)got);
		judge(words, p, 0);
		written += ledger[p].written != 0;
	}
	printf("%lu pages, %lu of them written, %d wrong\n", pages, written, wrong);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return open_ledger(argv[3], 0) ? 2 : check(argv[2]);
	if ((argc == 7 || argc == 8) && !strcmp(argv[1], "write")) {
		pages = strtoull(argv[4], NULL, 10);
		state = strtoull(argv[6], NULL, 10) * 0x2545F4914F6CDD1DULL + 1;
		lax = argc == 8 && !strcmp(argv[7], "lax");
		return open_ledger(argv[3], 1) ? 2 : write_pages(argv[2], strtoull(argv[5], NULL, 10), argc == 8 && !lax ? strtoull(argv[7], NULL, 10) : 64);
	}
	fprintf(stderr, "e4c-versions: see the head of tools/versions.c\n");
	return 2;
}
