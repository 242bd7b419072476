// SPDX-License-Identifier: Apache-2.0
#include "client/ui/errors.h"

#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/printable.h"

namespace ext4crypt {
namespace {

struct ExitRow {
  int code;
  const char* meaning;
};

constexpr std::array kExits = {
    ExitRow{0, "done"},
    ExitRow{1, "internal error"},
    ExitRow{kExitUsage, "the command line is wrong"},
    ExitRow{3, "the key service cannot be reached, is overloaded or is not to be trusted"},
    ExitRow{4, "not enrolled"},
    ExitRow{5, "already enrolled"},
    ExitRow{6, "wrong passphrase, recovery code, key file or security key"},
    ExitRow{7, "the passphrase, recovery code or key file cannot be used"},
    ExitRow{8, "too many wrong guesses; wait"},
    ExitRow{9, "locked: unlock first"},
    ExitRow{10, "busy: files are still open"},
    ExitRow{11, "no such directory, or it cannot be read"},
    ExitRow{12, "the directory is not empty"},
    ExitRow{13, "the directory belongs to someone else"},
    ExitRow{14, "the directory is encrypted with another policy"},
    ExitRow{15, "the file system cannot encrypt, or is read-only"},
    ExitRow{16, "the file system cannot authenticate and that was not allowed"},
    ExitRow{17, "the key service's store is damaged or cannot be written"},
    ExitRow{18, "not allowed, or no such user"},
    ExitRow{19, "the kernel refused a key on a volume or in a keyring"},
    ExitRow{20, "changed meanwhile; try again"},
    ExitRow{21, "the protector cannot be added, renamed or removed"},
    ExitRow{22, "some files could not be moved and are where they were"},
    ExitRow{23, "interrupted; run the same command again"},
    ExitRow{24, "the volume is full"},
    ExitRow{25, "no such key, or its name cannot be used"},
    ExitRow{26, "the key was kept, because data would be lost"},
    ExitRow{27, "the export cannot be used"},
    ExitRow{28, "the disk failed to read or write"},
    ExitRow{29, "no security key is there, or it failed"},
    ExitRow{30, "some files are not authentic"},
    ExitRow{40, "doctor has a warning"},
    ExitRow{41, "doctor has found a problem"},
};

struct Words {
  int exit_code;
  const char* why;
  const char* next;
};

// Without a default label: the compiler names a reason that has no words.
Words WordsFor(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kUnspecified:
    case ErrorReason::kInternal:
      return {1, "something unexpected happened",
              "Look at the key service's log (journalctl -u ext4crypt-keyd), and report it."};
    case ErrorReason::kInvalidRequest:
      return {1, "the key service did not understand the request",
              "Install the same version of ext4crypt and ext4crypt-keyd."};
    case ErrorReason::kNotAllowed:
      return {18, "this is not allowed to you", "Ask the administrator, or act for yourself only."};
    case ErrorReason::kServiceOverloaded:
      return {3, "the key service has too much to do just now, or is being restarted",
              "Try again in a few seconds."};
    case ErrorReason::kServiceUnreachable:
      return {
          3, "the key service does not answer",
          "Start it (systemctl start ext4crypt-keyd.socket), or name its socket with --socket."};
    case ErrorReason::kServiceUntrusted:
      return {3,
              "the program behind the socket is not the key service's, so nothing was sent to it",
              "Find out who made that socket; name the right one with --socket."};
    case ErrorReason::kNotEnrolled:
      return {4, "there is no key yet", "Create one with: ext4crypt enrol"};
    case ErrorReason::kAlreadyEnrolled:
      return {5, "there is a key already, and it was left as it is",
              "Use it with: ext4crypt unlock; change its passphrase with: ext4crypt passphrase "
              "change"};
    case ErrorReason::kWrongPassphrase:
      return {6, "the passphrase is wrong",
              "Try again, or use the recovery code: ext4crypt unlock --recovery"};
    case ErrorReason::kWrongRecoveryCode:
      return {6, "the recovery code is well-formed but not the one of this key",
              "Look for a newer one: a renewed code replaces the old."};
    case ErrorReason::kRecoveryCodeMistyped:
      return {7, "the recovery code is mistyped", "Compare it with what was written down."};
    case ErrorReason::kPassphraseTooShort:
      return {7, "the new passphrase is too short",
              "Use at least 8 characters; several words are better."};
    case ErrorReason::kPassphraseTooLong:
      return {7, "the passphrase is longer than 1024 bytes", "Use a shorter one."};
    case ErrorReason::kPassphraseMismatch:
      return {7, "the two passphrases differ, and nothing was changed", "Type the same one twice."};
    case ErrorReason::kPassphraseUnreadable:
      return {7, "no passphrase could be read",
              "Run it in a terminal, or hand the passphrase over with --passphrase-fd N."};
    case ErrorReason::kThrottled:
      return {8, "there were too many wrong guesses", "Wait, then try again."};
    case ErrorReason::kKeyLocked:
      return {9, "your key is locked there", "Unlock it with: ext4crypt unlock"};
    case ErrorReason::kFilesBusy:
      return {10, "files are still open and stay readable to the programs that hold them",
              "Close those programs; locking then completes by itself, and ext4crypt lock tries "
              "at once."};
    case ErrorReason::kDirectoryNotFound:
      return {11, "there is no such directory", "Create it with mkdir, or check the name."};
    case ErrorReason::kNotADirectory:
      return {11, "it is not a directory", "A policy is set on a directory; name one."};
    case ErrorReason::kDirectoryUnreadable:
      return {11, "it cannot be opened", "Check the permissions of it and of what leads to it."};
    case ErrorReason::kDirectoryNotEmpty:
      return {12, "the directory is not empty, and nothing was changed",
              "Encrypt it with what is in it: ext4crypt encrypt DIR"};
    case ErrorReason::kDirectoryNotOwned:
      return {13, "the directory belongs to someone else, and nothing was changed",
              "Only its owner can set its policy; use a directory of your own."};
    case ErrorReason::kEncryptedOtherwise:
      return {14, "the directory is already encrypted with another key or policy, and stays so",
              "Look at it with: ext4crypt policy DIR; use a new directory for your key."};
    case ErrorReason::kFilesystemUnsupported:
      return {15, "a volume of this kind cannot do that",
              "Use a directory on a volume mounted with: mount -t ext4crypt"};
    case ErrorReason::kFilesystemLacksEncrypt:
      return {15, "the volume was made without the encrypt feature, and nothing was changed",
              "Unmount it and switch the feature on with: tune2fs -O encrypt DEVICE"};
    case ErrorReason::kFilesystemReadOnly:
      return {15, "the volume is mounted read-only", "Mount it read-write."};
    case ErrorReason::kFilesystemUnauthenticated:
      return {16,
              "this is plain ext4, where contents are encrypted but nothing notices when they are "
              "changed on the disk; nothing was done",
              "Mount the volume with -t ext4crypt; or accept that: give --allow-unauthenticated "
              "here and to ext4crypt-keyd."};
    case ErrorReason::kStoreCorrupt:
      return {17, "the key service's store is damaged",
              "Ask the administrator to restore it; nothing was changed."};
    case ErrorReason::kStoreTooNew:
      return {17, "the key service's store is of a newer version",
              "Ask the administrator to upgrade ext4crypt-keyd."};
    case ErrorReason::kStoreInUse:
      return {17, "another key service uses the store", "Ask the administrator to stop one."};
    case ErrorReason::kStoreUnwritable:
      return {17, "the key service cannot read or write its store; nothing was changed",
              "Ask the administrator whether its disk is full or read-only."};
    case ErrorReason::kNoSuchUser:
      return {18, "there is no such user, or one who has never unlocked a key",
              "Check the name or uid; to be given a key, one must have run ext4crypt enrol and "
              "ext4crypt unlock once."};
    case ErrorReason::kWrongKeyFile:
      return {6, "the key file is not one of this key", "Use another one, or the passphrase."};
    case ErrorReason::kKeyFileUnusable:
      return {7, "the key file cannot be read, is no key file, or exists already",
              "Check the path; a new key file needs a name that is free."};
    case ErrorReason::kWrongToken:
      return {6, "no security key that is plugged in is one of this key",
              "Plug in the one that was added (ext4crypt protectors list), or use the passphrase."};
    case ErrorReason::kNoToken:
      return {29, "there is no security key", "Plug one in, then try again."};
    case ErrorReason::kTokenFailed:
      return {29, "the security key failed, and nothing was changed",
              "Plug it in again, then try again."};
    case ErrorReason::kTokenPinWrong:
      return {29, "the PIN of the security key was not accepted",
              "Use the passphrase or the recovery code meanwhile."};
    case ErrorReason::kTokenUntouched:
      return {29, "nobody touched the security key in time",
              "Try again, and touch it when it blinks."};
    case ErrorReason::kSeveralTokens:
      return {29, "several security keys are plugged in", "Say which with --token PATH."};
    case ErrorReason::kTokenUnsuitable:
      return {29, "the security key cannot do this: it needs FIDO2 with hmac-secret",
              "Use another one."};
    case ErrorReason::kTokenRemote:
      return {29,
              "this session came over ssh, and a security key can only be used at the machine "
              "it is plugged into",
              "Use the passphrase or the recovery code."};
    case ErrorReason::kLastProtector:
      return {21, "it is the last protector, and without it nothing would open your files",
              "Add another one first: ext4crypt passphrase change, recovery renew or protectors "
              "add-key-file."};
    case ErrorReason::kNoSuchProtector:
      return {21, "your key has no such protector", "List them with: ext4crypt protectors list"};
    case ErrorReason::kProtectorNameInvalid:
      return {21, "that is no name for a protector", "Use at most 64 bytes of text on one line."};
    case ErrorReason::kTooManyProtectors:
      return {21, "your key has as many protectors as it may have",
              "Remove one you do not need: ext4crypt protectors list"};
    case ErrorReason::kDirectorySpansMounts:
      return {22, "another file system is mounted there, and nothing was changed",
              "Unmount it, or name a directory that is no mount point and has none in it."};
    case ErrorReason::kFilesLeft:
      return {22, "some files could not be moved and are where they were; all others are encrypted",
              "See to what is listed, then run the same command again."};
    case ErrorReason::kFileInUse:
      return {22, "a program has it open for writing, or keeps changing it",
              "Close that program, then run the same command again."};
    case ErrorReason::kFileUnmovable:
      return {22, "it cannot be moved with everything that belongs to it",
              "Move it elsewhere or make it yours; or let root run the same command with --user."};
    case ErrorReason::kMoveConflict:
      return {22, "a file of that name was moved before, and this one differs from it",
              "Rename this one, then run the same command again; both are kept."};
    case ErrorReason::kEncryptionUnfinished:
      return {22, "an encryption that was begun there is not finished, and cannot go on as it is",
              "Finish it with: ext4crypt encrypt DIR; see docs/encrypt.md for what lies where."};
    case ErrorReason::kMoveRunning:
      return {20, "another ext4crypt encrypt is at work there", "Wait until it has finished."};
    case ErrorReason::kInterrupted:
      return {23, "interrupted; what is done stays done", "Run the same command again to go on."};
    case ErrorReason::kVolumeFull:
      return {
          24, "there is not enough room on the volume; what is done stays done",
          "Make room for the largest file (df), and for inodes (df -i), then run the same command "
          "again."};
    case ErrorReason::kNoSuchKey:
      return {25, "you have no key of that name", "List yours with: ext4crypt key list"};
    case ErrorReason::kKeyExists:
      return {25, "you have a key of that name already", "Choose another name."};
    case ErrorReason::kKeyNameInvalid:
      return {25, "that is no name for a key",
              "Use 1 to 64 letters, digits, dots, hyphens and underscores, not a dot or a hyphen "
              "first."};
    case ErrorReason::kTooManyKeys:
      return {25, "you have as many keys as you may have", "Remove one: ext4crypt key list"};
    case ErrorReason::kDataWouldBeLost:
      return {26, "whatever is encrypted with the key could never be read again, and it was kept",
              "Copy the data elsewhere first; then give --lose-data."};
    case ErrorReason::kNotShared:
      return {18, "the key is not shared with that user", "See: ext4crypt key list"};
    case ErrorReason::kRecordUnusable:
      return {
          27,
          "the export cannot be used: the file is none, is damaged, or cannot be read or written",
          "Check the path; a file that exists is never replaced. Else export again."};
    case ErrorReason::kRecoveryCodeUnconfirmed:
      return {7, "the recovery code was not typed back",
              "Make another one with: ext4crypt recovery renew"};
    case ErrorReason::kVolumeFailed:
      return {19, "the kernel refused the key on a volume",
              "See ext4crypt status for which, and the kernel's log (dmesg)."};
    case ErrorReason::kKeyringFailed:
      return {19, "the default key could not be put into or removed from your keyring",
              "See the key service's log; try again."};
    case ErrorReason::kKeyQuotaExceeded:
      return {19, "your quota of kernel keys is used up",
              "Remove keys you do not need (keyctl show), or ask for a larger "
              "/proc/sys/kernel/keys/maxkeys."};
    case ErrorReason::kParentUnwritable:
      return {
          13, "you may not write to this directory, in which the work would be done",
          "Let root run the same command with --user NAME, or use a directory in one of yours."};
    case ErrorReason::kVolumeTop:
      return {15, "the top directory of a volume cannot be encrypted, and nothing was changed",
              "Make a directory in it and use that."};
    case ErrorReason::kDiskFailed:
      return {28, "the disk or its volume failed; what is done stays done",
              "Look at the kernel's log (dmesg), unmount the volume and check it (fsck)."};
    case ErrorReason::kProcessLimit:
      return {3, "no thread could be started to talk to the key service",
              "Close programs, or ask for a higher limit (ulimit -u)."};
    case ErrorReason::kFilesNotAuthentic:
      return {30, "some files are not authentic, and stay refused",
              "Copy those that are listed back from a backup."};
    case ErrorReason::kChangedMeanwhile:
      return {20, "somebody else changed it at the same moment", "Try again."};
  }
  return {1, "something unexpected happened", "Report it."};
}

// Whether the words say all that the cause does, unless the kernel had something to say.
bool SayAll(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kNotEnrolled:
    case ErrorReason::kAlreadyEnrolled:
    case ErrorReason::kWrongPassphrase:
    case ErrorReason::kWrongRecoveryCode:
    case ErrorReason::kWrongKeyFile:
    case ErrorReason::kWrongToken:
    case ErrorReason::kTokenUntouched:
    case ErrorReason::kTokenRemote:
    case ErrorReason::kRecoveryCodeMistyped:
    case ErrorReason::kPassphraseTooShort:
    case ErrorReason::kPassphraseTooLong:
    case ErrorReason::kPassphraseMismatch:
    case ErrorReason::kThrottled:
    case ErrorReason::kKeyLocked:
    case ErrorReason::kFilesBusy:
    case ErrorReason::kDirectoryNotEmpty:
    case ErrorReason::kDirectoryNotOwned:
    case ErrorReason::kEncryptedOtherwise:
    case ErrorReason::kFilesystemLacksEncrypt:
    case ErrorReason::kNoSuchUser:
    case ErrorReason::kLastProtector:
    case ErrorReason::kNoSuchProtector:
    case ErrorReason::kProtectorNameInvalid:
    case ErrorReason::kTooManyProtectors:
    case ErrorReason::kFilesLeft:
    case ErrorReason::kInterrupted:
    case ErrorReason::kMoveRunning:
    case ErrorReason::kNoSuchKey:
    case ErrorReason::kKeyExists:
    case ErrorReason::kKeyNameInvalid:
    case ErrorReason::kTooManyKeys:
    case ErrorReason::kDataWouldBeLost:
    case ErrorReason::kNotShared:
    case ErrorReason::kVolumeTop:
    case ErrorReason::kFilesNotAuthentic:
      return true;
    default:
      return false;
  }
}

}  // namespace

