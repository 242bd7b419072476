// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-enospc DIR FILLER MOST: does each operation with 0, 1, 2, ... MOST free blocks. It succeeds or says ENOSPC; what it was done to then reads,
 * after the caches were dropped, each page as before or as after; if it succeeded, all as after; and a write that was taken is not lost at fsync.
 * Operations that only change what has a place must succeed. FILLER is a plain file on the same volume, which takes the rest of the space.
 *
 * Prints "ok" and "not ok" lines; the exit status is that of the run, not of the verdicts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 700, CAP = PAGES * PAGE };

static char before[CAP], after[CAP], actual[CAP]; /* contents of the target; zeros from its size on */
static off_t size_before, size_after;
static char data[CAP]; /* what is written */
static const char *dir, *target = "target", *standing = "standing";
static int filler;
static const char *filler_path;
static int pads;

enum { FINE = 40 };
static sigjmp_buf fault;

static void die(const char *what)
{
	printf("not ok %s: %s\n", what, strerror(errno));
	exit(1);
}

static const char *pad_name(int i)
{
	static char name[256];

	snprintf(name, sizeof(name), "%s.%d", filler_path, i);
	return name;
}

static void pads_add(long count)
{
	for (; count; count--, pads++) {
		const int fd = open(pad_name(pads), O_RDWR | O_CREAT, 0600);

		if (fd < 0 || fallocate(fd, 0, 0, PAGE) || close(fd))
			die("a file of one block");
	}
}

static int pads_remove(void)
{
	while (pads)
		if (unlink(pad_name(--pads)))
			return -1;
	return 0;
}

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(fault, 1);
}

/*
 * Takes space until exactly WANT blocks are free: most by the filler, whose tree of extents may
 * take or give a block at any step, so the last few by files of one block each.
 */
static void leave_free(long want)
{
	for (int tries = 0; tries < 50; tries++) {
		struct statvfs space;
		struct stat info;
		long excess;

		sync();
		if (statvfs(".", &space) || fstat(filler, &info))
			die("statvfs");
		excess = (long)space.f_bavail - want;
		if (!excess)
			return;
		if (excess > FINE) {
			if (fallocate(filler, 0, info.st_size, (off_t)(excess - FINE / 2) * PAGE) && errno != ENOSPC)
				die("the filler");
		} else if (excess < 0) {
			if (ftruncate(filler, info.st_size + (off_t)(excess - FINE / 2) * PAGE))
				die("the filler");
		} else {
			pads_add(excess);
		}
	}
	errno = EAGAIN;
	die("the number of free blocks does not settle");
}

static void put(int fd, off_t offset, size_t length, const char *from)
{
	if (pwrite(fd, from, length, offset) != (ssize_t)length)
		die("preparing");
	memcpy(before + offset, from, length);
}

