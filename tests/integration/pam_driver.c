/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A login program for tests: authenticates (unless told not to), has an expired password changed,
 * opens a session and keeps it.
 *   pam_driver SERVICE USER auth|noauth < answers and then, a line each: close
 * What PAM says goes to standard output, as "says: TEXT"; then "open" once the session is. At
 * "close" it closes the session and says "closed"; at the end of input it just dies, as a killed
 * login does.
 */
#define _GNU_SOURCE
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char* read_line(void) {
  static char line[1100];
  if (fgets(line, sizeof(line), stdin) == NULL) return NULL;
  line[strcspn(line, "\n")] = '\0';
  return line;
}

static int converse(int count, const struct pam_message** messages, struct pam_response** answers,
                    void* data) {
  (void)data;
  *answers = calloc((size_t)count, sizeof(**answers));
  for (int i = 0; i < count; ++i) {
    const int style = messages[i]->msg_style;
    if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG) {
      printf("says: %s\n", messages[i]->msg);
    } else {
      const char* line = read_line();
      if (line == NULL) return PAM_CONV_ERR;
      (*answers)[i].resp = strdup(line);
    }
  }
  fflush(stdout);
  return PAM_SUCCESS;
}

int main(int argc, char** argv) {
  const struct pam_conv conversation = {.conv = converse};
  pam_handle_t* pamh = NULL;
  if (argc != 4 || pam_start(argv[1], argv[2], &conversation, &pamh) != PAM_SUCCESS) return 2;
  int result = strcmp(argv[3], "auth") == 0 ? pam_authenticate(pamh, 0) : PAM_SUCCESS;
  printf("auth %d\n", result);
  if (result == PAM_SUCCESS) result = pam_acct_mgmt(pamh, 0);
  if (result == PAM_NEW_AUTHTOK_REQD) result = pam_chauthtok(pamh, PAM_CHANGE_EXPIRED_AUTHTOK);
  if (result == PAM_SUCCESS) result = pam_open_session(pamh, 0);
  printf("%s %d\n", result == PAM_SUCCESS ? "open" : "refused", result);
  fflush(stdout);
  if (result != PAM_SUCCESS) return 1;
  const char* line = read_line();
  if (line == NULL) _exit(9);
  printf("closed %d\n", pam_close_session(pamh, 0));
  pam_end(pamh, PAM_SUCCESS);
  return 0;
}
