// SPDX-License-Identifier: Apache-2.0
// Lines to standard error.
#include "common/log.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/printable.h"

namespace ext4crypt {
namespace {

struct LevelWords {
  const char* journal_prefix;  // as sd-daemon(3)
  const char* word;
};

LevelWords WordsOf(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return {"<3>", "error: "};
    case LogLevel::kWarning:
      return {"<4>", "warning: "};
    case LogLevel::kNotice:
      return {"<5>", ""};
    case LogLevel::kInfo:
      return {"<6>", ""};
  }
  return {"<3>", ""};
}

}  // namespace

void Log(LogLevel level, absl::string_view message) {
  static const bool to_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  const LevelWords words = WordsOf(level);
  // A user chooses some of the logged names; a line break in one must not forge a log line.
  const std::string line = absl::StrCat(
      to_journal ? words.journal_prefix : "ext4crypt-keyd: ", words.word, Printable(message), "\n");
  // One write, so that lines of different threads do not mix. Nobody to tell when it fails.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace ext4crypt