/* 126 pages, a hole, 40 pages, and 40 pages that are allocated but not written. */
static void prepare(void)
{
	const int fd = open(target, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		die("preparing");
	memset(before, 0, CAP);
	put(fd, 0, 126 * PAGE, data + 7);
	put(fd, 260 * PAGE, 40 * PAGE, data + 11);
	if (fallocate(fd, 0, 300 * PAGE, 40 * PAGE) || fsync(fd) || close(fd))
		die("preparing");
	size_before = size_after = 340 * PAGE;
	memcpy(after, before, CAP);
}

static int check_write(int fd, off_t offset, size_t length, const char *from)
{
	const ssize_t written = pwrite(fd, from, length, offset);

	memcpy(after + offset, from, length);
	if (size_after < offset + (off_t)length)
		size_after = offset + (off_t)length;
	if (written >= 0 && written < (ssize_t)length)
		errno = ENOSPC; /* the rest did not fit */
	return written == (ssize_t)length ? 0 : -1;
}

static int append(int fd) { return check_write(fd, size_before, 50 * PAGE, data + 3); }
static int append_byte(int fd) { return check_write(fd, size_before, 1, data); }
static int fill_hole(int fd) { return check_write(fd, 150 * PAGE + 100, 10 * PAGE, data + 5); }
static int far(int fd) { return check_write(fd, 650 * PAGE, 2 * PAGE, data + 5); }
static int overwrite(int fd) { return check_write(fd, 5000, 50 * PAGE, data + 1); }
static int preallocated(int fd) { return check_write(fd, 305 * PAGE, 10 * PAGE, data + 1); }

static int direct(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return fcntl(fd, F_SETFL, flags | O_DIRECT) ? -1 : check_write(fd, 140 * PAGE, 12 * PAGE, data);
}

static int map(int fd)
{
	char *volatile base = mmap(NULL, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 180 * PAGE);
	volatile int result = 0;

	if (base == MAP_FAILED)
		return -1;
	memcpy(after + 180 * PAGE, data, 20 * PAGE);
	if (sigsetjmp(fault, 1)) {
		result = -1;
		errno = ENOSPC;
	} else {
		memcpy(base, data, 20 * PAGE);
	}
	munmap(base, 20 * PAGE);
	if (result)
		errno = ENOSPC;
	return result;
}

static int copy(int fd)
{
	const int source = open(standing, O_RDONLY);
	off_t in = 0, out = 130 * PAGE;
	size_t left = 30 * PAGE;
	ssize_t copied = 0;

	memcpy(after + out, data + 9, left);
	for (; left > 0 && (copied = copy_file_range(source, &in, fd, &out, left, 0)) > 0; left -= (size_t)copied)
		;
	close(source);
	return left ? -1 : 0;
}

static int fallocate_and_fill(int fd)
{
	size_after = 520 * PAGE;
	if (fallocate(fd, 0, 500 * PAGE, 20 * PAGE))
		return -1;
	return check_write(fd, 505 * PAGE, 5 * PAGE, data);
}

static int punch(int fd)
{
	memset(after + 10 * PAGE + 50, 0, 10 * PAGE);
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10 * PAGE + 50, 10 * PAGE);
}

static int zero(int fd)
{
	memset(after + 30 * PAGE, 0, 10 * PAGE);
	return fallocate(fd, FALLOC_FL_ZERO_RANGE, 30 * PAGE, 10 * PAGE);
}

static int shrink(int fd)
{
	size_after = 64 * PAGE + 1234;
	memset(after + size_after, 0, CAP - (size_t)size_after);
	return ftruncate(fd, size_after);
}

static int grow(int fd)
{
	size_after = 600 * PAGE + 1234;
	return ftruncate(fd, size_after);
}

/* Operations on names: what is there afterwards is what the result says. */
static char name[200], text[2001];
static int make_symlink(int fd) { (void)fd; return symlink(text, name); }
static int make_directory(int fd) { (void)fd; return mkdir(name, 0755); }
static int make_link(int fd) { (void)fd; return link(standing, name); }
static int set_attribute(int fd) { return fsetxattr(fd, "user.e4c", text, 2000, 0); }

static int make_file(int fd)
{
	const int made = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	int result;

	(void)fd;
	if (made < 0)
		return -1;
	result = pwrite(made, data, 3 * PAGE, 0) == 3 * PAGE ? fsync(made) : (errno = ENOSPC, -1);
	close(made);
	if (result && unlink(name))
		die("unlink on a full disk");
	errno = ENOSPC;
	return result;
}

static const struct operation {
	const char *what;
	int (*act)(int fd);
	bool must; /* needs no space */
	bool named;
} operations[] = {
	{ "appending 50 pages, into the next group", append, false, false },
	{ "appending one byte in a new page", append_byte, false, false },
	{ "filling a hole", fill_hole, false, false },
	{ "writing far behind the end", far, false, false },
	{ "writing directly into a hole", direct, false, false },
	{ "writing into a hole through a mapping", map, false, false },
	{ "copying a range", copy, false, false },
	{ "allocating and filling", fallocate_and_fill, false, false },
	{ "overwriting", overwrite, true, false },
	{ "writing what is allocated", preallocated, true, false },
	{ "punching a hole", punch, false, false },
	{ "zeroing a range", zero, false, false },
	{ "truncating", shrink, true, false },
	{ "growing by truncate", grow, true, false },
	{ "a new file", make_file, false, true },
	{ "a symbolic link", make_symlink, false, true },
	{ "a directory", make_directory, false, true },
	{ "a link", make_link, false, true },
	{ "an attribute", set_attribute, false, false },
};

