// SPDX-License-Identifier: Apache-2.0
/*
 * e4c-transfer DIR TWINS PLAIN: every other way than read(2) and write(2) by which bytes come into a file and out of it: O_DIRECT, AIO, io_uring,
 * splice and its relatives, copy_file_range, flags of preadv2 and pwritev2. PLAIN: a directory of the same file system that is not encrypted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "twin.h"

static const char *plain;

static void cold(int fd)
{
	need(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "dropping the cache of one file");
}

static int reopen(const struct twin *t, int flags)
{
	const int fd = open(t->path, O_RDWR | O_CLOEXEC | flags);

	need(fd >= 0, "open");
	return fd;
}

/* ---- O_DIRECT: falls back to the page cache -------------------------------------- */

static void direct(void)
{
	struct twin t = twin_open("direct", 0);
	const int fd = reopen(&t, O_DIRECT);
	uint8_t *bytes = fresh_bytes(40 * PAGE), *back = fresh_bytes(40 * PAGE);
	struct statx info;

	twin_write(&t, 0, 10 * PAGE + 5);
	check_number(pwrite(fd, bytes, 20 * PAGE, 4 * PAGE), 20 * PAGE, "O_DIRECT: an aligned write over dirty pages and past the end");
	twin_expect(&t, 4 * PAGE, bytes, 20 * PAGE);
	twin_agree(&t, "O_DIRECT: buffered reads see it");
	twin_write(&t, 7 * PAGE + 9, 3 * PAGE);
	check_number(pread(fd, back, 20 * PAGE, 4 * PAGE), 20 * PAGE, "O_DIRECT: a read over dirty pages");
	need(pread(t.copy, bytes, 20 * PAGE, 4 * PAGE) == 20 * PAGE, "pread");
	check(!memcmp(bytes, back, 20 * PAGE), "O_DIRECT: it sees what buffered writes wrote");
	/* Nothing has to be aligned where nothing is direct. */
	check_number(pwrite(fd, bytes + 3, 3 * PAGE + 17, 30 * PAGE + 11), 3 * PAGE + 17, "O_DIRECT: an unaligned write");
	twin_expect(&t, 30 * PAGE + 11, bytes + 3, 3 * PAGE + 17);
	cold(fd);
	check_number(pread(fd, back + 5, 2 * PAGE + 1, 30 * PAGE + 12), 2 * PAGE + 1, "O_DIRECT: an unaligned read");
	check(!memcmp(back + 5, bytes + 4, 2 * PAGE + 1), "O_DIRECT: gives the bytes");
	check_number(pread(fd, back, 8 * PAGE, 30 * PAGE), 3 * PAGE + 28, "O_DIRECT: a read over the end is short");
	if (statx(fd, "", AT_EMPTY_PATH, 0x2000 /* STATX_DIOALIGN */, &info) == 0)
		check_number(info.__spare3[0] & 0xffffffff, 0, "statx says that nothing is direct");
	twin_agree(&t, "O_DIRECT, at last");
	close(fd);
	free(bytes);
	free(back);
	twin_close(&t);
}

/* ---- AIO ------------------------------------------------------------------------------ */

static long aio_run(aio_context_t context, struct iocb *iocbs, long count)
{
	struct iocb *list[16];
	struct io_event events[16];
	long good = 0;

	for (long i = 0; i < count; i++)
		list[i] = &iocbs[i];
	need(syscall(SYS_io_submit, context, count, list) == count, "io_submit");
	need(syscall(SYS_io_getevents, context, count, count, events, NULL) == count, "io_getevents");
	for (long i = 0; i < count; i++)
		good += events[i].res == (long long)((struct iocb *)(uintptr_t)events[i].obj)->aio_nbytes;
	return good;
}

static struct iocb iocb_of(int fd, int opcode, void *bytes, size_t length, off_t offset)
{
	return (struct iocb){ .aio_fildes = (uint32_t)fd, .aio_lio_opcode = (uint16_t)opcode, .aio_buf = (uintptr_t)bytes, .aio_nbytes = length,
			      .aio_offset = offset };
}

