// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-space DIR TWINS PAGES first|again: fallocate, holes as SEEK_HOLE, SEEK_DATA, FIEMAP and GET_ES_CACHE tell them, sparse files, and the largest
 * file, which has PAGES pages. "again": what "first" has left behind, after the caches were dropped or the volume was remounted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "twin.h"

/* fs/ext4/ext4.h; not among the exported headers. */
#define EXT4_IOC_CLEAR_ES_CACHE _IO('f', 40)
#define EXT4_IOC_GETSTATE _IOW('f', 41, uint32_t)
#define EXT4_IOC_GET_ES_CACHE _IOWR('f', 42, struct fiemap)
#define EXT4_IOC_PRECACHE_EXTENTS _IO('f', 18)
#define EXT4_STATE_FLAG_EXT_PRECACHED 1
#define EXT4_FIEMAP_EXTENT_HOLE 0x08000000u /* GET_ES_CACHE tells of holes that are known to be some */

static off_t limit; /* bytes */

/* ---- fallocate -------------------------------------------------------------- */

static const struct {
	const char *name;
	int mode;
} modes[] = {
	{ "allocate", 0 },
	{ "allocate, keep size", FALLOC_FL_KEEP_SIZE },
	{ "punch hole", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
	{ "zero range", FALLOC_FL_ZERO_RANGE },
	{ "zero range, keep size", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE },
};

/* A file of 170 pages over two tag blocks, the later half dirty; holes at pages 60 to 69 and 120 to 129. */
enum { FILE_PAGES = 170 };

static const struct {
	off_t offset, length;
} ranges[] = {
	{ 0, FILE_PAGES * PAGE },			/* everything */
	{ 50 * PAGE, 90 * PAGE },			/* over both holes and the border of groups, over written and dirty pages */
	{ 125 * PAGE + 1, PAGE - 2 },			/* within one page, which is a hole */
	{ 126 * PAGE - 10, 20 },			/* over a page border, which is that of two groups */
	{ 10 * PAGE + 100, 130 * PAGE + 77 },		/* unaligned, long */
	{ 160 * PAGE, 40 * PAGE },			/* over the end */
	{ 169 * PAGE + 500, 1000 },			/* in the last page, before the end */
	{ FILE_PAGES * PAGE, 100 * PAGE },		/* from the end on */
	{ 300 * PAGE + 9, 3 * PAGE },			/* past the end */
};

static void build(struct twin *t)
{
	twin_write(t, 0, 60 * PAGE);
	twin_write(t, 70 * PAGE, 20 * PAGE);
	need(fsync(t->fd) == 0, "fsync");
	twin_write(t, 90 * PAGE, 30 * PAGE);
	twin_write(t, 130 * PAGE, 40 * PAGE);
}

static void allocation_modes(void)
{
	char name[64];

	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
			const off_t offset = ranges[r].offset, length = ranges[r].length;
			const int mode = modes[m].mode;
			struct twin t;

			snprintf(name, sizeof(name), "fallocate-%zu-%zu", m, r);
			t = twin_open(name, 0);
			build(&t);
			snprintf(name, sizeof(name), "fallocate: %s, range %zu", modes[m].name, r);
			if (fallocate(t.fd, mode, offset, length)) {
				check(false, name);
				continue;
			}
			if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
				twin_expect_zero(&t, offset, length);
			if (!(mode & FALLOC_FL_KEEP_SIZE) && offset + length > FILE_PAGES * PAGE)
				twin_expect_size(&t, offset + length);
			twin_agree(&t, name);
			/* What was allocated can be written, also past the end. */
			twin_write(&t, offset + length / 2, 3000);
			twin_close(&t);
		}
	}
}

static off_t blocks(int fd)
{
	struct stat info;

	need(fstat(fd, &info) == 0, "fstat");
	return info.st_blocks / (PAGE / 512);
}

