// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-names DIR TWINS PLAIN OTHER: names of files and files without one. PLAIN: a directory of the same volume that is not encrypted; OTHER: one with
 * another key. Leaves twins for what must be there at the end.
 *
 * e4c-names orphan DIR: makes files without a name, some of them long, truncated, grown; stops the volume as a power failure would (after what they
 * are was committed), and ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "twin.h"

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define EXT4_GOING_FLAGS_LOGFLUSH 1

static const char *plain, *other;

static const char *in(const char *directory, const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static ino_t inode_of(const char *path)
{
	struct stat info;

	return stat(path, &info) ? 0 : info.st_ino;
}

static const char *own_path(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void unnamed(void)
{
	struct twin t = twin_open("was-unnamed", 0);
	int fd;

	need(unlink(t.path) == 0, "unlink");
	close(t.fd);
	t.fd = open(tested_path("."), O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	need(t.fd >= 0, "O_TMPFILE");
	twin_write(&t, 0, 200 * PAGE);
	need(fsync(t.fd) == 0, "fsync");
	twin_write(&t, 100 * PAGE + 1, 10 * PAGE);
	need(ftruncate(t.fd, 150 * PAGE + 3) == 0, "ftruncate");
	twin_expect_size(&t, 150 * PAGE + 3);
	twin_agree(&t, "O_TMPFILE: written, truncated");
	check_errno(linkat(AT_FDCWD, own_path(t.fd), AT_FDCWD, in(other, "was-unnamed"), AT_SYMLINK_FOLLOW), EXDEV, "O_TMPFILE: no name under another key");
	check_number(linkat(AT_FDCWD, own_path(t.fd), AT_FDCWD, t.path, AT_SYMLINK_FOLLOW), 0, "O_TMPFILE: linkat gives it a name");
	twin_write(&t, 149 * PAGE, 20 * PAGE);
	need(ftruncate(t.fd, 160 * PAGE) == 0, "ftruncate");
	twin_expect_size(&t, 160 * PAGE);
	twin_agree(&t, "O_TMPFILE: written and truncated after that");
	twin_close(&t);
	fd = open(tested_path("."), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	need(fd >= 0, "O_TMPFILE | O_EXCL");
	check_errno(linkat(AT_FDCWD, own_path(fd), AT_FDCWD, tested_path("never"), AT_SYMLINK_FOLLOW), ENOENT, "O_TMPFILE with O_EXCL: never a name");
	close(fd);
}

static void renames(void)
{
	struct twin a = twin_open("a", 0), b = twin_open("b", 0);
	struct stat info;
	uint8_t *bytes = fresh_bytes(3 * PAGE);
	const char *pa, *pb;
	int fd;

	twin_write(&a, 0, 5 * PAGE + 1);
	twin_write(&b, 0, 7 * PAGE + 2);
	pa = a.path;
	pb = b.path;
	const ino_t ia = inode_of(pa), ib = inode_of(pb);
	check_errno(renameat2(AT_FDCWD, pa, AT_FDCWD, pb, RENAME_NOREPLACE), EEXIST, "RENAME_NOREPLACE over a file");
	check_number(renameat2(AT_FDCWD, pa, AT_FDCWD, pb, RENAME_EXCHANGE), 0, "RENAME_EXCHANGE");
	check(inode_of(pa) == ib && inode_of(pb) == ia, "swaps them");
	check_number(renameat2(AT_FDCWD, pa, AT_FDCWD, pb, RENAME_EXCHANGE), 0, "RENAME_EXCHANGE back");
	check_number(renameat2(AT_FDCWD, pa, AT_FDCWD, tested_path("c"), RENAME_NOREPLACE), 0, "RENAME_NOREPLACE to a new name");
	check_number(renameat2(AT_FDCWD, tested_path("c"), AT_FDCWD, pa, RENAME_WHITEOUT), 0, "RENAME_WHITEOUT");
	check(stat(tested_path("c"), &info) == 0 && S_ISCHR(info.st_mode), "leaves a whiteout");
	need(unlink(tested_path("c")) == 0, "unlink");
	need(mkdir(tested_path("deep"), 0755) == 0 || errno == EEXIST, "mkdir");
	check_number(rename(pa, tested_path("deep/a")), 0, "rename into a directory below");
	check_number(rename(tested_path("deep/a"), pa), 0, "and back");

	/* Other policies: copied by mv(1), never moved. */
	fd = open(in(other, "x"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	need(fd >= 0, "open under another key");
	close(fd);
	fd = open(in(plain, "x"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	need(fd >= 0 && write(fd, "plain", 5) == 5, "open in the plain directory");
	close(fd);
	check_errno(rename(pa, in(other, "a")), EXDEV, "rename to another key");
	check_errno(rename(in(other, "x"), tested_path("x")), EXDEV, "rename from another key");
	check_errno(rename(in(plain, "x"), tested_path("x")), EXDEV, "rename of a plain file into the directory");
	check_errno(renameat2(AT_FDCWD, pa, AT_FDCWD, in(other, "x"), RENAME_EXCHANGE), EXDEV, "RENAME_EXCHANGE with another key");
	check_errno(renameat2(AT_FDCWD, pa, AT_FDCWD, in(plain, "x"), RENAME_EXCHANGE), EXDEV, "RENAME_EXCHANGE with a plain file");
	check_errno(link(pa, in(other, "a")), EXDEV, "link to another key");
	check_errno(link(in(plain, "x"), tested_path("x")), EXDEV, "link of a plain file into the directory");
	check_number(rename(pa, in(plain, "a")), 0, "an encrypted file can be moved to a plain directory");
	fd = open(in(plain, "a"), O_RDWR | O_CLOEXEC);
	check(fd >= 0 && pwrite(fd, bytes, 2 * PAGE, 4 * PAGE) == 2 * PAGE, "written there");
	close(fd);
	twin_expect(&a, 4 * PAGE, bytes, 2 * PAGE);
	check_number(rename(in(plain, "a"), pa), 0, "and moved back");
	twin_agree(&a, "renamed");

	/* Over an open file: both go on. */
	check_number(rename(pa, pb), 0, "rename over an open file");
	fstat(b.fd, &info);
	check_number((long long)info.st_nlink, 0, "which has no name then");
	twin_write(&b, 100 * PAGE, 40 * PAGE);
	need(fsync(b.fd) == 0, "fsync");
	twin_write(&b, 3 * PAGE + 1, 2 * PAGE);
	twin_agree(&b, "and is written on");
	twin_write(&a, PAGE, PAGE);
	twin_agree(&a, "as is the other");
	check_number(rename(pb, pa), 0, "rename back");
	close(b.fd);
	b.fd = open(pb, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	need(b.fd >= 0, "open");
	twin_expect_size(&b, 0);
	check_number(link(pa, tested_path("second")), 0, "link within the directory");
	need(unlink(pa) == 0, "unlink");
	twin_write(&a, 2 * PAGE, 100 * PAGE);
	twin_agree(&a, "written after its first name went");
	check_number(rename(tested_path("second"), pa), 0, "under its first name again");
	free(bytes);
	twin_close(&a);
	twin_close(&b);
}

static void unlinked(void)
{
	struct twin t = twin_open("unlinked", 0);

	twin_write(&t, 0, 300 * PAGE);
	need(fsync(t.fd) == 0, "fsync");
	twin_write(&t, 290 * PAGE, 20 * PAGE);
	need(unlink(t.path) == 0, "unlink");
	twin_agree(&t, "an unlinked file reads");
	twin_write(&t, 100 * PAGE + 5, 60 * PAGE);
	twin_write(&t, 400 * PAGE, 3 * PAGE);
	need(fsync(t.fd) == 0, "fsync");
	twin_agree(&t, "is written");
	need(ftruncate(t.fd, 130 * PAGE + 9) == 0, "ftruncate");
	twin_expect_size(&t, 130 * PAGE + 9);
	need(ftruncate(t.fd, 280 * PAGE) == 0, "ftruncate");
	twin_expect_size(&t, 280 * PAGE);
	twin_agree(&t, "truncated and grown");
	need(fallocate(t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 50 * PAGE, 30 * PAGE) == 0, "punch");
	twin_expect_zero(&t, 50 * PAGE, 30 * PAGE);
	need(posix_fadvise(t.fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
	twin_agree(&t, "punched");
	need(ftruncate(t.fd, 0) == 0, "ftruncate");
	twin_expect_size(&t, 0);
	twin_write(&t, 127 * PAGE + 100, 20 * PAGE);
	need(fsync(t.fd) == 0 && posix_fadvise(t.fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fsync");
	twin_agree(&t, "emptied and written anew");
	twin_close(&t);
	/* Its twin must not be looked for later. */
	t = twin_open("unlinked", 0);
	twin_close(&t);
}

static int orphan(const char *directory)
{
	static const uint32_t flush = EXT4_GOING_FLAGS_LOGFLUSH;
	uint8_t *bytes = fresh_bytes(300 * PAGE);
	int fd[3];

	for (int i = 0; i < 3; i++) {
		fd[i] = i ? open(in(directory, "orphan"), O_RDWR | O_CREAT | O_CLOEXEC, 0644) : open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
		need(fd[i] >= 0, "open");
		if (i)
			need(unlink(in(directory, "orphan")) == 0, "unlink");
		need(pwrite(fd[i], bytes, 300 * PAGE, 5) == 300 * PAGE && fsync(fd[i]) == 0, "write");
	}
	need(ftruncate(fd[2], 140 * PAGE + 7) == 0 && fsync(fd[2]) == 0, "ftruncate");
	need(pwrite(fd[2], bytes, 30 * PAGE, 500 * PAGE) == 30 * PAGE && fsync(fd[2]) == 0, "write");
	/* Not on the disk yet, and never will be. */
	need(pwrite(fd[1], bytes, 100 * PAGE, 0) == 100 * PAGE && pwrite(fd[1], bytes, PAGE, 900 * PAGE) == PAGE, "write");
	check_number(ioctl(fd[0], EXT4_IOC_SHUTDOWN, &flush), 0, "the volume stops with files that have no name");
	return finish();
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "orphan")) {
		twin_directories(argv[2], argv[2]);
		return orphan(argv[2]);
	}
	if (argc != 5) {
		fprintf(stderr, "usage: e4c-names DIR TWINS PLAIN OTHER | e4c-names orphan DIR\n");
		return 2;
	}
	twin_directories(argv[1], argv[2]);
	plain = argv[3];
	other = argv[4];
	unnamed();
	renames();
	unlinked();
	return finish();
}