static void aio(int flags, const char *name)
{
	struct twin t = twin_open(flags ? "aio-direct" : "aio", 0);
	const int fd = reopen(&t, flags);
	uint8_t *bytes = fresh_bytes(16 * 8 * PAGE), *back = fresh_bytes(16 * 8 * PAGE);
	aio_context_t context = 0;
	struct iocb iocbs[16], sync;

	need(syscall(SYS_io_setup, 16, &context) == 0, "io_setup");
	for (int i = 0; i < 16; i++) {
		/* Every other block of pages, then a border of groups in the middle. */
		iocbs[i] = iocb_of(fd, IOCB_CMD_PWRITE, bytes + i * 8 * PAGE, 8 * PAGE, i * 16 * (off_t)PAGE);
		twin_expect(&t, i * 16 * (off_t)PAGE, bytes + i * 8 * PAGE, 8 * PAGE);
	}
	check_number(aio_run(context, iocbs, 16), 16, name);
	sync = iocb_of(fd, IOCB_CMD_FSYNC, NULL, 0, 0);
	check_number(aio_run(context, &sync, 1), 1, "AIO: fsync");
	sync = iocb_of(fd, IOCB_CMD_FDSYNC, NULL, 0, 0);
	check_number(aio_run(context, &sync, 1), 1, "AIO: fdatasync");
	cold(fd);
	for (int i = 0; i < 16; i++)
		iocbs[i] = iocb_of(fd, IOCB_CMD_PREAD, back + i * 8 * PAGE, 8 * PAGE, i * 16 * (off_t)PAGE);
	check_number(aio_run(context, iocbs, 16), 16, "AIO: 16 reads at once");
	check(!memcmp(bytes, back, 16 * 8 * PAGE), "AIO: they give the bytes");
	twin_agree(&t, name);
	syscall(SYS_io_destroy, context);
	close(fd);
	free(bytes);
	free(back);
	twin_close(&t);
}

/* ---- io_uring, by raw system calls ------------------------------------------------------ */

struct ring {
	int fd;
	struct io_uring_params params;
	uint8_t *sq, *cq;
	struct io_uring_sqe *sqes;
	unsigned queued;
};

static uint32_t *ring_word(uint8_t *ring, uint32_t offset) { return (uint32_t *)(void *)(ring + offset); }

static bool ring_open(struct ring *r)
{
	struct io_uring_params *p = &r->params;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 16, p);
	if (r->fd < 0)
		return false;
	r->sq = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		     IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	return r->sq != MAP_FAILED && r->cq != MAP_FAILED && (void *)r->sqes != MAP_FAILED;
}

static struct io_uring_sqe *ring_add(struct ring *r, uint8_t opcode, int fd, const void *bytes, uint32_t length, off_t offset)
{
	const uint32_t tail = *ring_word(r->sq, r->params.sq_off.tail), slot = tail & *ring_word(r->sq, r->params.sq_off.ring_mask);
	struct io_uring_sqe *sqe = &r->sqes[slot];

