// SPDX-License-Identifier: Apache-2.0
// What is refused as a whole, and damaged structures that must end in an error with its place.
#include <fcntl.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/volume/survey_fixture.h"
#include "volume/ext4/extents.h"

namespace ext4crypt::volume {
namespace {

using testing::Contains;
using testing::ElementsAre;

class ImageTest : public SurveyTest {
 protected:
  Reason OpenReason() {
    if (builder_.has_value()) builder_->Close();
    builder_.reset();
    auto source = FileSource::Open(path_);
    if (!source.ok()) return ReasonOf(source.status());
    return ReasonOf(Image::Open(*std::move(source)).status());
  }
  void Patch(uint64_t offset, const std::vector<uint8_t>& bytes) {
    if (builder_.has_value()) builder_->Close();
    builder_.reset();
    const UniqueFd fd(::open(path_.c_str(), O_WRONLY));
    ASSERT_EQ(::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  void MakeFileSystem(const std::string& options) {
    builder_.reset();
    ASSERT_EQ(
        std::system(("PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F " + options + " " + path_ + " 8M")
                        .c_str()),
        0);
  }
  // The root of the extent tree of the file, as bytes.
  void PatchTree(size_t at, const std::vector<uint8_t>& bytes) {
    builder_->ChangeInode(file_.inode, [&](ext2_inode_large& inode) {
      std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(inode.i_block) + at);
    });
  }
};

constexpr size_t kSuper = 1024;

TEST_F(ImageTest, AnEmptyFileIsNoFileSystem) {
  builder_.reset();
  std::ofstream(path_, std::ios::trunc).flush();
  EXPECT_EQ(OpenReason(), Reason::kNotExt4);
}

TEST_F(ImageTest, ZerosAreNoFileSystem) {
  Patch(0, std::vector<uint8_t>(65536));
  EXPECT_EQ(OpenReason(), Reason::kNotExt4);
}

TEST_F(ImageTest, ADirectoryIsNoImage) {
  builder_.reset();
  EXPECT_EQ(ReasonOf(FileSource::Open(testing::TempDir()).status()), Reason::kCannotOpen);
}

TEST_F(ImageTest, SmallBlocksAreRefused) {
  MakeFileSystem("-b 1024");
  EXPECT_EQ(OpenReason(), Reason::kBlockSizeUnsupported);
}

TEST_F(ImageTest, AnUnknownFeatureIsRefused) {
  Patch(kSuper + 0x60 + 3, {0x80});
  EXPECT_EQ(OpenReason(), Reason::kFeatureUnsupported);
}

TEST_F(ImageTest, AGroupDescriptorTableLargerThanTheImageIsRefused) {
  Patch(kSuper + 0x04, {0, 0, 0, 0xF0});
  EXPECT_EQ(OpenReason(), Reason::kSuperblockMalformed);
}

TEST_F(ImageTest, AWrongSuperblockChecksumIsAFinding) {
  Patch(kSuper + 0x78, {'x'});  // the volume's name
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kSuperblockChecksum));
}

TEST_F(ImageTest, ATruncatedImageNamesTheMissingPages) {
  const uint64_t last = builder_->NewBlock();
  builder_->WriteBlock(last, builder_->ReadBlock(other_.pages.at(2)));
  other_.pages[2] = last;
  builder_->SetExtents(other_.inode, builder_->ExtentsOf(other_));
  ASSERT_THAT(Verify().findings, testing::IsEmpty());
  ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(last * kBlockSize)), 0);
  EXPECT_THAT(Verify().findings, ElementsAre(HasReason(Reason::kVolumeTruncated),
                                             Is(Reason::kPageUnreadable, 2 * kBlockSize)));
}

