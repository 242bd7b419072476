// SPDX-License-Identifier: Apache-2.0
// The replay in memory against that of debugfs in a copy, for journals that debugfs and the host's
// own ext4 write in every shape of jbd2, and against damage.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "volume/ext4/extents.h"
#include "volume/ext4/image.h"

namespace ext4crypt::volume {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kMagic = 0xC03B3998;
constexpr uint64_t kSuperAt = 1024;

class JournalTest : public testing::Test {
 protected:
  JournalTest()
      : dir_(testing::TempDir() + "e4c-journal-" + std::to_string(::getpid())),
        image_(dir_ + "/image") {
    fs::create_directories(dir_);
  }
  ~JournalTest() override { fs::remove_all(dir_); }

  static void Shell(const std::string& command) {
    ASSERT_EQ(std::system(("PATH=$PATH:/usr/sbin:/sbin; " + command + " >/dev/null 2>&1").c_str()),
              0)
        << command;
  }
  void Make(const std::string& features) {
    Shell("mkfs.ext4 -q -F -b 4096 -O encrypt," + features + " -J size=4 " + image_ + " 16M");
  }
  // Blocks 3000 and up of a file of random bytes; block 7 of it begins with the journal's magic.
  void MakeBlocks() {
    Shell("dd if=/dev/urandom bs=4096 count=64 of=" + dir_ + "/blocks");
    const uint32_t magic = htobe32(kMagic);
    const UniqueFd fd(::open((dir_ + "/blocks").c_str(), O_WRONLY));
    ASSERT_EQ(::pwrite(fd.get(), &magic, 4, 7 * kBlockSize), 4);
  }
  void Debugfs(const std::string& commands) {
    std::ofstream(dir_ + "/commands") << commands;
    Shell("debugfs -w -f " + dir_ + "/commands " + image_);
  }
  // Four transactions: 60 blocks; six of them revoked; another block; a revoked one written again,
  // and one more. In blocks of the log: 1 to 62, 63 and 64, 65 to 67, 68 to 71.
  void WriteJournal(const std::string& open) {
    MakeBlocks();
    const std::string blocks = dir_ + "/blocks";
    Debugfs("jo " + open + "\njw -b 3000-3059 " + blocks + "\njw -r 3005,3030-3034\njw -b 3100 " +
            blocks + "\njw -b 3031,3101 " + blocks + "\njc\n");
  }
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Image>> Open() const {
    auto source = FileSource::Open(image_);
    if (!source.ok()) return source.status();
    return Image::Open(*std::move(source));
  }
  [[nodiscard]] Reason OpenReason() const { return ReasonOf(Open().status()); }

  // Each block as debugfs leaves it in a copy; but for its own superblock and the journal's. Not
  // e2fsck: even with -E journal_only it goes on to delete unlinked files, and -f checks all.
  void ExpectAsDebugfsDoes(std::optional<uint64_t> replayed) {
    const std::string copy = dir_ + "/copy";
    fs::copy_file(image_, copy, fs::copy_options::overwrite_existing);
    // -n: the checksums of bitmaps are right only after the replay.
    Shell("debugfs -n -w -R journal_run " + copy);
    auto other = *FileSource::Open(copy);
    const auto after = Image::Open(*FileSource::Open(copy));
    ASSERT_TRUE(after.ok() && !(*after)->replayed().has_value()) << "debugfs replayed nothing";
    auto image = Open();
    ASSERT_TRUE(image.ok()) << image.status();
    ASSERT_TRUE((*image)->replayed().has_value());
    EXPECT_GT((*image)->replayed()->blocks, 0u);
    if (replayed.has_value()) {
      EXPECT_EQ((*image)->replayed()->blocks, *replayed);
    }
    const auto inode = (*image)->ReadInode(8);
    const uint64_t journal = ReadExtents(**image, *inode).extents.front().physical;
    for (uint64_t block = 1; block < (*image)->block_count(); ++block) {
      if (block == journal) continue;
      Block ours;
      Block theirs;
      ASSERT_TRUE((*image)->ReadBlocks(block, absl::MakeSpan(ours)).ok());
      ASSERT_TRUE(other->Read(block * kBlockSize, absl::MakeSpan(theirs)).ok());
      ASSERT_EQ(ours == theirs, true) << "block " << block;
    }
  }
  [[nodiscard]] uint64_t JournalBlock(uint32_t at) const {
    const auto image = Open().value();
    const auto inode = image->ReadInode(8).value();
    const auto tree = ReadExtents(*image, inode);
    const Extent* extent = FindExtent(tree.extents, at);
    return extent->physical + (at - extent->logical);
  }
  void Flip(uint64_t byte) {
    const UniqueFd fd(::open(image_.c_str(), O_RDWR));
    uint8_t value = 0;
    ASSERT_EQ(::pread(fd.get(), &value, 1, static_cast<off_t>(byte)), 1);
    value ^= 1;
    ASSERT_EQ(::pwrite(fd.get(), &value, 1, static_cast<off_t>(byte)), 1);
  }