static void drop_caches(void)
{
	const int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd < 0 || write(fd, "3", 1) != 1)
		die("dropping caches");
	close(fd);
}

static const char *judge(const char *file, bool done)
{
	static char why[100];
	const int fd = open(file, O_RDONLY);
	struct stat info;
	ssize_t got;

	if (fd < 0 || fstat(fd, &info))
		return "it does not open";
	if (info.st_size != size_after && (done || info.st_size < (size_before < size_after ? size_before : size_after) ||
					   info.st_size > (size_before > size_after ? size_before : size_after)))
		return "its size is neither that before nor that after";
	memset(actual, 0, CAP);
	got = pread(fd, actual, CAP, 0);
	close(fd);
	if (got != info.st_size) {
		snprintf(why, sizeof(why), "it does not read: %s", got < 0 ? strerrorname_np(errno) : "too short");
		return why;
	}
	for (int page = 0; page < PAGES; page++) {
		const char *now = actual + page * PAGE;

		if (!memcmp(now, after + page * PAGE, PAGE) || (!done && !memcmp(now, before + page * PAGE, PAGE)))
			continue;
		snprintf(why, sizeof(why), "page %d is wrong", page);
		return why;
	}
	return NULL;
}

/* The error that the operation ends with. Errors of fsync are failures: the write was taken. */
static int attempt(const struct operation *operation, const char **wrong)
{
	const int fd = open(target, O_RDWR);
	int error;

	if (fd < 0)
		die("opening");
	error = operation->act(fd) ? errno : 0;
	if (fsync(fd) && !*wrong)
		*wrong = "fsync fails";
	close(fd);
	if (error && error != ENOSPC)
		*wrong = strerrorname_np(error);
	if (error && operation->must)
		*wrong = "it needs no space and says ENOSPC";
	return error;
}

int main(int argc, char **argv)
{
	struct sigaction bus = { .sa_handler = on_bus };
	unsigned long word = 88172645463325252;
	int fd;

	if (argc != 4 || chdir(dir = argv[1]))
		return fprintf(stderr, "e4c-enospc: see the head of tools/enospc.c\n"), 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGBUS, &bus, NULL);
	for (size_t i = 0; i < CAP; i++) {
		word ^= word << 13, word ^= word >> 7, word ^= word << 17;
		data[i] = (char)word;
	}
	memset(text, 'x', 2000);
	memset(name, 'n', 180);
	filler_path = argv[2];
	filler = open(argv[2], O_RDWR | O_CREAT, 0600);
	fd = open(standing, O_RDWR | O_CREAT, 0644);
	if (filler < 0 || fd < 0 || pwrite(fd, data + 9, 300 * PAGE, 0) != 300 * PAGE || close(fd))
		die("preparing");
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		const struct operation *operation = &operations[i];
		const char *wrong = NULL;
		int refused = 0, taken = 0, room = 0;

		for (; room <= atoi(argv[3]) && !wrong && taken < 3; room++) {
			int error;

			prepare();
			leave_free(room);
			error = attempt(operation, &wrong);
			refused += !!error;
			taken += !error;
			drop_caches();
			if (!wrong)
				wrong = judge(target, !error);
			if (!wrong && operation->named && !faccessat(AT_FDCWD, name, F_OK, AT_SYMLINK_NOFOLLOW) != !error)
				wrong = "the name is there and should not, or is not and should";
			if (pads_remove() || ftruncate(filler, 0) || unlink(target) || (operation->named && !error && remove(name)))
				die("cleaning up");
			sync();
		}
		if (!wrong && !taken)
			wrong = "it never succeeds";
		if (!wrong && (memset(after, 0, CAP), memcpy(after, data + 9, 300 * PAGE), size_after = 300 * PAGE, judge(standing, true)))
			wrong = "the file beside it has changed";
		if (wrong)
			printf("not ok %s, with %d free blocks: %s\n", operation->what, room - 1, wrong);
		else
			printf("ok %s: ENOSPC %d times, then %d times not\n", operation->what, refused, taken);
	}
	return 0;
}
