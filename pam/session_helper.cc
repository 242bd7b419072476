// SPDX-License-Identifier: Apache-2.0
// ext4crypt-session: what pam_ext4crypt needs of the key service, in a process of its own.
//
// Root announces the session; all else is asked as the user, so that the service needs no rule by
// which root could unlock for others, and its limits per user hold for logins too. It answers with
// one message (pam/reply.h), and is killed when it takes too long. A passphrase's derivation may
// take a while; a service that shows no sign of life for kPatience is given up, and who has no key
// does not wait for one at all.
#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/rpc/keyd_client.h"
#include "client/rpc/local_socket.h"
#include "client/ui/errors.h"
#include "common/error.h"
#include "common/printable.h"
#include "common/process.h"
#include "common/session_protocol.h"
#include "common/status_macros.h"
#include "fido2/security_key.h"
#include "pam/reply.h"

namespace ext4crypt {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPatience = std::chrono::seconds(3);

struct Arguments {
  std::string verb;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string socket;
  bool enrol = false;
  bool fido2 = false;
};

// Wiped on every way out: `for_user` may hold a recovery code.
struct Reply {
  Reply() { message.magic = E4C_REPLY_MAGIC; }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply() { WipeBytes(&message, sizeof(message)); }

  void Journal(int priority, absl::string_view text) {
    message.log_priority = priority;
    Copy(PrintableText(text), message.for_journal, sizeof(message.for_journal));
  }
  void User(absl::string_view text) { Copy(text, message.for_user, sizeof(message.for_user)); }

  struct e4c_reply message = {};
  UniqueFd session;

 private:
  static void Copy(absl::string_view text, char* out, size_t room) {
    const size_t size = std::min(text.size(), room - 1);
    std::memcpy(out, text.data(), size);
    out[size] = '\0';
  }
};

// Asks by way of the PAM module.
class LoginTokenPrompt final : public TokenPrompt {
 public:
  void AskForTouch(const std::string& token) override {
    (void)Say(E4C_ASK_TOUCH, absl::StrCat("ext4crypt: touch your security key now: ", token));
  }
  absl::StatusOr<SecretBuffer> AskForPin(const std::string& token, int tries_left) override {
    const std::string left = tries_left < 0 ? "" : absl::StrCat(", ", tries_left, " left");
    if (!Say(E4C_ASK_PIN, absl::StrCat("PIN of ", token, left, ": "))) return NobodyThere();
    SecretBuffer message(sizeof(uint16_t) + E4C_MAX_PASSPHRASE);
    const ssize_t size = ::recv(STDOUT_FILENO, message.data(), message.size(), 0);
    uint16_t length = 0;
    if (size < static_cast<ssize_t>(sizeof(length))) return NobodyThere();
    std::memcpy(&length, message.data(), sizeof(length));
    if (length == 0 || size != static_cast<ssize_t>(sizeof(length) + length)) return NobodyThere();
    return SecretBuffer::CopyOf(message.bytes().subspan(sizeof(length), length));
  }