TEST_F(ImageTest, AWrongInodeChecksumIsAFinding) {
  const Surveyed clean = Verify();
  ASSERT_THAT(clean.findings, testing::IsEmpty());
  auto image = Image::Open(*FileSource::Open(path_)).value();
  const uint32_t per_group = image->fs()->super->s_inodes_per_group;
  const uint64_t table = ext2fs_inode_table_loc(image->fs(), (file_.inode - 1) / per_group);
  const uint64_t at = table * kBlockSize + (file_.inode - 1) % per_group * 256;
  image.reset();
  Patch(at + 2, {0xE8, 0x03});  // i_uid
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kInodeChecksum));
}

TEST_F(ImageTest, AnExtentHeaderWithoutItsMagicIsMalformed) {
  PatchTree(0, {0, 0});
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kExtentTreeMalformed));
}

TEST_F(ImageTest, ADeepTreeIsMalformed) {
  PatchTree(6, {0xFF, 0xFF});
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kExtentTreeMalformed));
}

TEST_F(ImageTest, AnIndexOntoItselfEnds) {
  // One index of depth 1 that leads to a block which says that it is an index of depth 1 too.
  const uint64_t block = file_.pages.at(0);
  Block node = {};
  const std::vector<uint8_t> header = {0x0A, 0xF3, 1, 0, 4, 0, 1, 0, 0, 0, 0, 0};
  std::copy(header.begin(), header.end(), node.begin());
  for (size_t i = 0; i < 4; ++i) node[16 + i] = static_cast<uint8_t>(block >> (8 * i));
  builder_->WriteBlock(block, node);
  PatchTree(0, {node.begin(), node.begin() + 24});
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kExtentTreeMalformed));
}

TEST_F(ImageTest, OverlappingExtentsAreMalformed) {
  builder_->SetExtents(file_.inode, {{.logical = 0, .physical = 100, .length = 10},
                                     {.logical = 20, .physical = 200, .length = 10}});
  PatchTree(24, {5, 0, 0, 0});
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kExtentTreeMalformed));
}

TEST_F(ImageTest, AnExtentOutsideTheVolumeIsNotRead) {
  PatchTree(20, {0xFF, 0xFF, 0xFF, 0x7F});
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kExtentOutsideVolume));
}

TEST_F(ImageTest, MoreBlocksThanTheVolumeHasAreRefused) {
  builder_->SetExtents(file_.inode, {{.logical = 0, .physical = 10, .length = 1500},
                                     {.logical = 1600, .physical = 10, .length = 1500}});
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kExtentsExceedVolume));
}

TEST_F(ImageTest, ADirectoryInItselfIsVisitedOnce) {
  builder_->Link(dir_, "loop", dir_, EXT2_FT_DIR);
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kPlaceNotAuthentic, Reason::kDirectoryLoop));
}

TEST_F(ImageTest, ANameOfAnUnusedInodeIsDangling) {
  builder_->Link(dir_, "gone", 60, EXT2_FT_REG_FILE);
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kEntryDangling));
}

TEST_F(ImageTest, AnInodeOutsideTheTablesIsDangling) {
  builder_->Link(dir_, "far", 0xFFFFFFF0, EXT2_FT_REG_FILE);
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kEntryDangling));
}

TEST_F(ImageTest, AFileWithoutANameIsStillVerified) {
  const BuiltFile lost = builder_->AddFile(EXT2_ROOT_INO, "x", NewContext(), kBlockSize, {0});
  Block data = builder_->ReadBlock(lost.pages.at(0));
  data[0] ^= 1;
  builder_->WriteBlock(lost.pages.at(0), data);
  // Names end at the first byte: an entry with inode 0 is a deleted one.
  Block root = builder_->ReadBlock(builder_->FirstBlockOf(EXT2_ROOT_INO));
  for (size_t i = 0; i + 4 < root.size(); i += 4) {
    if (Le32(&root[i]) == lost.inode) std::fill_n(root.begin() + static_cast<ptrdiff_t>(i), 4, 0);
  }
  builder_->WriteBlock(builder_->FirstBlockOf(EXT2_ROOT_INO), root);
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kDirectoryChecksum, Reason::kUnreachable,
                                              Reason::kPageNotAuthentic));
}