static void allocation_refused(void)
{
	struct twin t = twin_open("refused", 0);
	off_t before;

	twin_write(&t, 0, 40 * PAGE);
	check_errno(fallocate(t.fd, FALLOC_FL_COLLAPSE_RANGE, 8 * PAGE, 8 * PAGE), EOPNOTSUPP, "collapse range is refused");
	check_errno(fallocate(t.fd, FALLOC_FL_INSERT_RANGE, 8 * PAGE, 8 * PAGE), EOPNOTSUPP, "insert range is refused");
	check_errno(fallocate(t.fd, FALLOC_FL_UNSHARE_RANGE, 0, 8 * PAGE), EOPNOTSUPP, "unshare is refused, as by ext4");
	check_errno(fallocate(t.fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP, "punch hole without keep size is refused");
	check_errno(fallocate(t.fd, 0, 0, 0), EINVAL, "fallocate of nothing is refused");
	twin_agree(&t, "and nothing has changed");

	/* KEEP_SIZE past the end: blocks without size; a larger size shows zeros; truncation frees them. */
	need(fsync(t.fd) == 0, "fsync");
	before = blocks(t.fd);
	need(fallocate(t.fd, FALLOC_FL_KEEP_SIZE, 40 * PAGE, 20 * PAGE) == 0, "fallocate");
	check_number(blocks(t.fd) - before, 20, "keep size past the end allocates");
	twin_agree(&t, "and shows nothing");
	need(ftruncate(t.fd, 50 * PAGE + 7) == 0, "ftruncate");
	twin_expect_size(&t, 50 * PAGE + 7);
	twin_agree(&t, "in a grown file it reads as zeros");
	twin_write(&t, 45 * PAGE + 5, PAGE);
	need(ftruncate(t.fd, 40 * PAGE) == 0, "ftruncate");
	twin_expect_size(&t, 40 * PAGE);
	need(fsync(t.fd) == 0, "fsync");
	check_number(blocks(t.fd), before, "truncation frees it");
	twin_close(&t);
}

/* ---- what is where ------------------------------------------------------------ */

static const struct stretch {
	uint64_t first, end; /* pages */
	uint32_t flags;
} stretches[] = {
	{ 0, 10, 0 },
	{ 20, 30, 0 },
	{ 30, 40, FIEMAP_EXTENT_UNWRITTEN },
	{ 40, 50, 0 },
	{ 50, 55, FIEMAP_EXTENT_UNWRITTEN },
	{ 400, 401, 0 },
};

static void stretches_build(struct twin *t)
{
	twin_write(t, 0, 10 * PAGE);
	need(fsync(t->fd) == 0, "fsync");
	need(ftruncate(t->fd, 500 * PAGE) == 0, "ftruncate");
	twin_expect_size(t, 500 * PAGE);
	need(fallocate(t->fd, 0, 30 * PAGE, 25 * PAGE) == 0, "fallocate");
	twin_write(t, 20 * PAGE, 10 * PAGE);
	twin_write(t, 40 * PAGE, 10 * PAGE);
	twin_write(t, 400 * PAGE, PAGE);
}

static off_t pages_of(off_t at) { return at < 0 ? at : at / PAGE; }

static void seeks(int fd, const char *when)
{
	/* Where lseek starts, where data is found from there, where a hole; in pages. Unwritten blocks without data are holes. */
	static const struct {
		int at, data, hole;
	} steps[] = {
		{ 0, 0, 10 }, { 9, 9, 10 }, { 10, 20, 10 }, { 15, 20, 15 }, { 20, 20, 30 }, { 30, 40, 30 }, { 39, 40, 39 }, { 40, 40, 50 },
		{ 50, 400, 50 }, { 56, 400, 56 }, { 400, 400, 401 }, { 401, -1, 401 }, { 499, -1, 499 }, { 500, -1, -1 },
	};
	char name[96];

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const off_t at = steps[i].at * (off_t)PAGE;

		snprintf(name, sizeof(name), "SEEK_DATA from page %d, %s", steps[i].at, when);
		if (pages_of(lseek(fd, at, SEEK_DATA)) != steps[i].data || (steps[i].data < 0 && errno != ENXIO))
			check_number(pages_of(lseek(fd, at, SEEK_DATA)), steps[i].data, name);
		snprintf(name, sizeof(name), "SEEK_HOLE from page %d, %s", steps[i].at, when);
		if (pages_of(lseek(fd, at, SEEK_HOLE)) != steps[i].hole || (steps[i].hole < 0 && errno != ENXIO))
			check_number(pages_of(lseek(fd, at, SEEK_HOLE)), steps[i].hole, name);
	}
	check_number(lseek(fd, 7 * PAGE + 11, SEEK_DATA), 7 * PAGE + 11, when);
}

static struct fiemap *map_of(int fd, unsigned long request, uint64_t start, uint64_t length, uint32_t flags)
{
	enum { EXTENTS = 64 };
	struct fiemap *map = calloc(1, sizeof(*map) + EXTENTS * sizeof(struct fiemap_extent));

	need(map != NULL, "memory");
	map->fm_start = start;
	map->fm_length = length;
	map->fm_flags = flags;
	map->fm_extent_count = EXTENTS;
	if (ioctl(fd, request, map)) {
		free(map);
		return NULL;
	}
	return map;
}

