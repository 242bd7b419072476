/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the helper ext4crypt-session from within a login program, and waits for it, but not for
 * ever. */
#pragma once

#include <sys/types.h>

#include "pam/reply.h"

struct e4c_secret {
  size_t size;
  unsigned char bytes[E4C_MAX_PASSPHRASE];
};

struct e4c_call {
  const char* helper; /* the program */
  const char* verb;
  const char* socket; /* of the service */
  const char* option;
  uid_t uid;
  gid_t gid;
  int timeout_s;
  const struct e4c_secret* secrets[2]; /* NULL: none */
  /* Tells or asks the user what `question` says; leaves `answer` empty if nobody can be asked. */
  void (*ask)(void* context, const struct e4c_reply* question, struct e4c_secret* answer);
  void* context;
};

/*
 * 0 with the helper's answer in *reply and *session_fd (-1 when none came), or a negative errno:
 * -ETIMEDOUT after timeout_s seconds, or E4C_ASK_TIMEOUT_S after a question; -EPROTO when the
 * helper ends without a proper answer. The helper is gone when this returns.
 */
int e4c_run_helper(const struct e4c_call* call, struct e4c_reply* reply, int* session_fd);
