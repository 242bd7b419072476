/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the helper ext4crypt-session answers to the PAM module: one message on a SOCK_SEQPACKET
 * pair, with the session's descriptor attached (SCM_RIGHTS) if there is one.
 *
 * The helper's arguments are: VERB UID GID SOCKET OPTION, where VERB is
 *   open     begin a session; unlock with the passphrase, if there is one. OPTION: "enrol" or "-"
 *   change   rewrap: the old passphrase, then the new one
 *   keep     the password was changed without the old one: say what that means
 * Passphrases come on its standard input, each as a 16-bit length in the machine's order and so
 * many bytes.
 */
#pragma once

#include <stdint.h>

#define E4C_REPLY_MAGIC 0x31523445u /* "E4R1", little-endian */
#define E4C_MAX_PASSPHRASE 1024

/* What became of a change: nothing, or the old passphrase opens the key (0); the new one does;
 * there is no key to open. */
#define E4C_DONE_REWRAPPED 1
#define E4C_DONE_NO_KEY 2

struct e4c_reply {
  uint32_t magic;
  int32_t done;          /* with change: E4C_DONE_* */
  int32_t log_priority;  /* of for_journal, as syslog(3) */
  char for_journal[500]; /* empty: nothing to say. No secret. */
  char for_user[1024];   /* empty: nothing to say. May hold a recovery code. */
};
