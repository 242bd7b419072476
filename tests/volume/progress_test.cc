// SPDX-License-Identifier: Apache-2.0
// The line that says how far the work is, on a terminal; and nothing elsewhere.
#include "volume/cli/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "common/unique_fd.h"

namespace ext4crypt::volume {
namespace {

using testing::ContainsRegex;
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

TEST(ProgressTest, SaysHowMuchHowFastAndHowLongStillOnATerminal) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr), 0);
  const UniqueFd master(ends[0]);
  const UniqueFd terminal(ends[1]);
  std::string shown;
  std::string cleared;
  {
    const StderrTo redirected(terminal.get());
    Progress progress(0);
    progress.SetTotal(4096 * kMib);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    progress.Update(1024 * kMib);
    shown = Read(master.get());
    progress.Clear();
    cleared = Read(master.get());
  }
  EXPECT_THAT(shown, HasSubstr("1.0 GiB, "));
  EXPECT_THAT(shown, ContainsRegex("[1-9][0-9]* MiB/s"));
  EXPECT_THAT(shown, HasSubstr("[#######.......................]  25%"));
  EXPECT_THAT(shown, ContainsRegex("[0-9]+ s left"));
  EXPECT_EQ(cleared, "\r\x1b[K");
}

TEST(ProgressTest, SaysNothingIntoAFile) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  {
    const StderrTo redirected(writer.get());
    Progress progress(4096 * kMib);
    EXPECT_FALSE(progress.shown());
    progress.Update(1024 * kMib);
  }
  EXPECT_THAT(Read(reader.get()), IsEmpty());
}

}  // namespace
}  // namespace ext4crypt::volume