  std::string dir_;
  std::string image_;
};

// What a journal can look like: features of the file system, and options of debugfs's jo.
struct Shape {
  const char* name;
  const char* features;
  const char* open;
};
class JournalShapeTest : public JournalTest, public testing::WithParamInterface<Shape> {};

TEST_P(JournalShapeTest, IsReplayedAsDebugfsDoes) {
  Make(GetParam().features);
  WriteJournal(GetParam().open);
  // 60 + 3100 + 3101; 3005 and 3030, 3032 to 3034 are revoked, 3031 was written again after that.
  ExpectAsDebugfsDoes(57);
}
INSTANTIATE_TEST_SUITE_P(All, JournalShapeTest,
                         testing::Values(Shape{"Plain32", "^64bit,^metadata_csum", ""},
                                         Shape{"Plain64", "64bit,^metadata_csum", ""},
                                         Shape{"Version2With32", "^64bit,metadata_csum", "-c -v 2"},
                                         Shape{"Version2With64", "64bit,metadata_csum", "-c -v 2"},
                                         Shape{"Version3With32", "^64bit,metadata_csum", "-c -v 3"},
                                         Shape{"Version3With64", "64bit,metadata_csum", "-c -v 3"}),
                         [](const testing::TestParamInfo<Shape>& shape) {
                           return shape.param.name;
                         });

TEST_F(JournalTest, ALogThatWrapsIsReplayed) {
  Make("64bit,^metadata_csum");
  WriteJournal("");
  // 1024 blocks, of which the log is the ring 1 to 1023: turn it so that it begins 20 before its
  // end.
  std::vector<uint64_t> places = {0};
  std::vector<Block> blocks(1024);
  const auto image = Open().value();
  for (uint32_t at = 1; at < 1024; ++at) {
    places.push_back(JournalBlock(at));
    ASSERT_TRUE(FileSource::Open(image_)
                    .value()
                    ->Read(places[at] * kBlockSize, absl::MakeSpan(blocks[at]))
                    .ok());
  }
  const UniqueFd fd(::open(image_.c_str(), O_RDWR));
  for (uint32_t at = 1; at < 1024; ++at) {
    const uint32_t to = 1 + (at - 1 + 1003) % 1023;
    ASSERT_EQ(::pwrite(fd.get(), blocks[at].data(), kBlockSize,
                       static_cast<off_t>(places[to] * kBlockSize)),
              4096);
  }
  const uint32_t start = htobe32(1004);
  ASSERT_EQ(::pwrite(fd.get(), &start, 4, static_cast<off_t>(JournalBlock(0) * kBlockSize + 28)),
            4);
  ExpectAsDebugfsDoes(57);
}

TEST_F(JournalTest, NothingIsWrittenToTheImage) {
  Make("64bit,metadata_csum");
  WriteJournal("-c -v 3");
  const auto before = fs::last_write_time(image_);
  fs::permissions(image_, fs::perms::owner_read);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(fs::last_write_time(image_), before);
}

TEST_F(JournalTest, ATransactionWithoutItsCommitRecordDoesNotCount) {
  Make("64bit,metadata_csum");
  WriteJournal("-c -v 3");
  Flip(JournalBlock(67) * kBlockSize);
  EXPECT_EQ(Open().value()->replayed()->transactions, 2u);
  // 3031 was not written again.
  ExpectAsDebugfsDoes(54);
}

TEST_F(JournalTest, ADamagedCommitRecordEndsTheLogWithARemark) {
  Make("64bit,metadata_csum");
  WriteJournal("-c -v 3");
  Flip(JournalBlock(62) * kBlockSize + 40);
  const auto image = Open();
  ASSERT_TRUE(image.ok());
  EXPECT_EQ((*image)->replayed()->transactions, 0u);
  EXPECT_NE((*image)->replayed()->remark, "");
}

TEST_F(JournalTest, ADamagedBlockIsRefused) {
  Make("64bit,metadata_csum");
  WriteJournal("-c -v 3");
  Flip(JournalBlock(1 + 10) * kBlockSize + 100);
  EXPECT_EQ(OpenReason(), Reason::kJournalMalformed);
}

TEST_F(JournalTest, ADamagedDescriptorIsRefused) {
  Make("64bit,metadata_csum");
  WriteJournal("-c -v 3");
  Flip(JournalBlock(1) * kBlockSize + 30);
  EXPECT_EQ(OpenReason(), Reason::kJournalMalformed);
}

TEST_F(JournalTest, ADamagedSuperblockOfTheJournalIsRefused) {
  Make("64bit,metadata_csum");
  WriteJournal("-c -v 3");
  Flip(JournalBlock(0) * kBlockSize + 0x1B);
  EXPECT_EQ(OpenReason(), Reason::kJournalMalformed);
}

TEST_F(JournalTest, ABlockOutsideTheVolumeIsRefused) {
  Make("^64bit,^metadata_csum");
  WriteJournal("");
  Flip(JournalBlock(1) * kBlockSize + 12);  // the high byte of the first tag's block
  EXPECT_EQ(OpenReason(), Reason::kJournalMalformed);
}

TEST_F(JournalTest, ADescriptorThatRunsAroundTheWholeLogEnds) {
  Make("^64bit,^metadata_csum");
  WriteJournal("");
  // Every block of the log says that it is a descriptor of the same transaction.
  const auto image = Open().value();
  const auto tree = ReadExtents(*image, image->ReadInode(8).value());
  Block first;
  const UniqueFd fd(::open(image_.c_str(), O_RDWR));
  const uint64_t start = JournalBlock(1) * kBlockSize;
  ASSERT_EQ(::pread(fd.get(), first.data(), first.size(), static_cast<off_t>(start)), 4096);
  for (uint32_t at = 1; at < 1024; ++at) {
    const Extent* extent = FindExtent(tree.extents, at);
    const uint64_t to = (extent->physical + (at - extent->logical)) * kBlockSize;
    ASSERT_EQ(::pwrite(fd.get(), first.data(), first.size(), static_cast<off_t>(to)), 4096);
  }
  EXPECT_EQ(OpenReason(), Reason::kJournalMalformed);
}

TEST_F(JournalTest, AJournalOnAnotherDeviceIsRefused) {
  Make("^64bit,^metadata_csum");
  WriteJournal("");
  const UniqueFd fd(::open(image_.c_str(), O_RDWR));
  const uint32_t device = 1;
  ASSERT_EQ(::pwrite(fd.get(), &device, 4, kSuperAt + 0xE4), 4);
  EXPECT_EQ(OpenReason(), Reason::kNeedsRecovery);
}

TEST_F(JournalTest, ACleanJournalNeedsNoReplay) {
  Make("64bit,metadata_csum");
  EXPECT_FALSE(Open().value()->replayed().has_value());
}

// The host's own ext4 writes the journal and is stopped as by a power failure.
class StoppedVolumeTest : public JournalTest {
 protected:
  static constexpr uint32_t kNoLogFlush = 2;

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
    // Out of sight of key services that other tests start: those open every volume they see, and
    // umount would find it busy.
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    mount_ = dir_ + "/mnt";
    fs::create_directory(mount_);
  }
  void TearDown() override {
    if (!mount_.empty()) (void)!std::system(("umount " + mount_ + " 2>/dev/null").c_str());
  }
  void Mount() { Shell("mount -t ext4 -o loop " + image_ + " " + mount_); }
  void Stop() {
    const UniqueFd fd(::open(mount_.c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(::ioctl(fd.get(), _IOR('X', 125, uint32_t), &kNoLogFlush), 0);
  }
  void Unmount() { Shell("umount " + mount_); }
  std::string mount_;
};

TEST_F(StoppedVolumeTest, IsReplayedAsDebugfsDoes) {
  for (const char* features : {"64bit,metadata_csum", "^64bit,^metadata_csum"}) {
    Make(features);
    Mount();
    // Made, filled, removed and made again, so that there are revoked blocks.
    Shell(
        "cd " + mount_ +
        "; for i in $(seq 40); do mkdir d$i; for j in $(seq 30); do echo $i >d$i/f$j; done; done; "
        "sync -f .; rm -r d2*; for i in $(seq 10); do head -c 30000 /dev/urandom >new$i; done; "
        "sync -f .; mkdir late; echo late >late/late; sync late/late");
    Stop();
    Unmount();
    ExpectAsDebugfsDoes(std::nullopt);
  }
}

// They are in the bitmaps until somebody deletes them, which is no part of the replay.
TEST_F(StoppedVolumeTest, UnlinkedFilesAreReplayedAsFiles) {
  Make("64bit,metadata_csum");
  Mount();
  Shell("cd " + mount_ + "; head -c 90000 /dev/urandom >f; sync -f .");
  auto file = std::make_unique<UniqueFd>(::open((mount_ + "/f").c_str(), O_RDONLY));
  Shell("rm " + mount_ + "/f; touch " + mount_ + "/g; sync -f " + mount_);
  Stop();
  file.reset();  // too late for ext4 to delete it
  Unmount();
  EXPECT_NE(Open().value()->fs()->super->s_last_orphan, 0u);
  ExpectAsDebugfsDoes(std::nullopt);
}

TEST_F(StoppedVolumeTest, AMountedImageIsRefused) {
  Make("64bit,metadata_csum");
  Mount();
  Shell("mkdir " + mount_ + "/d; sync -f " + mount_);
  EXPECT_EQ(OpenReason(), Reason::kVolumeInUse);
  Unmount();
  EXPECT_TRUE(Open().ok());
}

}  // namespace
}  // namespace ext4crypt::volume