TEST_F(ImageTest, ADamagedDirectoryBlockIsAFindingWithItsPlace) {
  Block data = builder_->ReadBlock(builder_->FirstBlockOf(dir_));
  data[4] = 3;  // a record length that is no multiple of 4
  builder_->WriteBlock(builder_->FirstBlockOf(dir_), data);
  const Surveyed result = Verify();
  ASSERT_THAT(result.findings,
              ElementsAre(Is(Reason::kDirectoryChecksum, 0), Is(Reason::kDirectoryMalformed, 0),
                          HasReason(Reason::kUnreachable), HasReason(Reason::kUnreachable)));
  EXPECT_EQ(result.findings[0].path, "/d");
  EXPECT_EQ(result.findings[0].byte_count, kBlockSize);
  EXPECT_EQ(result.totals.counts.pages_authentic, kPages - 2 + 3)
      << "the files are found all the same";
}

// The entry of a file in the one block of its directory.
ext2_dir_entry_2& EntryOf(Block& block, uint32_t inode) {
  for (size_t at = 0; at < block.size();) {
    auto& entry = *reinterpret_cast<ext2_dir_entry_2*>(&block[at]);
    if (entry.inode == inode) return entry;
    at += entry.rec_len;
  }
  throw std::runtime_error("no such entry");
}

TEST_F(ImageTest, ADamagedNameIsAFindingWithItsPlaceAndTheRestIsVerified) {
  Block data = builder_->ReadBlock(builder_->FirstBlockOf(dir_));
  EntryOf(data, file_.inode).name_len = 7;  // less than a block of AES
  builder_->WriteBlock(builder_->FirstBlockOf(dir_), data);
  const Surveyed result = Verify();
  ASSERT_THAT(result.findings,
              ElementsAre(Is(Reason::kNameMalformed, 0), Is(Reason::kPlaceNotAuthentic, 0),
                          Is(Reason::kDirectoryChecksum, 0)));
  EXPECT_EQ(result.findings[0].inode, file_.inode);
  EXPECT_EQ(result.findings[0].path.substr(0, 3), "/d/");
  EXPECT_EQ(result.findings[2].path, "/d");
  EXPECT_EQ(result.totals.counts.pages_authentic, kPages - 2 + 3);
}

TEST_F(ImageTest, AFlippedBitOfANameIsSeenWithoutAKey) {
  Block data = builder_->ReadBlock(builder_->FirstBlockOf(dir_));
  EntryOf(data, file_.inode).name[3] ^= 1;
  builder_->WriteBlock(builder_->FirstBlockOf(dir_), data);
  const Surveyed result = Inspect();
  ASSERT_THAT(result.findings, ElementsAre(Is(Reason::kDirectoryChecksum, 0)));
  EXPECT_EQ(result.findings[0].path, "/d");
}

TEST_F(ImageTest, TheIndexOfADirectoryIsCheckedToo) {
  const std::string from = path_ + ".files";
  std::filesystem::create_directories(from);
  for (int i = 0; i < 40; ++i)
    std::ofstream(from + "/" + std::string(200, 'n') + std::to_string(i));
  MakeFileSystem("-b 4096 -N 128 -d " + from);
  std::filesystem::remove_all(from);
  // Makes the index.
  const std::string command = "PATH=$PATH:/usr/sbin:/sbin e2fsck -fyD " + path_;
  EXPECT_LE(WEXITSTATUS(std::system((command + " >/dev/null 2>&1").c_str())), 1);
  EXPECT_THAT(Inspect().findings, testing::IsEmpty());
  auto image = Image::Open(*FileSource::Open(path_)).value();
  const Inode root = image->ReadInode(EXT2_ROOT_INO).value();
  ASSERT_NE(root.flags & EXT2_INDEX_FL, 0u);
  const uint64_t at = ReadExtents(*image, root).extents.front().physical * kBlockSize;
  image.reset();
  Patch(at + 41, {0x5A});  // a hash in the index
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kDirectoryChecksum, 0)));
}

