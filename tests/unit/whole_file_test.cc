// SPDX-License-Identifier: Apache-2.0
// What is written is on the disk with its name, or is not there.
#include "common/whole_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <set>
#include <string>

namespace {

std::set<ino_t> g_synced;
bool g_directories_fail = false;

}  // namespace

// Stands before libc's in this program.
extern "C" int fsync(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return -1;
  if (g_directories_fail && S_ISDIR(info.st_mode)) {
    errno = EIO;
    return -1;
  }
  g_synced.insert(info.st_ino);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace ext4crypt {
namespace {

class WholeFileTest : public testing::Test {
 protected:
  WholeFileTest() {
    std::string name = testing::TempDir() + "whole_file.XXXXXX";
    dir_ = ::mkdtemp(name.data());
    path_ = dir_ + "/file";
    g_synced.clear();
    g_directories_fail = false;
  }
  ~WholeFileTest() override {
    ::unlink(path_.c_str());
    ::rmdir(dir_.c_str());
  }
  static ino_t InodeOf(const std::string& path) {
    struct stat info = {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
  }
  absl::Status Write(absl::string_view text) {
    return WriteNewFile(path_, SecretBuffer::CopyOf(text).bytes(), ErrorReason::kRecordUnusable);
  }
  absl::StatusOr<SecretBuffer> Read(size_t limit) {
    return ReadWholeFile(path_, limit, ErrorReason::kRecordUnusable);
  }

  std::string dir_;
  std::string path_;
};

TEST_F(WholeFileTest, NewFileIsSyncedAndSoIsTheDirectoryWithItsName) {
  ASSERT_TRUE(Write("contents").ok());
  EXPECT_TRUE(g_synced.contains(InodeOf(path_)));
  EXPECT_TRUE(g_synced.contains(InodeOf(dir_)));
  EXPECT_EQ(Read(8)->text(), "contents");
  struct stat info = {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
}

TEST_F(WholeFileTest, FileWhoseNameMayGetLostIsNotLeftBehind) {
  g_directories_fail = true;
  EXPECT_EQ(ReasonOf(Write("contents")), ErrorReason::kRecordUnusable);
  EXPECT_EQ(InodeOf(path_), 0U);
}

TEST_F(WholeFileTest, ExistingFileStaysAsItIs) {
  ASSERT_TRUE(Write("first").ok());
  EXPECT_EQ(ReasonOf(Write("second")), ErrorReason::kRecordUnusable);
  EXPECT_EQ(Read(8)->text(), "first");
}

TEST_F(WholeFileTest, LongerFileIsToldByOneByteMore) {
  ASSERT_TRUE(Write("12345678").ok());
  EXPECT_EQ(Read(8)->size(), 8U);
  EXPECT_EQ(Read(7)->size(), 8U);
  EXPECT_EQ(Read(3)->size(), 4U);
}

TEST_F(WholeFileTest, MissingFileIsSaidWithItsPath) {
  const absl::Status status = Read(8).status();
  EXPECT_EQ(InfoOf(status).subject, path_);
}

}  // namespace
}  // namespace ext4crypt
