/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pam_ext4crypt: a user's key from login to logout.
 *
 *   auth      keeps the passphrase for the session; grants and denies nothing
 *   session   announces the session to the key service and unlocks with the passphrase
 *   password  rewraps the key when the user changes the password
 *
 * It must come after the module that checks the password. Nothing here stops a login: what fails is
 * said to the user and in the journal. All that could block, gRPC included, is in the helper
 * ext4crypt-session, which is given a limited time.
 *
 * Options: enrol, fido2, timeout=SECONDS, socket=PATH, helper=PATH. See docs/key-service.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "pam/helper.h"

#define SECRET_DATA "ext4crypt_secret"
#define SESSION_DATA "ext4crypt_session"
#define DEFAULT_TIMEOUT_S 10
#define MAX_TIMEOUT_S 120

struct options {
  bool enrol;
  bool fido2;
  int timeout_s;
  const char* socket;
  const char* helper;
};

/* In pages of its own, locked, left out of core dumps. For one user: who it is may still change. */
struct kept {
  struct e4c_secret secret;
  char user[256];
};

static struct options parse_options(pam_handle_t* pamh, int argc, const char** argv) {
  struct options options = {.timeout_s = DEFAULT_TIMEOUT_S,
                            .socket = "/run/ext4crypt/keyd.sock",
                            .helper = EXT4CRYPT_SESSION_HELPER};
  for (int i = 0; i < argc; ++i) {
    if (strcmp(argv[i], "enrol") == 0) {
      options.enrol = true;
    } else if (strcmp(argv[i], "fido2") == 0) {
      options.fido2 = true;
    } else if (strncmp(argv[i], "timeout=", 8) == 0) {
      const long seconds = strtol(argv[i] + 8, NULL, 10);
      if (seconds >= 1 && seconds <= MAX_TIMEOUT_S) options.timeout_s = (int)seconds;
    } else if (strncmp(argv[i], "socket=", 7) == 0) {
      options.socket = argv[i] + 7;
    } else if (strncmp(argv[i], "helper=", 7) == 0) {
      options.helper = argv[i] + 7;
    } else {
      pam_syslog(pamh, LOG_ERR, "unknown option '%s' is ignored", argv[i]);
    }
  }
  return options;
}

static void free_kept(struct kept* kept) {
  explicit_bzero(kept, sizeof(*kept));
  munmap(kept, sizeof(*kept));
}

static void cleanup_secret(pam_handle_t* pamh, void* data, int status) {
  (void)pamh;
  (void)status;
  if (data != NULL) free_kept(data);
}

/* Not more than a close: the program's children end their copy of the handle as well. */
static void cleanup_session(pam_handle_t* pamh, void* data, int status) {
  (void)pamh;
  (void)status;
  if (data != NULL) close((int)(intptr_t)data - 1);
}

