// SPDX-License-Identifier: Apache-2.0
// ext4crypt-keyring: puts EXT4_DEFAULT_KEY into one user's keyring, or takes it away.
//
// @u follows the real uid, and a thread whose real uid is the user's can be signalled by the user.
// So this is a process of its own that holds nothing but the one key, and dies after one request.
// Its fsuid is root's: the key in the keyring is then owned by root, and the user finds it but can
// neither read, change nor revoke it, nor does it count against a quota: the user's is the user's,
// and the service's own user would be at its end after 200 users.
#include <keyutils.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/kernelio/keyring_protocol.h"

namespace ext4crypt {
namespace {

bool ReadRequest(KeyringRequest& request) {
  auto* out = reinterpret_cast<unsigned char*>(&request);
  size_t done = 0;
  while (done < sizeof(request)) {
    const ssize_t n = ::read(STDIN_FILENO, out + done, sizeof(request) - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

int Remove() {
  const auto key = static_cast<key_serial_t>(
      keyctl_search(KEY_SPEC_USER_KEYRING, "logon", kDefaultKeyDescription, 0));
  if (key < 0) {
    // Expired and revoked keys are as good as none, and the kernel collects them.
    return errno == ENOKEY || errno == EKEYEXPIRED || errno == EKEYREVOKED ? 0 : errno;
  }
  // Unlinked from here and wiped everywhere: the user may have linked it elsewhere.
  const bool unlinked = keyctl_unlink(key, KEY_SPEC_USER_KEYRING) == 0;
  const int err = errno;
  keyctl_invalidate(key);
  return unlinked ? 0 : err;
}

int Install(const KeyringRequest& request) {
  // add_key() would update a present key in place, for which its permissions leave nobody the
  // right, us included.
  if (const int err = Remove(); err != 0) return err;
  const key_serial_t key = add_key("logon", kDefaultKeyDescription, request.key,
                                   sizeof(request.key), KEY_SPEC_USER_KEYRING);
  if (key < 0) return errno;
  if (keyctl_setperm(key, KEY_POS_VIEW | KEY_POS_SEARCH | KEY_USR_VIEW) != 0) {
    const int err = errno;
    keyctl_unlink(key, KEY_SPEC_USER_KEYRING);
    return err;
  }
  return 0;
}

// Root as the owner of files and keys, without any capability.
int BecomeRootForKeysOnly() {
  setfsuid(0);
  if (setfsuid(static_cast<uid_t>(-1)) != 0) return EPERM;  // which only tells what it is now
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

// What may be done to a key in @u depends on possessing it, that is on a way to it from the session
// keyring. systemd gives a service one of its own (KeyringMode=private), from which none leads to
// the user's.
int OpenAWayToUserKeyring() {
  if (keyctl_join_session_keyring(nullptr) < 0) return errno;
  return keyctl_link(KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING) == 0 ? 0 : errno;
}

int Run() {
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  KeyringRequest request;
  if (!ReadRequest(request)) return EPROTO;
  // The raw call: glibc's wrapper is about all threads, and there is one.
  if (syscall(SYS_setresuid, request.uid, -1, -1) != 0) return errno;
  if (const int err = BecomeRootForKeysOnly(); err != 0) return err;
  if (const int err = OpenAWayToUserKeyring(); err != 0) return err;
  int result = EPROTO;
  if (request.verb == KeyringVerb::kInstall) result = Install(request);
  if (request.verb == KeyringVerb::kRemove) result = Remove();
  explicit_bzero(&request, sizeof(request));
  return result;
}

}  // namespace
}  // namespace ext4crypt

// Without what runs at exit: a process that nobody may trace is no place for LeakSanitizer.
int main() { ::_exit(ext4crypt::Run()); }