/* Nothing at or past the size limit shows; with EXACT, what shows is STRETCHES. */
static void map_check(struct fiemap *map, bool exact, const char *name)
{
	static const size_t count = sizeof(stretches) / sizeof(stretches[0]);
	size_t at = 0;
	uint64_t page = stretches[0].first;

	if (!check(map != NULL, name))
		return;
	for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &map->fm_extents[i];

		if (!(e->fe_flags & EXT4_FIEMAP_EXTENT_HOLE) && e->fe_logical + e->fe_length > (uint64_t)limit) {
			check_number((long long)(e->fe_logical / PAGE), -1, "an extent past the size limit shows");
			break;
		}
		/* One stretch may be several extents. */
		while (exact && at < count && page == stretches[at].end)
			page = stretches[++at].first;
		if (exact && (at == count || e->fe_logical != page * PAGE || e->fe_logical + e->fe_length > stretches[at].end * PAGE ||
			      (e->fe_flags & FIEMAP_EXTENT_UNWRITTEN) != stretches[at].flags)) {
			check_number((long long)(e->fe_logical / PAGE), (long long)page, name);
			break;
		}
		page += e->fe_length / PAGE;
	}
	if (exact)
		check_number((long long)page, (long long)stretches[count - 1].end, name);
	free(map);
}

static bool none_mapped(int fd, unsigned long request, uint64_t start)
{
	struct fiemap *map = map_of(fd, request, start, ~0ull, 0);
	bool none = true;

	for (uint32_t i = 0; map && i < map->fm_mapped_extents; i++)
		none &= (map->fm_extents[i].fe_flags & EXT4_FIEMAP_EXTENT_HOLE) != 0;
	free(map);
	return none;
}

static void maps(int fd)
{
	static const uint64_t whole = ~0ull;
	const uint64_t last = (uint64_t)limit - PAGE, area = 0x50000000ull * PAGE;
	uint32_t state = 0;

	map_check(map_of(fd, FS_IOC_FIEMAP, 0, whole, FIEMAP_FLAG_SYNC), true, "FIEMAP of everything, synced");
	map_check(map_of(fd, FS_IOC_FIEMAP, 0, whole, 0), true, "FIEMAP of everything");
	map_check(map_of(fd, FS_IOC_FIEMAP, 0, whole, FIEMAP_FLAG_CACHE), true, "FIEMAP, extents cached before");
	need(ioctl(fd, EXT4_IOC_GETSTATE, &state) == 0, "EXT4_IOC_GETSTATE");
	check(state & EXT4_STATE_FLAG_EXT_PRECACHED, "GETSTATE says that they are cached");
	map_check(map_of(fd, EXT4_IOC_GET_ES_CACHE, 0, whole, FIEMAP_FLAG_CACHE), false, "GET_ES_CACHE of everything");
	need(ioctl(fd, EXT4_IOC_CLEAR_ES_CACHE) == 0, "EXT4_IOC_CLEAR_ES_CACHE");
	need(ioctl(fd, EXT4_IOC_PRECACHE_EXTENTS) == 0, "EXT4_IOC_PRECACHE_EXTENTS");
	map_check(map_of(fd, EXT4_IOC_GET_ES_CACHE, 0, whole, 0), false, "GET_ES_CACHE after PRECACHE_EXTENTS");
	map_check(map_of(fd, FS_IOC_FIEMAP, 0, whole, FIEMAP_FLAG_XATTR), false, "FIEMAP of extended attributes");
	/* Asking there directly shows nothing either. */
	check(none_mapped(fd, FS_IOC_FIEMAP, area) && none_mapped(fd, EXT4_IOC_GET_ES_CACHE, area), "nothing shows from the tag area on");
	check(none_mapped(fd, FS_IOC_FIEMAP, last) && none_mapped(fd, EXT4_IOC_GET_ES_CACHE, last), "nothing shows from the last page on");
}

/* ---- the largest file ----------------------------------------------------------- */

/* Pages with contents: both sides of a group's border, and the last. */
static off_t edge(int i)
{
	static const int from_end[] = { 1, 2, 127, 128, 129, 400 };

	return limit - from_end[i] * (off_t)PAGE;
}
enum { EDGES = 6 };

