/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login program is somebody else's: it may have threads, handlers for SIGCHLD, closed standard
 * descriptors, a set-user-id origin. So the child does nothing between fork and exec that is not
 * async-signal-safe, gets an empty environment, and keeps no descriptor but the three it is given.
 */
#define _GNU_SOURCE
#include "pam/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void close_fd(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static bool write_secret(int fd, const struct e4c_secret* secret) {
  const uint16_t size = (uint16_t)secret->size;
  return write(fd, &size, sizeof(size)) == (ssize_t)sizeof(size) &&
         write(fd, secret->bytes, secret->size) == (ssize_t)secret->size;
}

/* The read end of a pipe that holds the secrets and nothing more: they fit, so nobody waits. */
static int secrets_pipe(const struct e4c_call* call) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  bool written = true;
  for (size_t i = 0; i < 2; ++i) {
    if (call->secrets[i] != NULL) written = written && write_secret(ends[1], call->secrets[i]);
  }
  close(ends[1]);
  if (written) return ends[0];
  close(ends[0]);
  return -EIO;
}

static void exec_helper(const char* path, char* const argv[], int secrets, int replies) {
  static char* const no_environment[] = {NULL};
  struct sigaction by_default = {.sa_handler = SIG_DFL};
  for (int number = 1; number < NSIG; ++number) sigaction(number, &by_default, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  /* Out of the way first: the program may have been started without standard descriptors. */
  secrets = fcntl(secrets, F_DUPFD, 3);
  replies = fcntl(replies, F_DUPFD, 3);
  if (secrets < 0 || replies < 0 || dup2(secrets, 0) < 0 || dup2(replies, 1) < 0) _exit(126);
  const int null = open("/dev/null", O_WRONLY);
  if (null < 0 || dup2(null, 2) < 0 || close_range(3, ~0U, 0) != 0) _exit(126);
  /* su and passwd run for a user; the helper must not be that user's to signal. */
  if (setgid(0) != 0 || setuid(0) != 0 || chdir("/") != 0) _exit(126);
  umask(077);
  execve(path, argv, no_environment);
  _exit(127);
}

static int milliseconds_left(const struct timespec* deadline) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long left =
      (long)(deadline->tv_sec - now.tv_sec) * 1000 + (deadline->tv_nsec - now.tv_nsec) / 1000000;
  return left > 0 ? (int)left : 0;
}

static int wait_readable(int fd, int timeout_s) {
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += timeout_s;
  for (;;) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    const int ready = poll(&waiting, 1, milliseconds_left(&deadline));
    if (ready > 0) return 0;
    if (ready == 0) return -ETIMEDOUT;
    if (errno != EINTR) return -errno;
  }
}

static int receive(int fd, struct e4c_reply* reply, int* session_fd) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof(control));
  struct iovec part = {.iov_base = reply, .iov_len = sizeof(*reply)};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
  ssize_t size;
  do size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  const struct cmsghdr* header = size < 0 ? NULL : CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int))) {
    memcpy(session_fd, CMSG_DATA(header), sizeof(int));
  }
  if (size != (ssize_t)sizeof(*reply) || reply->magic != E4C_REPLY_MAGIC) {
    close_fd(session_fd);
    return -EPROTO;
  }
  reply->for_journal[sizeof(reply->for_journal) - 1] = '\0';
  reply->for_user[sizeof(reply->for_user) - 1] = '\0';
  return 0;
}

static int answer(int fd, const struct e4c_call* call, const struct e4c_reply* question) {
  struct {
    uint16_t size;
    unsigned char bytes[E4C_MAX_PASSPHRASE];
  } message;
  struct e4c_secret typed = {.size = 0};
  call->ask(call->context, question, &typed);
  int result = 0;
  if (question->ask == E4C_ASK_PIN) {
    message.size = (uint16_t)typed.size;
    memcpy(message.bytes, typed.bytes, typed.size);
    const size_t size = sizeof(message.size) + typed.size;
    if (send(fd, &message, size, MSG_NOSIGNAL) != (ssize_t)size) result = -EPROTO;
  }
  explicit_bzero(&message, sizeof(message));
  explicit_bzero(&typed, sizeof(typed));
  return result;
}

/* Until the helper has answered. What it asks is not without end: it may be out of order. */
static int converse(int fd, const struct e4c_call* call, struct e4c_reply* reply, int* session_fd) {
  for (int asked = 0; asked <= E4C_MAX_QUESTIONS; ++asked) {
    int result = wait_readable(fd, asked == 0 ? call->timeout_s : E4C_ASK_TIMEOUT_S);
    if (result == 0) result = receive(fd, reply, session_fd);
    if (result != 0 || reply->ask == E4C_ASK_NOTHING) return result;
    close_fd(session_fd);
    if (call->ask == NULL || reply->ask > E4C_ASK_PIN) return -EPROTO;
    result = answer(fd, call, reply);
    if (result != 0) return result;
  }
  return -EPROTO;
}

/* Ends the child in any case: its answer was the last thing it had to do. */
static void reap(pid_t pid, int pidfd) {
  /* By descriptor: should the program have waited for it already, the number may be another's. */
  if (pidfd >= 0) pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
}

int e4c_run_helper(const struct e4c_call* call, struct e4c_reply* reply, int* session_fd) {
  char uid[16];
  char gid[16];
  snprintf(uid, sizeof(uid), "%u", (unsigned)call->uid);
  snprintf(gid, sizeof(gid), "%u", (unsigned)call->gid);
  char* const argv[] = {"ext4crypt-session", (char*)call->verb,   uid, gid,
                        (char*)call->socket, (char*)call->option, NULL};
  *session_fd = -1;
  memset(reply, 0, sizeof(*reply));
  int replies[2];
  int secrets = secrets_pipe(call);
  if (secrets < 0) return secrets;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, replies) != 0) {
    const int error = -errno;
    close(secrets);
    return error;
  }
  /* As pam_unix does for its helper: a handler of the program must not take our child. */
  struct sigaction by_default = {.sa_handler = SIG_DFL};
  struct sigaction before;
  sigaction(SIGCHLD, &by_default, &before);
  int result = 0;
  const pid_t pid = fork();
  if (pid == 0) exec_helper(call->helper, argv, secrets, replies[1]);
  if (pid < 0) result = -errno;
  int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
  close_fd(&secrets);
  close_fd(&replies[1]);
  if (pid > 0) {
    result = converse(replies[0], call, reply, session_fd);
    reap(pid, pidfd);
  }
  close_fd(&pidfd);
  close_fd(&replies[0]);
  sigaction(SIGCHLD, &before, NULL);
  return result;
}
