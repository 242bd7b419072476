// SPDX-License-Identifier: Apache-2.0
#include "common/mountinfo.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace ext4crypt {
namespace {

TEST(MountInfoTest, ReadsEveryFieldWeUse) {
  const auto mounts = ParseMountInfo(
      "42 27 7:3 /sub /mnt/x rw,relatime shared:1 master:2 - ext4crypt /dev/loop3 ro,devices\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].mount_id, 42);
  EXPECT_EQ(mounts[0].device, makedev(7, 3));
  EXPECT_EQ(mounts[0].root, "/sub");
  EXPECT_EQ(mounts[0].mount_point, "/mnt/x");
  EXPECT_EQ(mounts[0].fs_type, "ext4crypt");
  EXPECT_EQ(mounts[0].source, "/dev/loop3");
  EXPECT_EQ(mounts[0].options, "rw,relatime");
  EXPECT_EQ(mounts[0].super_options, "ro,devices");
}

TEST(MountInfoTest, EscapedMountPointIsUnescaped) {
  const auto mounts = ParseMountInfo("1 0 8:1 / /a\\040b\\011c\\134d rw - ext4 /dev/sda1 rw\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].mount_point, "/a b\tc\\d");
}

TEST(MountInfoTest, BrokenLinesAreLeftOutAndTheRestKept) {
  const auto mounts = ParseMountInfo(
      "nonsense\n"
      "1 0 8:1 / /a rw\n"
      "1 0 8 / /a rw - ext4 /dev/x rw\n"
      "1 0 8:1 / /a rw - ext4\n"
      "2 0 8:2 / /b rw - ext4 /dev/y rw\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].mount_point, "/b");
}

TEST(MountInfoTest, RealFileHasARoot) {
  const auto mounts = ReadMountInfo();
  ASSERT_TRUE(mounts.ok());
  bool found = false;
  for (const Mount& mount : *mounts) found = found || mount.mount_point == "/";
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace ext4crypt