static void largest_again(void)
{
	const int fd = open(tested_path("largest"), O_RDWR | O_CLOEXEC);
	char text[16], expected[16];
	struct stat info;

	need(fd >= 0, "open of the largest file");
	need(fstat(fd, &info) == 0, "fstat");
	check_number(info.st_size, limit, "the largest file has its size");
	for (int i = 0; i < EDGES; i++) {
		memset(text, 0, sizeof(text));
		snprintf(expected, sizeof(expected), "edge %d", i);
		check(pread(fd, text, sizeof(text), edge(i) + 100) == sizeof(text) && !strcmp(text, expected), "its pages at the end read back");
	}
	check(pread(fd, text, sizeof(text), limit - 1) == 1 && text[0] == 'L', "its last byte reads back");
	check_number(pread(fd, text, sizeof(text), limit), 0, "nothing is past it");
	check_number(lseek(fd, 2 * PAGE, SEEK_DATA), edge(EDGES - 1), "SEEK_DATA finds the first page");
	check_number(lseek(fd, edge(0), SEEK_HOLE), limit, "SEEK_HOLE finds the end");
	map_check(map_of(fd, FS_IOC_FIEMAP, 0, ~0ull, FIEMAP_FLAG_SYNC), false, "FIEMAP of it");
	close(fd);
}

static void largest(void)
{
	const int fd = open(tested_path("largest"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char text[16] = { 0 };
	uint8_t *page;

	need(fd >= 0, "open of the largest file");
	check_number(pwrite(fd, "L", 1, limit - 1), 1, "a write at the last byte");
	check_errno(pwrite(fd, "L", 1, limit), EFBIG, "a write one past it");
	check_number(pwrite(fd, "LM", 2, limit - 1), 1, "a write over it is short");
	check_errno(ftruncate(fd, limit + 1), EFBIG, "a size past it");
	check_number(ftruncate(fd, limit), 0, "the size itself");
	check_errno(fallocate(fd, 0, limit - PAGE, 2 * PAGE), EFBIG, "fallocate over it");
	check_errno(fallocate(fd, FALLOC_FL_KEEP_SIZE, limit, PAGE), EFBIG, "fallocate past it");
	check_errno(fallocate(fd, FALLOC_FL_ZERO_RANGE, limit - PAGE, PAGE + 1), EFBIG, "zero range over it");
	check_number(fallocate(fd, 0, limit - 3 * PAGE, 3 * PAGE), 0, "fallocate up to it");
	for (int i = 1; i < EDGES; i++) {
		snprintf(text, sizeof(text), "edge %d", i);
		check_number(pwrite(fd, text, sizeof(text), edge(i) + 100), sizeof(text), "a write near it");
	}
	check_number(fsync(fd), 0, "fsync");
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, edge(0));
	if (check(page != MAP_FAILED, "mmap of the last page")) {
		memcpy(page + 100, "edge 0", 7);
		check(page[PAGE - 1] == 'L', "it shows the last byte");
		check_number(msync(page, PAGE, MS_SYNC), 0, "msync of it");
		munmap(page, PAGE);
	}
	check_number(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, edge(1), PAGE), 0, "punch hole before it");
	check_number(pread(fd, text, 4, edge(1) + 100), 4, "read of the hole");
	check(!memcmp(text, "\0\0\0\0", 4), "which is zeros");
	check_number(pwrite(fd, "edge 1\0\0\0\0\0\0\0\0\0", 16, edge(1) + 100), 16, "and written again");
	check_number(fsync(fd), 0, "fsync");
	close(fd);
	largest_again();
}

/* Pages on either side of each border of the first groups, written out of order. */
static void sparse(void)
{
	static const int pages[] = { 126, 0, 253, 125, 252, 1, 127, 254, 12700, 379, 100000, 12699 };
	struct twin t = twin_open("sparse", 0);

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		twin_write(&t, pages[i] * (off_t)PAGE, PAGE);
		if (i % 4 == 3)
			need(fsync(t.fd) == 0, "fsync");
	}
	twin_agree(&t, "a sparse file");
	twin_close(&t);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: e4c-space DIR TWINS PAGES first|again\n");
		return 2;
	}
	twin_directories(argv[1], argv[2]);
	limit = (off_t)strtoull(argv[3], NULL, 0) * PAGE;
	if (!strcmp(argv[4], "again")) {
		fd = open(tested_path("stretches"), O_RDWR | O_CLOEXEC);
		need(fd >= 0, "open");
		seeks(fd, "read from the disk");
		maps(fd);
		largest_again();
		return finish();
	}
	allocation_modes();
	allocation_refused();
	struct twin t = twin_open("stretches", 0);
	stretches_build(&t);
	seeks(t.fd, "with dirty pages");
	need(fsync(t.fd) == 0, "fsync");
	seeks(t.fd, "synced");
	maps(t.fd);
	twin_close(&t);
	sparse();
	largest();
	return finish();
}
