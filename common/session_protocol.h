/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a login session is announced to the key service. Plain C.
 *
 * Root's helper connects to the session socket and writes one request; the service answers with one
 * byte once it counts the session. From then on nothing is said: the session lasts until the other
 * end of that connection is closed in every process that has it, whichever way that comes about.
 * Who connects is asked of the kernel (SO_PEERCRED): for anybody but root the door is shut.
 */
#pragma once

#include <stdint.h>

#define E4C_SESSION_MAGIC 0x31533445u /* "E4S1", little-endian */
#define E4C_SESSION_OPENED 'O'
/* Beside the service's own socket, in the same directory. */
#define E4C_SESSION_SOCKET_NAME "session.sock"

/*
 * For who has no key a login need not wait: the request is written and the answer not read. A
 * directory beside the sockets, the service's own (0700), has an empty file for each uid with a
 * default key, and the file "complete" while it has all of them. Only a uid that is missing in a
 * complete directory has no key; in all other cases the service has to be asked.
 */
#define E4C_ENROLLED_DIR_NAME "enrolled"
#define E4C_ENROLLED_COMPLETE "complete"

struct e4c_session_request {
  uint32_t magic;
  uint32_t uid;
};
