// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-fserror MOUNT READY SECONDS: waits for file system errors as fanotify reports them, FAN_FS_ERROR, and prints of each the errno, the inode and how many it
 * stands for. Creates the file READY once it listens. Exits with 1 if none comes within SECONDS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

static int failed(const char *call)
{
	fprintf(stderr, "%s: %s\n", call, strerrorname_np(errno));
	return 2;
}

static void print(const struct fanotify_event_metadata *event)
{
	const char *at = (const char *)event + event->metadata_len, *end = (const char *)event + event->event_len;
	uint32_t inode = 0;
	int error = 0;
	unsigned count = 0;

	while (at < end) {
		struct fanotify_event_info_header header;

		memcpy(&header, at, sizeof(header));
		if (header.info_type == FAN_EVENT_INFO_TYPE_ERROR) {
			struct fanotify_event_info_error info;

			memcpy(&info, at, sizeof(info));
			error = info.error;
			count = info.error_count;
		} else if (header.info_type == FAN_EVENT_INFO_TYPE_FID) {
			/* The handle of ext4 begins with the inode's number. */
			memcpy(&inode, at + sizeof(struct fanotify_event_info_fid) + sizeof(struct file_handle), sizeof(inode));
		}
		at += header.len;
	}
	printf("%s inode %u count %u\n", strerrorname_np(error < 0 ? -error : error), inode, count);
}

int main(int argc, char **argv)
{
	_Alignas(8) char buffer[4096];
	int fd, ready;

	if (argc != 4)
		return 2;
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
	if (fd < 0)
		return failed("fanotify_init");
	if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_FS_ERROR, AT_FDCWD, argv[1]))
		return failed("fanotify_mark");
	ready = open(argv[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (ready < 0)
		return failed("open");

	struct pollfd poller = { .fd = fd, .events = POLLIN };

	if (poll(&poller, 1, 1000 * atoi(argv[3])) <= 0)
		return 1;

	ssize_t length = read(fd, buffer, sizeof(buffer));

	for (struct fanotify_event_metadata *event = (void *)buffer; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length))
		if (event->mask & FAN_FS_ERROR)
			print(event);
	return 0;
}