static struct kept* keep(const char* passphrase, const char* user) {
  const size_t size = strnlen(passphrase, E4C_MAX_PASSPHRASE + 1);
  if (size == 0 || size > E4C_MAX_PASSPHRASE) return NULL;
  struct kept* kept =
      mmap(NULL, sizeof(*kept), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (kept == MAP_FAILED) return NULL;
  if (strnlen(user, sizeof(kept->user)) == sizeof(kept->user)) {
    munmap(kept, sizeof(*kept));
    return NULL;
  }
  mlock(kept, sizeof(*kept)); /* as far as the limits allow */
  madvise(kept, sizeof(*kept), MADV_DONTDUMP);
  memcpy(kept->secret.bytes, passphrase, size);
  kept->secret.size = size;
  strcpy(kept->user, user);
  return kept;
}

/* A passphrase that PAM has, or NULL. */
static struct kept* keep_item(pam_handle_t* pamh, int item) {
  const void* passphrase = NULL;
  const char* user = NULL;
  if (pam_get_item(pamh, item, &passphrase) != PAM_SUCCESS || passphrase == NULL) return NULL;
  if (pam_get_user(pamh, &user, NULL) != PAM_SUCCESS || user == NULL) return NULL;
  return keep(passphrase, user);
}

/* The passphrase that this handle keeps for `name`, or NULL. */
static const struct kept* kept_for(pam_handle_t* pamh, const char* name) {
  const void* data = NULL;
  if (pam_get_data(pamh, SECRET_DATA, &data) != PAM_SUCCESS || data == NULL) return NULL;
  const struct kept* kept = data;
  return strcmp(kept->user, name) == 0 ? kept : NULL;
}

static void keep_for_session(pam_handle_t* pamh, struct kept* kept) {
  if (kept != NULL && pam_set_data(pamh, SECRET_DATA, kept, cleanup_secret) != PAM_SUCCESS) {
    free_kept(kept);
  }
}

/* Fills uid and gid of `call`. libpam's own look-up: an entry of a directory service can be of any
 * size. */
static bool find_user(pam_handle_t* pamh, struct e4c_call* call, const char** name) {
  if (pam_get_user(pamh, name, NULL) != PAM_SUCCESS || *name == NULL) return false;
  const struct passwd* found = pam_modutil_getpwnam(pamh, *name);
  if (found == NULL) {
    pam_syslog(pamh, LOG_ERR, "the user is unknown, and has no key here");
    return false;
  }
  call->uid = found->pw_uid;
  call->gid = found->pw_gid;
  return true;
}

static struct e4c_call new_call(const struct options* options, const char* verb) {
  return (struct e4c_call){.helper = options->helper,
                           .verb = verb,
                           .socket = options->socket,
                           .option = options->enrol && options->fido2 ? "enrol,fido2"
                                     : options->enrol                 ? "enrol"
                                     : options->fido2                 ? "fido2"
                                                                      : "-",
                           .timeout_s = options->timeout_s};
}

struct conversation {
  pam_handle_t* pamh;
  bool silent;
};

/* For e4c_run_helper(). Where nobody can be asked, a program without a conversation say, the answer
 * stays empty, and the login goes on without. */
static void ask_user(void* context, const struct e4c_reply* question, struct e4c_secret* answer) {
  const struct conversation* talk = context;
  if (talk->silent) return;
  if (question->ask == E4C_ASK_TOUCH) {
    pam_info(talk->pamh, "%s", question->for_user);
    return;
  }
  char* typed = NULL;
  if (pam_prompt(talk->pamh, PAM_PROMPT_ECHO_OFF, &typed, "%s", question->for_user) !=
          PAM_SUCCESS ||
      typed == NULL) {
    return;
  }
  const size_t size = strlen(typed);
  if (size <= sizeof(answer->bytes)) {
    memcpy(answer->bytes, typed, size);
    answer->size = size;
  }
  explicit_bzero(typed, size);
  free(typed);
}

/* A token is where its user is: at the other end of a network it is out of reach. */
static bool is_remote(pam_handle_t* pamh) {
  const void* host = NULL;
  return pam_get_item(pamh, PAM_RHOST, &host) == PAM_SUCCESS && host != NULL &&
         *(const char*)host != '\0';
}

/* 0 when the service was reached; says what there is to say either way. */
static int run(pam_handle_t* pamh, int flags, struct e4c_call* call, const char* failed,
               int32_t* done, int* session_fd) {
  struct e4c_reply reply;
  const bool silent = ((unsigned)flags & PAM_SILENT) != 0;
  struct conversation talk = {.pamh = pamh, .silent = silent};
  call->ask = ask_user;
  call->context = &talk;
  const int error = e4c_run_helper(call, &reply, session_fd);
  if (error != 0) {
    pam_syslog(pamh, LOG_ERR, "%s for uid %u: %s: %s", call->verb, (unsigned)call->uid,
               error == -ETIMEDOUT ? "the key service did not answer in time"
                                   : "the helper gave no answer",
               strerror(-error));
    if (!silent) pam_info(pamh, "ext4crypt: the key service does not answer; %s", failed);
  } else {
    if (reply.for_journal[0] != '\0') {
      pam_syslog(pamh, reply.log_priority & LOG_PRIMASK, "%s for uid %u: %s", call->verb,
                 (unsigned)call->uid, reply.for_journal);
    }
    if (reply.for_user[0] != '\0' && !silent) pam_info(pamh, "%s", reply.for_user);
    *done = reply.done;
  }
  explicit_bzero(&reply, sizeof(reply));
  return error;
}

__attribute__((visibility("default"))) int pam_sm_authenticate(pam_handle_t* pamh, int flags,
                                                               int argc, const char** argv) {
  (void)flags;
  (void)argc;
  (void)argv;
  keep_for_session(pamh, keep_item(pamh, PAM_AUTHTOK));
  return PAM_IGNORE;
}

__attribute__((visibility("default"))) int pam_sm_setcred(pam_handle_t* pamh, int flags, int argc,
                                                          const char** argv) {
  (void)pamh;
  (void)flags;
  (void)argc;
  (void)argv;
  return PAM_IGNORE;
}

__attribute__((visibility("default"))) int pam_sm_open_session(pam_handle_t* pamh, int flags,
                                                               int argc, const char** argv) {
  struct options options = parse_options(pamh, argc, argv);
  options.fido2 = options.fido2 && !is_remote(pamh);
  struct e4c_call call = new_call(&options, "open");
  const char* name = NULL;
  if (!find_user(pamh, &call, &name)) return PAM_SUCCESS;
  const struct kept* kept = kept_for(pamh, name);
  if (kept != NULL) call.secrets[0] = &kept->secret;
  int session_fd = -1;
  int32_t done = 0;
  run(pamh, flags, &call, "your files stay locked. Later: ext4crypt unlock", &done, &session_fd);
  pam_set_data(pamh, SECRET_DATA, NULL, NULL); /* wipes it: it has served */
  if (session_fd >= 0 && pam_set_data(pamh, SESSION_DATA, (void*)((intptr_t)session_fd + 1),
                                      cleanup_session) != PAM_SUCCESS) {
    close(session_fd);
  }
  return PAM_SUCCESS;
}

__attribute__((visibility("default"))) int pam_sm_close_session(pam_handle_t* pamh, int flags,
                                                                int argc, const char** argv) {
  (void)flags;
  (void)argc;
  (void)argv;
  const void* data = NULL;
  if (pam_get_data(pamh, SESSION_DATA, &data) == PAM_SUCCESS && data != NULL) {
    /* The end for every process that has inherited it, not only for this one. */
    shutdown((int)(intptr_t)data - 1, SHUT_RDWR);
    pam_set_data(pamh, SESSION_DATA, NULL, NULL);
  }
  return PAM_SUCCESS;
}

__attribute__((visibility("default"))) int pam_sm_chauthtok(pam_handle_t* pamh, int flags, int argc,
                                                            const char** argv) {
  if (((unsigned)flags & PAM_UPDATE_AUTHTOK) == 0) return PAM_IGNORE;
  const struct options options = parse_options(pamh, argc, argv);
  struct kept* old = keep_item(pamh, PAM_OLDAUTHTOK);
  struct kept* new = keep_item(pamh, PAM_AUTHTOK);
  struct e4c_call call = new_call(&options, old != NULL ? "change" : "keep");
  const char* name = NULL;
  int session_fd = -1;
  int32_t done = 0;
  if (new != NULL && find_user(pamh, &call, &name)) {
    if (old != NULL) {
      call.secrets[0] = &old->secret;
      call.secrets[1] = &new->secret;
    }
    run(pamh, flags, &call,
        "if there is a key, it keeps its old passphrase. Later: ext4crypt passphrase change", &done,
        &session_fd);
    if (session_fd >= 0) close(session_fd);
    /* At a login whose password has expired, the session follows on this handle, with the password
     * that was typed first. Where the key kept that one, so does the session. */
    if (done != 0 && kept_for(pamh, name) != NULL) {
      keep_for_session(pamh, new);
      new = NULL;
    }
  }
  if (old != NULL) free_kept(old);
  if (new != NULL) free_kept(new);
  return done == E4C_DONE_REWRAPPED ? PAM_SUCCESS : PAM_IGNORE;
}