 private:
  static absl::Status NobodyThere() {
    return Error(ErrorReason::kPassphraseUnreadable, "nobody could be asked for the PIN");
  }
  static bool Say(uint32_t ask, const std::string& text) {
    Reply question;
    question.message.ask = ask;
    question.User(PrintableText(text));
    return ::send(STDOUT_FILENO, &question.message, sizeof(question.message), MSG_NOSIGNAL) ==
           sizeof(question.message);
  }
};

bool ReadAll(void* out, size_t size) {
  auto* bytes = static_cast<uint8_t*>(out);
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(STDIN_FILENO, bytes + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

// Empty when there is none.
SecretBuffer ReadSecret() {
  uint16_t size = 0;
  if (!ReadAll(&size, sizeof(size)) || size == 0 || size > E4C_MAX_PASSPHRASE) return {};
  SecretBuffer secret(size);
  return ReadAll(secret.data(), size) ? std::move(secret) : SecretBuffer();
}

std::string BesideSocket(const Arguments& arguments, absl::string_view name) {
  return absl::StrCat(arguments.socket.substr(0, arguments.socket.rfind('/') + 1), name);
}

// See common/session_protocol.h. False when it is not known.
bool IsNotEnrolled(const Arguments& arguments) {
  const std::string dir = BesideSocket(arguments, E4C_ENROLLED_DIR_NAME);
  const auto is_there = [&](absl::string_view name) {
    return ::access(absl::StrCat(dir, "/", name).c_str(), F_OK) == 0;
  };
  // Complete before and after: the directory goes when the service is stopped.
  return is_there(E4C_ENROLLED_COMPLETE) && !is_there(absl::StrCat(arguments.uid)) &&
         is_there(E4C_ENROLLED_COMPLETE);
}

// The descriptor that is the session: see common/session_protocol.h.
absl::StatusOr<UniqueFd> AnnounceSession(const Arguments& arguments, milliseconds patience) {
  const std::string path = BesideSocket(arguments, E4C_SESSION_SOCKET_NAME);
  ASSIGN_OR_RETURN(UniqueFd fd, ConnectTrusted(path, patience));
  const struct e4c_session_request request = {.magic = E4C_SESSION_MAGIC, .uid = arguments.uid};
  if (::send(fd.get(), &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request)) {
    return ErrnoError(ErrorReason::kServiceUnreachable, errno, "announcing the session", path);
  }
  return fd;
}

// Returns once the session is counted.
absl::StatusOr<UniqueFd> OpenSession(const Arguments& arguments) {
  const auto give_up = Clock::now() + kPatience;
  ASSIGN_OR_RETURN(UniqueFd fd, AnnounceSession(arguments, kPatience));
  const auto left = std::max<milliseconds>(
      std::chrono::duration_cast<milliseconds>(give_up - Clock::now()), milliseconds(1));
  const struct timeval limit = {.tv_sec = left.count() / 1000,
                                .tv_usec = left.count() % 1000 * 1000};
  char answer = 0;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
      ::recv(fd.get(), &answer, 1, 0) != 1 || answer != E4C_SESSION_OPENED) {
    return Error(ErrorReason::kServiceUnreachable, "the session was not counted",
                 BesideSocket(arguments, E4C_SESSION_SOCKET_NAME));
  }
  return fd;
}

absl::Status BecomeUser(const Arguments& arguments) {
  if (::setgroups(0, nullptr) != 0 ||
      ::setresgid(arguments.gid, arguments.gid, arguments.gid) != 0 ||
      ::setresuid(arguments.uid, arguments.uid, arguments.uid) != 0) {
    return ErrnoError(ErrorReason::kInternal, errno, "cannot become the user");
  }
  // Both were undone by the change.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ForbidCoreDumps();
}

// What every verb says about a failure that is not the user's to mend.
void Failed(Reply& reply, absl::string_view verb, const absl::Status& status,
            absl::string_view consequence) {
  reply.Journal(LOG_ERR, absl::StrCat(ReasonName(ReasonOf(status)), ": ", status.message()));
  reply.User(absl::StrCat(Explain(verb, status), "\n", consequence));
}

bool IsUnlocked(const keyd::v1::GetStatusResponse& status) {
  return std::any_of(status.keys().begin(), status.keys().end(), [](const auto& key) {
    return key.name() == "default" && key.state() == keyd::v1::UNLOCKED;
  });
}

// What the user's token answers; empty when there is none to ask. As root: a login has no rights to
// the token yet, and what is asked of the service is public.
SecretBuffer AskTokenAtLogin(const Arguments& arguments, Reply& reply) {
  auto client = KeydClient::Connect(arguments.socket, kPatience);
  if (!client.ok()) return {};  // asking as the user will say it
  const auto status = client->GetStatus(arguments.uid);
  if (!status.ok() || IsUnlocked(*status)) return {};
  const auto protectors = client->GetProtectors(arguments.uid);
  if (!protectors.ok()) return {};
  std::vector<PublicParameters> all;
  for (const keyd::v1::ProtectorParameters& protector : protectors->protectors()) {
    if (protector.info().kind() != KindName(ProtectorKind::kFido2)) continue;
    all.emplace_back(protector.parameters().begin(), protector.parameters().end());
  }
  if (all.empty()) return {};
  LoginTokenPrompt prompt;
  auto secret = AskToken(all, prompt);
  if (secret.ok()) return *std::move(secret);
  const ErrorReason reason = ReasonOf(secret.status());
  // Not plugged in: this login has none and goes on without a word.
  if (reason != ErrorReason::kNoToken && reason != ErrorReason::kWrongToken) {
    Failed(reply, "unlock", secret.status(), "Your files stay locked. Later: ext4crypt unlock");
  }
  return {};
}

void HintWhenLocked(KeydClient& client, Reply& reply) {
  const auto status = client.GetStatus(std::nullopt);
  if (!status.ok()) {
    Failed(reply, "status", status.status(), "Later: ext4crypt unlock");
  } else if (status->enrolled() && !IsUnlocked(*status)) {
    reply.Journal(LOG_INFO, "no passphrase at this login; the key stays locked");
    reply.User(
        "ext4crypt: your encrypted files are locked: this login came without your passphrase.\n"
        "Unlock them with: ext4crypt unlock");
  }
}

void EnrolAtLogin(KeydClient& client, const TypedCredential& credential, Reply& reply) {
  auto enrolled = client.Enrol(credential.secret);
  if (!enrolled.ok()) {
    Failed(reply, "enrol", enrolled.status(), "Create your key later with: ext4crypt enrol");
    return;
  }
  const auto unlocked = client.Unlock(credential, /*for_session=*/true);
  reply.Journal(LOG_NOTICE, "enrolled at login");
  std::string text = absl::StrCat(
      "ext4crypt: a key was created for you; your password opens it.\nRecovery code, shown this "
      "once; write it down: ",
      enrolled->recovery_code(), "\nA new one any time: ext4crypt recovery renew",
      unlocked.ok() ? "" : "\nIt is still locked: ext4crypt unlock");
  reply.User(text);
  WipeString(text);
  WipeString(*enrolled->mutable_recovery_code());
}

void UnlockAtLogin(KeydClient& client, const Arguments& arguments,
                   const TypedCredential& credential, Reply& reply) {
  const auto unlocked = client.Unlock(credential, /*for_session=*/true);
  const ErrorReason reason =
      unlocked.ok() ? ErrorReason::kUnspecified : ReasonOf(unlocked.status());
  if (reason == ErrorReason::kNotEnrolled) {
    if (arguments.enrol) EnrolAtLogin(client, credential, reply);
  } else if (reason == ErrorReason::kWrongPassphrase) {
    const auto status = client.GetStatus(std::nullopt);
    if (status.ok() && IsUnlocked(*status)) return;
    reply.Journal(LOG_NOTICE, "the login's password is not the key's passphrase");
    reply.User(
        "ext4crypt: your login password is not the passphrase of your key; your files stay "
        "locked.\nUnlock them with: ext4crypt unlock; make the two alike with: ext4crypt "
        "passphrase change");
  } else if (!unlocked.ok()) {
    Failed(reply, "unlock", unlocked.status(), "Your files stay locked. Later: ext4crypt unlock");
  } else if (!unlocked->keyring_installed()) {
    reply.Journal(LOG_WARNING, "unlocked, but there is no default key in the user's keyring");
  }
}

void Change(KeydClient& client, SecretBuffer old_passphrase, const SecretBuffer& new_passphrase,
            Reply& reply) {
  const absl::Status changed = client.ChangePassphrase(
      {.kind = CredentialKind::kPassphrase, .secret = std::move(old_passphrase)}, new_passphrase);
  if (changed.ok()) {
    reply.message.done = E4C_DONE_REWRAPPED;
    reply.Journal(LOG_INFO, "the key was rewrapped for the new password");
    reply.User("ext4crypt: your key now opens with the new password.");
  } else if (ReasonOf(changed) == ErrorReason::kWrongPassphrase) {
    reply.Journal(LOG_NOTICE, "the old password was not the key's passphrase");
    reply.User(
        "ext4crypt: your key has another passphrase than your old password and keeps it.\n"
        "Make the two alike with: ext4crypt passphrase change");
  } else if (ReasonOf(changed) == ErrorReason::kNotEnrolled) {
    reply.message.done = E4C_DONE_NO_KEY;
  } else {
    Failed(reply, "passphrase change", changed,
           "Your key keeps its old passphrase. Later: ext4crypt passphrase change");
  }
}

void Keep(KeydClient& client, Reply& reply) {
  const auto status = client.GetStatus(std::nullopt);
  if (!status.ok()) {
    Failed(reply, "status", status.status(), "If there is a key, it keeps its old passphrase.");
  } else if (status->enrolled()) {
    reply.Journal(LOG_NOTICE, "password changed without the old one; the key keeps its passphrase");
    reply.User(
        "ext4crypt: the key keeps its old passphrase, since nobody can rewrap it without "
        "that.\nAfter the next login its owner unlocks it with: ext4crypt unlock, with the "
        "old passphrase or (--recovery) the recovery code,\nand makes the two alike with: "
        "ext4crypt passphrase change [--recovery]");
  }
}

// Nothing here waits.
void RunWithoutKey(const Arguments& arguments, Reply& reply) {
  if (arguments.verb == "change") reply.message.done = E4C_DONE_NO_KEY;
  if (arguments.verb != "open") return;
  // Counted all the same: a key may be created in this session.
  auto session = AnnounceSession(arguments, milliseconds(1));
  if (session.ok()) {
    reply.session = *std::move(session);
  } else {
    reply.Journal(LOG_NOTICE,
                  absl::StrCat("the session is not counted: ", session.status().message()));
  }
}

absl::Status Run(const Arguments& arguments, Reply& reply) {
  SecretBuffer first = ReadSecret();
  const SecretBuffer second = ReadSecret();
  const bool may_enrol = arguments.verb == "open" && arguments.enrol && !first.empty();
  if (!may_enrol && IsNotEnrolled(arguments)) {
    RunWithoutKey(arguments, reply);
    return absl::OkStatus();
  }
  if (arguments.verb == "open") {
    ASSIGN_OR_RETURN(reply.session, OpenSession(arguments));
  }
  SecretBuffer token;
  if (arguments.verb == "open" && arguments.fido2 && first.empty()) {
    token = AskTokenAtLogin(arguments, reply);
  }
  RETURN_IF_ERROR(BecomeUser(arguments));
  ASSIGN_OR_RETURN(KeydClient client, KeydClient::Connect(arguments.socket, kPatience));
  if (arguments.verb == "open" && !first.empty()) {
    UnlockAtLogin(client, arguments,
                  {.kind = CredentialKind::kPassphrase, .secret = std::move(first)}, reply);
  } else if (arguments.verb == "open" && !token.empty()) {
    UnlockAtLogin(client, arguments, {.kind = CredentialKind::kFido2, .secret = std::move(token)},
                  reply);
  } else if (arguments.verb == "open") {
    // What went wrong with the token has been said, and is the better hint.
    if (reply.message.for_user[0] == '\0') HintWhenLocked(client, reply);
  } else if (arguments.verb == "change") {
    Change(client, std::move(first), second, reply);
  } else {
    Keep(client, reply);
  }
  return absl::OkStatus();
}

bool Send(const Reply& reply) {
  const int fd = reply.session.get();
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {};
  struct iovec part = {.iov_base = const_cast<e4c_reply*>(&reply.message),
                       .iov_len = sizeof(reply.message)};
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (reply.session.valid()) {
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
  }
  return ::sendmsg(STDOUT_FILENO, &message, MSG_NOSIGNAL) == sizeof(reply.message);
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (argc != 6 || !absl::SimpleAtoi(argv[2], &arguments.uid) ||
      !absl::SimpleAtoi(argv[3], &arguments.gid)) {
    return 2;
  }
  arguments.verb = argv[1];
  arguments.socket = argv[4];
  for (const absl::string_view word : absl::StrSplit(argv[5], ',')) {
    arguments.enrol = arguments.enrol || word == "enrol";
    arguments.fido2 = arguments.fido2 || word == "fido2";
  }
  const pid_t parent = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent || !ForbidCoreDumps().ok()) return 1;
  Reply reply;
  if (const absl::Status status = Run(arguments, reply); !status.ok()) {
    Failed(reply, arguments.verb == "open" ? "unlock" : "passphrase change", status,
           arguments.verb == "open" ? "Your files stay locked. Later: ext4crypt unlock"
                                    : "If there is a key, it keeps its old passphrase.");
  }
  return Send(reply) ? 0 : 1;
}

}  // namespace
}  // namespace ext4crypt

// Without what runs at exit: a process that nobody may trace is no place for LeakSanitizer.
int main(int argc, char** argv) { ::_exit(ext4crypt::Main(argc, argv)); }