TEST_F(ImageTest, ADamagedInodeIsAFindingWithItsPlaceAndTheRestIsVerified) {
  // Attributes that lead out of the inode: neither context nor key can be found.
  builder_->ChangeInode(file_.inode, [](ext2_inode_large& inode) { inode.i_extra_isize = 0x7FFC; });
  const Surveyed result = Verify();
  ASSERT_THAT(result.reasons(), Contains(Reason::kContextMissing));
  for (const Finding& finding : result.findings) {
    EXPECT_EQ(finding.inode, file_.inode);
    EXPECT_EQ(finding.path, "/d/file");
  }
  EXPECT_EQ(result.totals.counts.pages_authentic, 3u) << "those of the other file";
}

TEST_F(ImageTest, AnInodeOfZerosIsAFindingWithItsPlaceAndTheRestIsVerified) {
  builder_->ChangeInode(file_.inode, [](ext2_inode_large& inode) { inode = {}; });
  const Surveyed result = Verify();
  ASSERT_THAT(result.findings, ElementsAre(Is(Reason::kEntryDangling, 0)));
  EXPECT_EQ(result.findings[0].path, "/d/file");
  EXPECT_EQ(result.totals.counts.pages_authentic, 3u);
}

// Everything that inspect counts, without a key.
TEST_F(ImageTest, InspectCountsPoliciesFilesPagesAndTagBlocks) {
  Context context = NewContext();
  context.raw[0] = 2;  // fscrypt's own version: not authenticated
  context.raw[5] = context.raw[6] = 0;
  const uint32_t unauthenticated = builder_->AddDirectory(EXT2_ROOT_INO, "x", &context);
  builder_->AddPlainFile(unauthenticated, "xts", &context, "ciphertext");
  builder_->AddPlainFile(EXT2_ROOT_INO, "plain", nullptr, "hello");
  builder_->AddSymlink(dir_, "link", NewContext(), "target");
  const Surveyed result = Inspect();
  EXPECT_THAT(result.findings, testing::IsEmpty());
  EXPECT_EQ(result.totals.plain_files, 1u);
  EXPECT_EQ(result.totals.plain_bytes, 5u);
  ASSERT_EQ(result.totals.policies.size(), 2u);
  for (const auto& [policy, p] : result.totals.policies) {
    const bool authenticated = policy[0] == dir_context_.raw[0];
    EXPECT_THAT(p.roots, ElementsAre(authenticated ? "/d" : "/x"));
    EXPECT_EQ(p.directories, 1u);
    EXPECT_EQ(p.files, authenticated ? 2u : 1u);
    EXPECT_EQ(p.symlinks, authenticated ? 1u : 0u);
    EXPECT_EQ(p.bytes, authenticated ? file_.size + other_.size : 10u);
    EXPECT_EQ(p.written_pages, authenticated ? kPages - 2 + 3 : 0u);
    EXPECT_EQ(p.tag_blocks, authenticated ? 5u : 0u);
    EXPECT_FALSE(p.key_given);
  }
}

TEST_F(ImageTest, ChaChaAndThreadsGiveTheSame) {
  const Context context = builder_->NewContext(E4C_AEAD_CHACHA20_POLY1305);
  const uint32_t dir = builder_->AddDirectory(EXT2_ROOT_INO, "c", &context);
  const BuiltFile file =
      builder_->AddFile(dir, "f", builder_->NewContext(E4C_AEAD_CHACHA20_POLY1305),
                        40000 * uint64_t{kBlockSize}, {0, 200, 39999});
  Block data = builder_->ReadBlock(file.pages.at(200));
  data[7] ^= 1;
  builder_->WriteBlock(file.pages.at(200), data);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, 200 * kBlockSize)));
  EXPECT_THAT(SurveyWith(keys_, 4).findings,
              ElementsAre(Is(Reason::kPageNotAuthentic, 200 * kBlockSize)));
}

}  // namespace
}  // namespace ext4crypt::volume