	*sqe = (struct io_uring_sqe){ .opcode = opcode, .fd = fd, .addr = (uintptr_t)bytes, .len = length, .off = (uint64_t)offset, .user_data = length };
	ring_word(r->sq, r->params.sq_off.array)[slot] = slot;
	__atomic_store_n(ring_word(r->sq, r->params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	r->queued++;
	return sqe;
}

/* Submits what was added and waits. How many gave the length that was asked for. */
static unsigned ring_run(struct ring *r)
{
	const unsigned count = r->queued;
	const struct io_uring_cqe *cqes = (const void *)(r->cq + r->params.cq_off.cqes);
	uint32_t *head = ring_word(r->cq, r->params.cq_off.head);
	unsigned good = 0;

	need(syscall(SYS_io_uring_enter, r->fd, count, count, IORING_ENTER_GETEVENTS, NULL, 0) == (long)count, "io_uring_enter");
	while (*head != __atomic_load_n(ring_word(r->cq, r->params.cq_off.tail), __ATOMIC_ACQUIRE)) {
		const struct io_uring_cqe *cqe = &cqes[*head & *ring_word(r->cq, r->params.cq_off.ring_mask)];

		if (cqe->res == (int)cqe->user_data)
			good++;
		else
			errno = -cqe->res;
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	}
	r->queued = 0;
	return good;
}

static void uring(int flags, const char *name)
{
	struct twin t = twin_open(flags ? "uring-direct" : "uring", 0);
	const int fd = reopen(&t, flags);
	uint8_t *bytes = fresh_bytes(8 * 16 * PAGE), *back = fresh_bytes(8 * 16 * PAGE);
	struct iovec buffers[] = { { bytes, 8 * 16 * PAGE }, { back, 8 * 16 * PAGE } };
	struct io_uring_sqe *sqe;
	struct ring r;

	need(ring_open(&r), "io_uring_setup");
	need(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, buffers, 2) == 0, "IORING_REGISTER_BUFFERS");
	for (int i = 0; i < 8; i++) {
		/* Half of them from the registered buffer. */
		sqe = ring_add(&r, i % 2 ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE, fd, bytes + i * 16 * PAGE, 16 * PAGE, i * 20 * (off_t)PAGE);
		twin_expect(&t, i * 20 * (off_t)PAGE, bytes + i * 16 * PAGE, 16 * PAGE);
	}
	check_number(ring_run(&r), 8, name);
	twin_agree(&t, "io_uring: what was written");
	/* One after the other: allocate, write into it, sync. A fallocate's length is its address. */
	sqe = ring_add(&r, IORING_OP_FALLOCATE, fd, (void *)(uintptr_t)(20 * PAGE), FALLOC_FL_ZERO_RANGE, 10 * PAGE);
	sqe->user_data = 0;
	sqe->flags = IOSQE_IO_LINK;
	sqe = ring_add(&r, IORING_OP_WRITE_FIXED, fd, bytes + 5, 2 * PAGE, 25 * PAGE + 3);
	sqe->flags = IOSQE_IO_LINK;
	ring_add(&r, IORING_OP_FSYNC, fd, NULL, 0, 0);
	check_number(ring_run(&r), 3, "io_uring: a chain of fallocate, write, fsync");
	twin_expect_zero(&t, 10 * PAGE, 20 * PAGE);
	twin_expect(&t, 25 * PAGE + 3, bytes + 5, 2 * PAGE);
	cold(fd);
	for (int i = 0; i < 8; i++)
		ring_add(&r, i % 2 ? IORING_OP_READ_FIXED : IORING_OP_READ, fd, back + i * 16 * PAGE, 16 * PAGE, i * 16 * (off_t)PAGE)->buf_index = (uint16_t)(i % 2);
	check_number(ring_run(&r), 8, "io_uring: reads from the disk");
	need(pread(t.copy, bytes, 8 * 16 * PAGE, 0) == 8 * 16 * PAGE, "pread");
	check(!memcmp(bytes, back, 8 * 16 * PAGE), "io_uring: they give the bytes");
	twin_agree(&t, name);
	close(r.fd);
	close(fd);
	free(bytes);
	free(back);
	twin_close(&t);
}

/* ---- splice and its relatives, copies --------------------------------------------------- */

enum { COPY = 260 * PAGE + 123 }; /* three groups */

static void copy_to_twin(const struct twin *from, struct twin *to)
{
	uint8_t *bytes = fresh_bytes(COPY);

	need(pread(from->copy, bytes, COPY, 0) == COPY, "pread");
	twin_expect(to, 0, bytes, COPY);
	free(bytes);
}

static void pipes(struct twin *source)
{
	struct twin t = twin_open("splice", 0), tee_t = twin_open("tee", 0), vm = twin_open("vmsplice", 0), sent = twin_open("sendfile", 0);
	uint8_t *bytes = fresh_bytes(10 * PAGE);
	loff_t in = 0, out = 0, tee_out = 0;
	off_t at = 0;
	int first[2], second[2];

	need(pipe(first) == 0 && pipe(second) == 0, "pipe");
	cold(source->fd);
	while (out < COPY) {
		const ssize_t got = splice(source->fd, &in, first[1], NULL, 40000, 0);

		if (got <= 0 || tee(first[0], second[1], (size_t)got, 0) != got || splice(first[0], NULL, t.fd, &out, (size_t)got, 0) != got ||
		    splice(second[0], NULL, tee_t.fd, &tee_out, (size_t)got, SPLICE_F_MOVE) != got) {
			check(false, "splice, tee, splice");
			break;
		}
	}
	copy_to_twin(source, &t);
	copy_to_twin(source, &tee_t);
	twin_agree(&t, "splice from file to file");
	twin_agree(&tee_t, "tee on the way");
	struct iovec vec = { bytes, 10 * PAGE };
	check_number(vmsplice(first[1], &vec, 1, 0), 10 * PAGE, "vmsplice");
	out = 100;
	check_number(splice(first[0], NULL, vm.fd, &out, 10 * PAGE, 0), 10 * PAGE, "splice of it");
	twin_expect(&vm, 100, bytes, 10 * PAGE);
	twin_agree(&vm, "vmsplice into a file");
	cold(source->fd);
	while (at < COPY && sendfile(sent.fd, source->fd, &at, COPY) > 0)
		;
	copy_to_twin(source, &sent);
	twin_agree(&sent, "sendfile from file to file");
	free(bytes);
	twin_close(&t);
	twin_close(&tee_t);
	twin_close(&vm);
	twin_close(&sent);
}

static bool copy_all(int from, int to)
{
	loff_t in = 0, out = 0;
	ssize_t got = 1;

	while (out < COPY && got > 0)
		got = copy_file_range(from, &in, to, &out, COPY, 0);
	return out == COPY;
}

static void copies(struct twin *source)
{
	struct twin t = twin_open("copy", 0), back = twin_open("copy-from-plain", 0);
	struct file_clone_range range = { .src_fd = source->fd, .src_length = PAGE };
	struct file_dedupe_range *same = calloc(1, sizeof(*same) + sizeof(struct file_dedupe_range_info));
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/copy", plain);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	need(fd >= 0 && same, path);
	cold(source->fd);
	check(copy_all(source->fd, t.fd), "copy_file_range within the directory");
	copy_to_twin(source, &t);
	twin_agree(&t, "what copy_file_range made");
	check(copy_all(source->fd, fd), "copy_file_range to a plain directory");
	check(copy_all(fd, back.fd), "copy_file_range from a plain directory");
	copy_to_twin(source, &back);
	twin_agree(&back, "what came back");
	loff_t in = 3, out = 200 * PAGE + 1;
	check_number(copy_file_range(t.fd, &in, t.fd, &out, 20 * PAGE, 0), 20 * PAGE, "copy_file_range within a file");
	uint8_t *bytes = fresh_bytes(20 * PAGE);
	need(pread(t.copy, bytes, 20 * PAGE, 3) == 20 * PAGE, "pread");
	twin_expect(&t, 200 * PAGE + 1, bytes, 20 * PAGE);
	twin_agree(&t, "what it made");
	free(bytes);
	check_errno(ioctl(t.fd, FICLONE, source->fd), EOPNOTSUPP, "FICLONE is refused");
	check_errno(ioctl(t.fd, FICLONERANGE, &range), EOPNOTSUPP, "FICLONERANGE is refused");
	check_errno(ioctl(fd, FICLONE, source->fd), EOPNOTSUPP, "FICLONE to a plain file is refused");
	same->src_length = PAGE;
	same->dest_count = 1;
	same->info[0].dest_fd = t.fd;
	check(ioctl(source->fd, FIDEDUPERANGE, same) < 0 || same->info[0].status < 0, "FIDEDUPERANGE is refused");
	free(same);
	close(fd);
	twin_close(&t);
	twin_close(&back);
}

/* ---- flags ----------------------------------------------------------------------------------- */

static void flags(void)
{
	struct twin t = twin_open("flags", 0);
	uint8_t *bytes = fresh_bytes(4 * PAGE), *back = fresh_bytes(4 * PAGE);
	struct iovec out = { bytes, 4 * PAGE }, in = { back, 4 * PAGE };
	ssize_t got;
	int fd;

	twin_write(&t, 0, 4 * PAGE);
	cold(t.fd);
	errno = 0;
	got = preadv2(t.fd, &in, 1, 0, RWF_NOWAIT);
	need(pread(t.copy, bytes, 4 * PAGE, 0) == 4 * PAGE, "pread");
	check(got < 0 ? errno == EAGAIN : !memcmp(bytes, back, (size_t)got), "RWF_NOWAIT: a read of what is on the disk");
	need(pread(t.fd, back, 4 * PAGE, 0) == 4 * PAGE, "pread");
	memset(back, 0, 4 * PAGE);
	check(preadv2(t.fd, &in, 1, 0, RWF_NOWAIT) == 4 * PAGE && !memcmp(bytes, back, 4 * PAGE), "RWF_NOWAIT: a read of what is cached");
	errno = 0;
	got = pwritev2(t.fd, &out, 1, 2 * PAGE + 1, RWF_NOWAIT);
	check(got > 0 || errno == EAGAIN || errno == EOPNOTSUPP, "RWF_NOWAIT: a write");
	if (got > 0)
		twin_expect(&t, 2 * PAGE + 1, bytes, (size_t)got);
	twin_agree(&t, "RWF_NOWAIT, at last");
	struct stat info;
	need(fstat(t.copy, &info) == 0, "fstat");
	check_number(pwritev2(t.fd, &out, 1, 5, RWF_APPEND), 4 * PAGE, "RWF_APPEND");
	twin_expect(&t, info.st_size, bytes, 4 * PAGE);
	check_number(pwritev2(t.fd, &out, 1, PAGE + 5, RWF_DSYNC), 4 * PAGE, "RWF_DSYNC");
	twin_expect(&t, PAGE + 5, bytes, 4 * PAGE);
	check_number(pwritev2(t.fd, &out, 1, 3 * PAGE + 5, RWF_SYNC), 4 * PAGE, "RWF_SYNC");
	twin_expect(&t, 3 * PAGE + 5, bytes, 4 * PAGE);
	fd = reopen(&t, O_APPEND);
	need(fstat(t.copy, &info) == 0, "fstat");
	check_number(pwrite(fd, bytes, 100, 0), 100, "O_APPEND");
	twin_expect(&t, info.st_size, bytes, 100);
	close(fd);
	fd = reopen(&t, O_SYNC);
	check_number(pwrite(fd, bytes, 3 * PAGE, 77), 3 * PAGE, "O_SYNC");
	twin_expect(&t, 77, bytes, 3 * PAGE);
	close(fd);
	fd = reopen(&t, O_DSYNC | O_DIRECT);
	check_number(pwrite(fd, bytes, 3 * PAGE, 2 * PAGE), 3 * PAGE, "O_DSYNC with O_DIRECT");
	twin_expect(&t, 2 * PAGE, bytes, 3 * PAGE);
	close(fd);
	twin_agree(&t, "all flags, at last");
	check_number(sync_file_range(t.fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER), 0, "sync_file_range");
	free(bytes);
	free(back);
	twin_close(&t);
}

int main(int argc, char **argv)
{
	struct twin source;

	if (argc != 4) {
		fprintf(stderr, "usage: e4c-transfer DIR TWINS PLAIN\n");
		return 2;
	}
	twin_directories(argv[1], argv[2]);
	plain = argv[3];
	direct();
	aio(0, "AIO: 16 writes at once");
	aio(O_DIRECT, "AIO with O_DIRECT: 16 writes at once");
	uring(0, "io_uring: writes");
	uring(O_DIRECT, "io_uring with O_DIRECT: writes");
	source = twin_open("source", 0);
	twin_write(&source, 0, COPY);
	pipes(&source);
	copies(&source);
	twin_close(&source);
	flags();
	return finish();
}
