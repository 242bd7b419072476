// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-tags: slots and seals by E4C_IOC_GET_TAGS and from the raw disk, and a census of the nonces in them.
 *
 *   e4c-tags get FILE pages|seals FIRST COUNT   each slot as hex: tag, nonce, info
 *   e4c-tags call FILE FIRST COUNT FLAGS RESERVED [null]   one call with any arguments; says ok or the errno
 *   e4c-tags census FILE BOOK GROUPS            writes the slots and seals of groups 0 .. GROUPS - 1 into the book
 *   e4c-tags raw DEVICE BLOCK GROUP BOOK        the same of the tag block at that block of the disk
 *   e4c-tags rewrite FILE BOOK PAGE TIMES SALT  rewrites one page, and after each time that it was sealed writes its slot and seal into the book
 *   e4c-tags count BOOK                         how many nonces the book has
 *
 * In a book a nonce stands once, with the tag and the place (page or group) that it came with: the same nonce with anything else is a failure.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../include/ext4crypt/uapi.h"

enum { PAGE = 4096, SLOTS = 127, SLOT = 32, TAG = 16, NONCE = 12 };

/* Open addressing; a record with place 0 is free. */
enum { RECORDS = 1 << 20 };
struct record {
	uint8_t nonce[NONCE], tag[TAG];
	uint64_t place; /* 1 + page, or 2^32 + group */
};
static struct record *book;

static int failed(const char *call)
{
	fprintf(stderr, "%s: %s\n", call, strerrorname_np(errno));
	return 1;
}

static int book_open(const char *path)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, RECORDS * (off_t)sizeof(*book)))
		return failed(path);
	book = mmap(NULL, RECORDS * sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return book == MAP_FAILED ? failed("mmap") : 0;
}

static int book_note(const uint8_t *slot, uint64_t place)
{
	uint64_t hash = 0;
	struct record *r;

	for (int i = 0; i < NONCE; i++)
		hash = hash * 0x100000001B3ULL + slot[TAG + i];
	hash ^= hash >> 29;
	for (uint64_t n = 0; n < RECORDS; n++) {
		r = &book[(hash + n) % RECORDS];
		if (!r->place) {
			memcpy(r->nonce, slot + TAG, NONCE);
			memcpy(r->tag, slot, TAG);
			r->place = place;
			return 0;
		}
		if (memcmp(r->nonce, slot + TAG, NONCE))
			continue;
		if (r->place == place && !memcmp(r->tag, slot, TAG))
			return 0;
		fprintf(stderr, "a nonce was used twice: at %lu and at %lu\n", r->place, place);
		return 1;
	}
	fprintf(stderr, "the book is full\n");
	return 1;
}

static int is_zero(const uint8_t *slot)
{
	static const uint8_t zeros[SLOT];

	return !memcmp(slot, zeros, SLOT);
}

static int get(int fd, uint64_t first, uint32_t count, uint32_t flags, void *slots)
{
	struct e4c_get_tags arg = { .first_page = first, .count = count, .flags = flags, .slots = (uintptr_t)slots };

	return ioctl(fd, E4C_IOC_GET_TAGS, &arg);
}

static int print(int fd, uint32_t flags, uint64_t first, uint32_t count)
{
	uint8_t *slots = calloc(count + 1, SLOT);

	if (!slots || get(fd, first, count, flags, slots))
		return failed("E4C_IOC_GET_TAGS");
	for (uint32_t i = 0; i < count; i++) {
		for (int b = 0; b < SLOT; b++)
			printf("%s%02x", b == TAG || b == TAG + NONCE ? " " : "", slots[i * SLOT + (uint32_t)b]);
		printf("\n");
	}
	return 0;
}

