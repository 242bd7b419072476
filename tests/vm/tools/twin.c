// SPDX-License-Identifier: Apache-2.0
/* Files and what they must contain: see twin.h. */
#define _GNU_SOURCE
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

static const char *tested_dir, *twin_dir;
static int failures, checks;

void twin_directories(const char *tested, const char *twins)
{
	tested_dir = tested;
	twin_dir = twins;
	setvbuf(stdout, NULL, _IOLBF, 0);
}

const char *tested_path(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", tested_dir, name);
	return path;
}

static struct twin open_both(const char *name, int flags, int copy_flags)
{
	struct twin t;
	char copy[256];

	snprintf(t.path, sizeof(t.path), "%s/%s", tested_dir, name);
	snprintf(copy, sizeof(copy), "%s/%s", twin_dir, name);
	t.fd = open(t.path, flags | O_CLOEXEC, 0644);
	need(t.fd >= 0, t.path);
	t.copy = open(copy, copy_flags | O_CLOEXEC, 0644);
	need(t.copy >= 0, copy);
	return t;
}

struct twin twin_open(const char *name, int flags)
{
	return open_both(name, O_RDWR | O_CREAT | O_TRUNC | flags, O_RDWR | O_CREAT | O_TRUNC);
}

struct twin twin_existing(const char *name)
{
	return open_both(name, O_RDONLY, O_RDONLY);
}

void twin_close(struct twin *t)
{
	need(close(t->fd) == 0 && close(t->copy) == 0, "close");
}

uint8_t *fresh_bytes(size_t length)
{
	static uint64_t state = 1;
	uint8_t *bytes = aligned_alloc(PAGE, (length + PAGE - 1) / PAGE * PAGE);

	need(bytes != NULL, "memory");
	for (size_t i = 0; i < length; i += 8) {
		/* splitmix64, public domain, S. Vigna */
		uint64_t z = (state += 0x9E3779B97F4A7C15u);

		z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
		z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
		z ^= z >> 31;
		memcpy(bytes + i, &z, length - i < 8 ? length - i : 8);
	}
	return bytes;
}

void twin_expect(struct twin *t, off_t offset, const void *bytes, size_t length)
{
	need(pwrite(t->copy, bytes, length, offset) == (ssize_t)length, "pwrite to the twin");
}

void twin_write(struct twin *t, off_t offset, size_t length)
{
	uint8_t *bytes = fresh_bytes(length);

	need(pwrite(t->fd, bytes, length, offset) == (ssize_t)length, "pwrite");
	twin_expect(t, offset, bytes, length);
	free(bytes);
}

static off_t size_of(int fd)
{
	struct stat info;

	need(fstat(fd, &info) == 0, "fstat");
	return info.st_size;
}

void twin_expect_zero(struct twin *t, off_t offset, off_t length)
{
	static const uint8_t zeros[CHUNK];
	const off_t size = size_of(t->copy);

	if (offset + length > size)
		length = size - offset;
	for (; length > 0; offset += CHUNK, length -= CHUNK)
		twin_expect(t, offset, zeros, length < CHUNK ? (size_t)length : CHUNK);
}

void twin_expect_size(struct twin *t, off_t size)
{
	need(ftruncate(t->copy, size) == 0, "ftruncate of the twin");
}

void twin_agree(struct twin *t, const char *name)
{
	static uint8_t actual[CHUNK], expected[CHUNK];
	const off_t size = size_of(t->copy);

	if (size_of(t->fd) != size) {
		check_number(size_of(t->fd), size, name);
		return;
	}
	for (off_t at = 0; at < size; at += CHUNK) {
		const ssize_t want = pread(t->copy, expected, CHUNK, at);

		errno = 0;
		if (pread(t->fd, actual, CHUNK, at) != want) {
			check(false, name);
			return;
		}
		for (ssize_t i = 0; i < want && memcmp(actual, expected, (size_t)want); i++) {
			if (actual[i] == expected[i])
				continue;
			printf("not ok %s: %s: byte %lld of page %lld is 0x%02x, expected 0x%02x\n", name, t->path, (long long)(at + i) % PAGE,
			       (long long)(at + i) / PAGE, actual[i], expected[i]);
			failures++;
			return;
		}
	}
	check(true, name);
}

bool check(bool holds, const char *name)
{
	if (holds)
		printf("ok %s\n", name);
	else
		printf("not ok %s: errno %s\n", name, strerrorname_np(errno));
	failures += !holds;
	checks++;
	return holds;
}

bool check_errno(long result, int expected, const char *name)
{
	if (result < 0 && errno == expected)
		return check(true, name);
	if (result >= 0)
		printf("not ok %s: succeeded, expected %s\n", name, strerrorname_np(expected));
	else
		printf("not ok %s: %s, expected %s\n", name, strerrorname_np(errno), strerrorname_np(expected));
	failures++;
	return false;
}

bool check_number(long long actual, long long expected, const char *name)
{
	if (actual == expected)
		return check(true, name);
	printf("not ok %s: %lld (%#llx), expected %lld (%#llx), errno %s\n", name, actual, (unsigned long long)actual, expected,
	       (unsigned long long)expected, strerrorname_np(errno));
	failures++;
	return false;
}

void need(bool holds, const char *what)
{
	if (holds)
		return;
	printf("not ok %s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

int finish(void)
{
	return failures > 0 || checks == 0;
}
