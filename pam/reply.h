/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the helper ext4crypt-session says to the PAM module on a SOCK_SEQPACKET pair: its answer,
 * with the session's descriptor attached (SCM_RIGHTS) if there is one. Before that it may ask for
 * something, at most E4C_MAX_QUESTIONS times; a PIN comes back on the same pair as one message, a
 * 16-bit length in the machine's order and so many bytes. A length of 0: nobody can be asked.
 *
 * The helper's arguments are: VERB UID GID SOCKET OPTION, where VERB is
 *   open     begin a session; unlock with the passphrase, if there is one. OPTION: words with
 * commas between them, or "-": "enrol"; "fido2", ask a security key when there is no passphrase
 *   change   rewrap: the old passphrase, then the new one
 *   keep     the password was changed without the old one: say what that means
 * Passphrases come on its standard input, each as a 16-bit length in the machine's order and so
 * many bytes.
 */
#pragma once

#include <stdint.h>

#define E4C_REPLY_MAGIC 0x32523445u /* "E4R2", little-endian */
#define E4C_MAX_PASSPHRASE 1024

/* What became of a change: nothing, or the old passphrase opens the key (0); the new one does;
 * there is no key to open. */
#define E4C_DONE_REWRAPPED 1
#define E4C_DONE_NO_KEY 2

/* What is asked: nothing, this is the answer; to tell the user; a PIN. */
#define E4C_ASK_NOTHING 0
#define E4C_ASK_TOUCH 1
#define E4C_ASK_PIN 2
#define E4C_MAX_QUESTIONS 16
/* How long the helper may take after a question: a token waits half a minute for a finger. */
#define E4C_ASK_TIMEOUT_S 40

struct e4c_reply {
  uint32_t magic;
  uint32_t ask;          /* E4C_ASK_*; for_user has the words */
  int32_t done;          /* with change: E4C_DONE_* */
  int32_t log_priority;  /* of for_journal, as syslog(3) */
  char for_journal[500]; /* empty: nothing to say. No secret. */
  char for_user[1024];   /* empty: nothing to say. May hold a recovery code. */
};