int ExitCodeOf(const absl::Status& status) {
  return status.ok() ? 0 : WordsFor(ReasonOf(status)).exit_code;
}

std::string Explain(absl::string_view verb, const absl::Status& status) {
  const ErrorInfo info = InfoOf(status);
  const Words words = WordsFor(info.reason);
  std::string line = absl::StrCat("ext4crypt ", verb, ": ");
  if (!info.subject.empty()) absl::StrAppend(&line, Printable(info.subject), ": ");
  absl::StrAppend(&line, words.why);
  if (!status.message().empty() && (info.err != 0 || !SayAll(info.reason))) {
    absl::StrAppend(&line, " (", Printable(status.message()), ")");
  }
  line += ". ";
  if (info.reason == ErrorReason::kThrottled) {
    absl::StrAppend(&line, "Try again in ", (info.retry_after_ms + 999) / 1000, " s.");
  } else {
    absl::StrAppend(&line, words.next);
  }
  return line;
}

Json ErrorJson(absl::string_view verb, const absl::Status& status) {
  const ErrorInfo info = InfoOf(status);
  Json json = Json::Object();
  json.Set("reason", ReasonName(info.reason));
  json.SetInt("exit_code", ExitCodeOf(status));
  json.Set("subject", info.subject);
  json.Set("message", Explain(verb, status));
  json.Set("cause", status.message());
  if (info.err != 0) json.Set("errno", strerrorname_np(info.err));
  if (info.reason == ErrorReason::kThrottled) json.SetInt("retry_after_ms", info.retry_after_ms);
  return json;
}

std::string ExitCodeHelp() {
  std::string help = "Exit codes:\n";
  for (const ExitRow& row : kExits)
    absl::StrAppendFormat(&help, "  %2d  %s\n", row.code, row.meaning);
  return help;
}

}  // namespace ext4crypt
