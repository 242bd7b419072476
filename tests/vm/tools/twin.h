/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of the file system under test and its twin: the contents it must have, as a plain file on tmpfs. An operation is done to the file, what it
 * must come to is done to the twin by pwrite(2), and the two are compared: by the program at once, by the case with cmp(1) after caches were dropped
 * and after a remount.
 *
 * Programs report to standard output as cases do: "ok NAME", "not ok NAME: DETAIL".
 */
#ifndef TWIN_H
#define TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PAGE = 4096 };

struct twin {
	int fd;			/* the file under test, O_RDWR */
	int copy;		/* its twin */
	char path[256];		/* of the file under test */
};

/* Call first: the directory under test and the one for twins. */
void twin_directories(const char *tested, const char *twins);
/* Opens both, made anew if they exist. FLAGS: more flags for the file under test. Exits the program if it cannot. */
struct twin twin_open(const char *name, int flags);
/* Opens both as they are, the file under test read-only. */
struct twin twin_existing(const char *name);
void twin_close(struct twin *t);
/* The path of NAME in the directory under test; in a static buffer, one of eight in turn. */
const char *tested_path(const char *name);

/* LENGTH bytes that no other call has given; to be freed. Aligned to a page. */
uint8_t *fresh_bytes(size_t length);

/* Both get the same fresh bytes by pwrite(2). */
void twin_write(struct twin *t, off_t offset, size_t length);
/* Only the twin changes: what the file must come to. */
void twin_expect(struct twin *t, off_t offset, const void *bytes, size_t length);
void twin_expect_zero(struct twin *t, off_t offset, off_t length); /* never past its end */
void twin_expect_size(struct twin *t, off_t size);

/* Compares sizes and contents and reports. */
void twin_agree(struct twin *t, const char *name);

/* Reports whether HOLDS, with errno if not. Returns HOLDS. */
bool check(bool holds, const char *name);
/* The call has failed, and with this errno. */
bool check_errno(long result, int expected, const char *name);
bool check_number(long long actual, long long expected, const char *name);
/* A step without which nothing makes sense. */
void need(bool holds, const char *what);

/* The program's exit status. */
int finish(void);

#endif
