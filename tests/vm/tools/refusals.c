// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-refusals DIR TWINS FSTYPE first|again: extended attributes, ACLs, flags, and what is refused on authenticated files. "again": what "first" has
 * left is still there. FSTYPE ext4: refusals that are ours alone are left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "twin.h"

/* fs/ext4/ext4.h; not among the exported headers. */
struct move_extent {
	uint32_t reserved, donor_fd;
	uint64_t orig_start, donor_start, len, moved_len;
};
#define EXT4_IOC_MIGRATE _IO('f', 9)
#define EXT4_IOC_MOVE_EXT _IOWR('f', 15, struct move_extent)
#define EXT4_IOC_SWAP_BOOT _IO('f', 17)
#define EXT4_JOURNAL_DATA_FL 0x4000
#define EXT4_EXTENTS_FL 0x80000

/* The xattr form of an ACL: version 2, then {tag, permissions, id}. user::rw-, user:1000:r--, group::r--, mask::rw-, other::--- */
static const uint8_t acl[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
			       16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255 };

enum { LONG = 2500 };

static void attributes_again(int fd)
{
	uint8_t value[LONG + 1], expected[LONG];

	memset(expected, 0x5A, LONG);
	check(fgetxattr(fd, "user.short", value, sizeof(value)) == 5 && !memcmp(value, "short", 5), "a short extended attribute");
	check(fgetxattr(fd, "user.long", value, sizeof(value)) == LONG && !memcmp(value, expected, LONG), "a long extended attribute");
	check_errno(fgetxattr(fd, "user.gone", value, sizeof(value)), ENODATA, "a removed one");
	check(fgetxattr(fd, "system.posix_acl_access", value, sizeof(value)) == sizeof(acl) && !memcmp(value, acl, sizeof(acl)), "an ACL");
}

static void attributes(struct twin *t)
{
	uint8_t value[LONG];

	memset(value, 0x5A, LONG);
	check_number(fsetxattr(t->fd, "user.short", "short", 5, 0), 0, "setting a short extended attribute");
	check_number(fsetxattr(t->fd, "user.long", value, LONG, 0), 0, "setting a long extended attribute");
	check_number(fsetxattr(t->fd, "user.gone", "x", 1, XATTR_CREATE), 0, "setting a third");
	check_number(fremovexattr(t->fd, "user.gone"), 0, "removing it");
	check_number(fsetxattr(t->fd, "system.posix_acl_access", acl, sizeof(acl), 0), 0, "setting an ACL");
	attributes_again(t->fd);
	/* Where contexts and the state of per-user directories are kept, nobody reaches by name. */
	check_errno(fgetxattr(t->fd, "encryption.c", value, LONG), EOPNOTSUPP, "the encryption context cannot be read as an attribute");
	check_errno(fsetxattr(t->fd, "encryption.c", value, 40, 0), EOPNOTSUPP, "nor written");
}

