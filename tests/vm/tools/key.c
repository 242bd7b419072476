// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-key: fscrypt's ioctls by hand, so that tests of the kernel component need no key service.
 *
 *   e4c-key add MOUNT NUMBER       adds test key NUMBER (64 bytes, all equal to it); prints its identifier
 *   e4c-key remove MOUNT IDENTIFIER
 *   e4c-key set DIR IDENTIFIER [CONTENTS NAMES FLAGS]   sets a version 2 policy; fscrypt's mode numbers, 1 4 3 if not given
 *   e4c-key get PATH               prints the policy's identifier
 *   e4c-key per-user DIR on|off    makes DIR a per-user directory, or an ordinary one again
 *   e4c-key aead PATH [1|2]        prints the AEAD of a directory or file, or sets that of an empty directory (E4C_AEAD_* of format.h)
 *   e4c-key default NUMBER         makes test key NUMBER the caller's EXT4_DEFAULT_KEY, in his user keyring
 *
 * Says which call failed with the errno's name, e.g. "FS_IOC_SET_ENCRYPTION_POLICY: EINVAL", and exits with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <linux/keyctl.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../../include/ext4crypt/uapi.h"

enum { KEY_BYTES = 64 };

static int failed(const char *call)
{
	fprintf(stderr, "%s: %s\n", call, strerrorname_np(errno));
	return 1;
}

static void print_identifier(const __u8 *identifier)
{
	for (int i = 0; i < FSCRYPT_KEY_IDENTIFIER_SIZE; i++)
		printf("%02x", identifier[i]);
	printf("\n");
}

static int parse_identifier(const char *text, __u8 *identifier)
{
	if (strlen(text) != 2 * FSCRYPT_KEY_IDENTIFIER_SIZE)
		return -1;
	for (int i = 0; i < FSCRYPT_KEY_IDENTIFIER_SIZE; i++)
		if (sscanf(text + 2 * i, "%2hhx", &identifier[i]) != 1)
			return -1;
	return 0;
}

static int add(int fd, int number)
{
	struct fscrypt_add_key_arg *arg = calloc(1, sizeof(*arg) + KEY_BYTES);
	int result = 0;

	if (!arg)
		return failed("calloc");
	arg->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	arg->raw_size = KEY_BYTES;
	memset(arg->raw, number, KEY_BYTES);
	if (ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, arg))
		result = failed("FS_IOC_ADD_ENCRYPTION_KEY");
	else
		print_identifier(arg->key_spec.u.identifier);
	free(arg);
	return result;
}

static int drop(int fd, const __u8 *identifier)
{
	struct fscrypt_remove_key_arg arg = { .key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER };

	memcpy(arg.key_spec.u.identifier, identifier, sizeof(arg.key_spec.u.identifier));
	if (ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg))
		return failed("FS_IOC_REMOVE_ENCRYPTION_KEY");
	if (arg.removal_status_flags & FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY)
		printf("busy\n");
	return 0;
}

static int set(int fd, const __u8 *identifier, int contents, int names, int flags)
{
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = (__u8)contents,
		.filenames_encryption_mode = (__u8)names,
		.flags = (__u8)flags,
	};

	memcpy(policy.master_key_identifier, identifier, sizeof(policy.master_key_identifier));
	return ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy) ? failed("FS_IOC_SET_ENCRYPTION_POLICY") : 0;
}

static int get(int fd)
{
	struct fscrypt_get_policy_ex_arg arg = { .policy_size = sizeof(arg.policy) };

	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg))
		return failed("FS_IOC_GET_ENCRYPTION_POLICY_EX");
	print_identifier(arg.policy.v2.master_key_identifier);
	return 0;
}

static int per_user(int fd, int on)
{
	__u32 value = (__u32)on;

	return ioctl(fd, E4C_IOC_SET_PER_USER, &value) ? failed("E4C_IOC_SET_PER_USER") : 0;
}

static int aead(int fd, const char *number)
{
	__u32 value = number ? (__u32)atoi(number) : 0;

	if (number)
		return ioctl(fd, E4C_IOC_SET_AEAD, &value) ? failed("E4C_IOC_SET_AEAD") : 0;
	if (ioctl(fd, E4C_IOC_GET_AEAD, &value))
		return failed("E4C_IOC_GET_AEAD");
	printf("%u\n", value);
	return 0;
}

static int default_key(int number)
{
	unsigned char key[KEY_BYTES];

	memset(key, number, sizeof(key));
	if (syscall(SYS_add_key, "logon", "ext4crypt:EXT4_DEFAULT_KEY", key, sizeof(key), KEY_SPEC_USER_KEYRING) < 0)
		return failed("add_key");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "default"))
		return default_key(atoi(argv[2]));

	const char *verb = argc > 2 ? argv[1] : "";
	__u8 identifier[FSCRYPT_KEY_IDENTIFIER_SIZE];
	const int fd = argc > 2 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;

	if (argc > 2 && fd < 0)
		return failed("open");
	if (!strcmp(verb, "add") && argc == 4)
		return add(fd, atoi(argv[3]));
	if (!strcmp(verb, "per-user") && argc == 4)
		return per_user(fd, !strcmp(argv[3], "on"));
	if (!strcmp(verb, "get") && argc == 3)
		return get(fd);
	if (!strcmp(verb, "aead") && (argc == 3 || argc == 4))
		return aead(fd, argc == 4 ? argv[3] : NULL);
	if (argc > 3 && parse_identifier(argv[3], identifier) == 0) {
		if (!strcmp(verb, "remove") && argc == 4)
			return drop(fd, identifier);
		if (!strcmp(verb, "set") && argc == 4)
			return set(fd, identifier, FSCRYPT_MODE_AES_256_XTS, FSCRYPT_MODE_AES_256_CTS, FSCRYPT_POLICY_FLAGS_PAD_32);
		if (!strcmp(verb, "set") && argc == 7)
			return set(fd, identifier, atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
	}
	fprintf(stderr, "e4c-key: see the head of tools/key.c\n");
	return 2;
}
