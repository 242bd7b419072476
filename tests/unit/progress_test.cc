// SPDX-License-Identifier: Apache-2.0
// The line that says how far the work is, on a terminal; and nothing elsewhere.
#include "terminal/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <string>

#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Standard error of this process goes to `fd` while it lives.
class StderrTo {
 public:
  explicit StderrTo(int fd) : saved_(::fcntl(2, F_DUPFD_CLOEXEC, 10)) { ::dup2(fd, 2); }
  StderrTo(const StderrTo&) = delete;
  StderrTo& operator=(const StderrTo&) = delete;
  ~StderrTo() { ::dup2(saved_.get(), 2); }

 private:
  UniqueFd saved_;
};

std::string Read(int fd) {
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  std::string text(4096, '\0');
  const ssize_t n = ::read(fd, text.data(), text.size());
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return text;
}

constexpr uint64_t kMib = uint64_t{1} << 20;

TEST(ProgressLineTest, SaysHowMuchHowFastAndHowLongStill) {
  EXPECT_EQ(ProgressLine({.bytes = 1024 * kMib}, {.bytes = 4096 * kMib}, 4),
            "[#####...............]  25%  1.0 GiB of 4.0 GiB, 256.0 MiB/s, 0:12 left");
}

TEST(ProgressLineTest, SaysFilesWhereTheyAreCounted) {
  EXPECT_THAT(ProgressLine({.files = 1, .bytes = 512}, {.files = 2, .bytes = 1024}, 0.5),
              HasSubstr("512 B of 1.0 KiB, 1 of 2 files"));
}

TEST(ProgressLineTest, GuessesNothingInTheFirstSecond) {
  EXPECT_EQ(ProgressLine({.bytes = 512}, {.bytes = 1024}, 0.9),
            "[##########..........]  50%  512 B of 1.0 KiB");
}

TEST(ProgressLineTest, UnknownTotalHasNoBar) {
  EXPECT_EQ(ProgressLine({.bytes = 4 * kMib}, {}, 2), "4.0 MiB, 2.0 MiB/s");
}

TEST(ProgressTest, IsDrawnOnATerminalAndTakenAway) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr), 0);
  const UniqueFd master(ends[0]);
  const UniqueFd terminal(ends[1]);
  std::string shown;
  std::string cleared;
  {
    const StderrTo redirected(terminal.get());
    Progress progress;
    EXPECT_TRUE(progress.shown());
    progress.Begin({.bytes = 4096 * kMib});
    progress.Update({.bytes = 1024 * kMib});
    shown = Read(master.get());
    progress.Clear();
    cleared = Read(master.get());
  }
  EXPECT_THAT(shown, HasSubstr("[#####...............]  25%  1.0 GiB of 4.0 GiB"));
  EXPECT_EQ(cleared, "\r\x1b[K");
}

TEST(ProgressTest, SaysNothingIntoAFile) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  {
    const StderrTo redirected(writer.get());
    Progress progress;
    EXPECT_FALSE(progress.shown());
    progress.Begin({.bytes = 4096 * kMib});
    progress.Update({.bytes = 1024 * kMib});
  }
  EXPECT_THAT(Read(reader.get()), IsEmpty());
}

}  // namespace
}  // namespace ext4crypt