static int call(int fd, char **argv, int null)
{
	uint8_t slots[4 * SLOTS * SLOT];
	struct e4c_get_tags arg = {
		.first_page = strtoull(argv[0], NULL, 0),
		.count = (uint32_t)strtoull(argv[1], NULL, 0),
		.flags = (uint32_t)strtoull(argv[2], NULL, 0),
		.reserved = strtoull(argv[3], NULL, 0),
		.slots = null ? 0 : (uintptr_t)slots,
	};

	if (!null && arg.count > 4 * SLOTS)
		arg.slots = (uintptr_t)mmap(NULL, (size_t)arg.count * SLOT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	printf("%s\n", ioctl(fd, E4C_IOC_GET_TAGS, &arg) ? strerrorname_np(errno) : "ok");
	return 0;
}

/* The slots of one group and its seal, as pages and groups count them. */
static int census(int fd, uint32_t groups)
{
	uint8_t slots[SLOTS * SLOT], seal[SLOT];

	for (uint32_t g = 0; g < groups; g++) {
		const uint64_t first = (uint64_t)g * SLOTS;
		const uint32_t count = SLOTS;

		if (get(fd, first, count, 0, slots) || get(fd, g, 1, E4C_GET_TAGS_SEALS, seal))
			return failed("E4C_IOC_GET_TAGS");
		for (uint32_t i = 0; i < count; i++)
			if (!is_zero(slots + i * SLOT) && book_note(slots + i * SLOT, 1 + first + i))
				return 1;
		if (!is_zero(seal) && book_note(seal, (1ULL << 32) + g))
			return 1;
	}
	return 0;
}

static int raw(int fd, uint64_t block, uint32_t g)
{
	uint8_t data[PAGE];

	if (pread(fd, data, PAGE, (off_t)(block * PAGE)) != PAGE)
		return failed("pread");
	if (book_note(data, (1ULL << 32) + g))
		return 1;
	for (uint32_t i = 1; i <= SLOTS; i++)
		if (!is_zero(data + i * SLOT) && book_note(data + i * SLOT, (uint64_t)g * SLOTS + i))
			return 1;
	return 0;
}

static int rewrite(int fd, uint64_t page, uint64_t times, uint64_t salt)
{
	const uint32_t g = (uint32_t)(page / SLOTS);
	uint64_t words[PAGE / 8] = { salt };
	uint8_t slot[SLOT], before[SLOT] = { 0 }, seal[SLOT];

	for (uint64_t i = 0; i < times; i++) {
		words[1] = i;
		if (pwrite(fd, words, PAGE, (off_t)(page * PAGE)) != PAGE)
			return failed("pwrite");
		/* Seals the page; no commit, which would be a hundred times slower and has no part in this. */
		if (sync_file_range(fd, (off_t)(page * PAGE), PAGE, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
			return failed("sync_file_range");
		if (get(fd, page, 1, 0, slot) || get(fd, g, 1, E4C_GET_TAGS_SEALS, seal))
			return failed("E4C_IOC_GET_TAGS");
		if (!memcmp(slot + TAG, before + TAG, NONCE)) {
			fprintf(stderr, "rewriting did not change the nonce, time %lu\n", i);
			return 1;
		}
		memcpy(before, slot, SLOT);
		if (book_note(slot, 1 + page) || book_note(seal, (1ULL << 32) + g))
			return 1;
	}
	return 0;
}

static int count(void)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < RECORDS; i++)
		n += book[i].place != 0;
	printf("%lu\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	const int fd = argc > 3 ? open(argv[2], (!strcmp(verb, "rewrite") ? O_RDWR : O_RDONLY) | O_CLOEXEC) : -1;

	if (argc > 3 && fd < 0)
		return failed("open");
	if (!strcmp(verb, "count") && argc == 3)
		return book_open(argv[2]) ? 1 : count();
	if (!strcmp(verb, "get") && argc == 6)
		return print(fd, strcmp(argv[3], "seals") ? 0 : E4C_GET_TAGS_SEALS, strtoull(argv[4], NULL, 10), (uint32_t)strtoul(argv[5], NULL, 10));
	if (!strcmp(verb, "call") && (argc == 7 || argc == 8))
		return call(fd, argv + 3, argc == 8);
	if (!strcmp(verb, "census") && argc == 5)
		return book_open(argv[3]) || census(fd, (uint32_t)strtoul(argv[4], NULL, 10));
	if (!strcmp(verb, "raw") && argc == 6)
		return book_open(argv[5]) || raw(fd, strtoull(argv[3], NULL, 10), (uint32_t)strtoul(argv[4], NULL, 10));
	if (!strcmp(verb, "rewrite") && argc == 7)
		return book_open(argv[3]) || rewrite(fd, strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10), strtoull(argv[6], NULL, 10));
	fprintf(stderr, "e4c-tags: see the head of tools/tags.c\n");
	return 2;
}