static int flag(int fd, int set, int clear)
{
	int flags;

	need(ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0, "FS_IOC_GETFLAGS");
	flags = (flags | set) & ~clear;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static void flags(struct twin *t, bool ours)
{
	uint8_t *bytes = fresh_bytes(2 * PAGE);
	int fd;

	check_number(flag(t->fd, FS_APPEND_FL, 0), 0, "chattr +a");
	check_errno(open(t->path, O_WRONLY | O_CLOEXEC), EPERM, "then it opens for appending only");
	fd = open(t->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	check_number(write(fd, bytes, 2 * PAGE), 2 * PAGE, "and appending works");
	twin_expect(t, 100 * PAGE, bytes, 2 * PAGE);
	close(fd);
	check_errno(ftruncate(t->fd, 5), EPERM, "truncation is refused");
	check_errno(unlink(t->path), EPERM, "and unlinking");
	check_number(flag(t->fd, FS_IMMUTABLE_FL, FS_APPEND_FL), 0, "chattr +i");
	check_errno(open(t->path, O_RDWR | O_CLOEXEC), EPERM, "then it does not open for writing");
	twin_agree(t, "and reads");
	check_number(flag(t->fd, FS_NODUMP_FL | FS_NOATIME_FL, FS_IMMUTABLE_FL), 0, "chattr +d -i");
	check_number(pwrite(t->fd, bytes, PAGE, 3), PAGE, "and a write works again");
	twin_expect(t, 3, bytes, PAGE);
	check_number(flag(t->fd, FS_SYNC_FL, 0), 0, "chattr +S");
	check_number(pwrite(t->fd, bytes, PAGE, 50 * PAGE + 3), PAGE, "a write with it");
	twin_expect(t, 50 * PAGE + 3, bytes, PAGE);
	check_number(flag(t->fd, 0, FS_SYNC_FL), 0, "chattr -S");
	check_errno(flag(t->fd, 0x02000000 /* EXT4_DAX_FL */, 0), EOPNOTSUPP, "chattr +x is refused");
	if (ours) {
		check_errno(flag(t->fd, EXT4_JOURNAL_DATA_FL, 0), EOPNOTSUPP, "chattr +j is refused");
		check_errno(flag(t->fd, 0, EXT4_EXTENTS_FL), EOPNOTSUPP, "chattr -e is refused");
	}
	twin_agree(t, "after all flags");
	free(bytes);
}

static void refused(struct twin *t, bool ours)
{
	struct fsverity_enable_arg verity = { .version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = PAGE };
	struct move_extent move = { .len = 10 };
	struct twin donor = twin_open("donor", 0);
	int block = 0, fd;

	twin_write(&donor, 0, 20 * PAGE);
	move.donor_fd = (uint32_t)donor.fd;
	check_errno(ioctl(t->fd, EXT4_IOC_MOVE_EXT, &move), EOPNOTSUPP, "MOVE_EXT is refused");
	twin_agree(&donor, "and leaves the donor alone");
	twin_close(&donor);
	check_errno(ioctl(t->fd, EXT4_IOC_SWAP_BOOT), EINVAL, "SWAP_BOOT is refused");
	check_errno(ioctl(t->fd, EXT4_IOC_MIGRATE), EINVAL, "MIGRATE is refused");
	if (ours) {
		check(ioctl(t->fd, FIBMAP, &block) == 0 && block == 0, "FIBMAP tells no block");
		fd = open(t->path, O_RDONLY | O_CLOEXEC);
		close(t->fd); /* verity wants no writer */
		check_errno(ioctl(fd, FS_IOC_ENABLE_VERITY, &verity), EOPNOTSUPP, "fs-verity is refused");
		close(fd);
		t->fd = open(t->path, O_RDWR | O_CLOEXEC);
		need(t->fd >= 0, "open");
		struct twin swap = twin_open("swapfile", 0);
		uint8_t *header = fresh_bytes(40 * PAGE);
		const uint32_t info[3] = { 1, 39, 0 };

		memset(header, 0, 40 * PAGE);
		memcpy(header + 1024, info, sizeof(info));
		memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
		need(pwrite(swap.fd, header, 40 * PAGE, 0) == 40 * PAGE && fsync(swap.fd) == 0, "write");
		twin_expect(&swap, 0, header, 40 * PAGE);
		/* By the kernel for every encrypted file (EINVAL), where it is recent enough; else by us. */
		check(swapon(swap.path, 0) < 0 && (errno == EINVAL || errno == EOPNOTSUPP), "swapon is refused");
		twin_agree(&swap, "and leaves the file alone");
		free(header);
		twin_close(&swap);
	}
	twin_agree(t, "after all refusals");
}

int main(int argc, char **argv)
{
	bool ours;
	struct twin t;

	if (argc != 5) {
		fprintf(stderr, "usage: e4c-refusals DIR TWINS FSTYPE first|again\n");
		return 2;
	}
	twin_directories(argv[1], argv[2]);
	ours = strcmp(argv[3], "ext4") != 0;
	if (!strcmp(argv[4], "again")) {
		t = twin_existing("attributes");
		attributes_again(t.fd);
		twin_close(&t);
		return finish();
	}
	t = twin_open("attributes", 0);
	twin_write(&t, 0, 100 * PAGE);
	attributes(&t);
	flags(&t, ours);
	refused(&t, ours);
	twin_close(&t);
	return finish();
}
