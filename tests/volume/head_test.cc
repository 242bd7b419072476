// SPDX-License-Identifier: Apache-2.0
// The attribute of an inode, its head and its place: each field, taken and refused.
#include "tests/volume/survey_fixture.h"
#include "volume/format/attribute.h"

namespace ext4crypt::volume {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kPlaceAt = 40;
constexpr size_t kHeadAt = 52;
constexpr size_t kStateAt = 64;

class HeadTest : public SurveyTest {
 protected:
  HeadTest() {
    sub_context_ = NewContext();
    sub_ = builder_->AddDirectory(dir_, "sub", &sub_context_);
    link_ = builder_->AddSymlink(dir_, "link", NewContext(), "target");
  }
  void FlipInAttribute(uint32_t inode, size_t at) {
    std::vector<uint8_t> value = builder_->AttributeOf(inode);
    value[at] ^= 1;
    builder_->SetAttribute(inode, value);
  }
  uint32_t StateOf(uint32_t inode) { return Le32(&builder_->AttributeOf(inode)[kStateAt]); }
  // Exchanges what the entries of two inodes in a directory lead to.
  void SwapEntries(uint32_t directory, uint32_t a, uint32_t b) {
    Block data = builder_->ReadBlock(builder_->FirstBlockOf(directory));
    for (size_t at = 0; at < data.size();) {
      auto* entry = reinterpret_cast<ext2_dir_entry_2*>(&data[at]);
      entry->inode = entry->inode == a ? b : entry->inode == b ? a : entry->inode;
      at += entry->rec_len;
    }
    builder_->WriteBlock(builder_->FirstBlockOf(directory), data);
  }

  Context sub_context_;
  uint32_t sub_ = 0;
  uint32_t link_ = 0;
};

TEST_F(HeadTest, FilesDirectoriesAndLinksAsWrittenAreClean) {
  EXPECT_THAT(Verify().findings, IsEmpty());
}

class EachAttributeByteTest : public HeadTest, public testing::WithParamInterface<size_t> {};
INSTANTIATE_TEST_SUITE_P(, EachAttributeByteTest,
                         testing::Range(kPlaceAt, size_t{E4C_ATTRIBUTE_SIZE}));

TEST_P(EachAttributeByteTest, CountsOfFilesDirectoriesAndLinks) {
  for (const uint32_t inode : {file_.inode, sub_, link_}) FlipInAttribute(inode, GetParam());
  const Surveyed result = Verify();
  // A changed first byte of the state is another form or not a state at all.
  if (GetParam() < kHeadAt) {
    EXPECT_THAT(result.reasons(), Each(Reason::kPlaceNotAuthentic));
  } else {
    EXPECT_THAT(result.reasons(), Each(AnyOf(Reason::kHeadNotAuthentic, Reason::kStateNotAllowed,
                                             Reason::kTailMalformed)));
  }
  EXPECT_EQ(result.findings.size(), 3u) << "one for each inode";
  EXPECT_EQ(result.totals.counts.pages_authentic,
            GetParam() < kHeadAt ? kPages - 2 + 3 : uint64_t{3})
      << "a place says nothing about the contents";
}

TEST_F(HeadTest, AnotherSizeFailsTheHead) {
  for (const int change : {-1, 1, 1 << 20}) {
    builder_->ChangeInode(other_.inode,
                          [&](ext2_inode_large& i) { i.i_size += static_cast<uint32_t>(change); });
  }
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, ElementsAre(Is(Reason::kHeadNotAuthentic, 0)));
  EXPECT_EQ(result.totals.counts.pages_failed, 3u);
}

TEST_F(HeadTest, ACutFileThatKeepsItsSizeAndTopIsFound) {
  // All pages and tag blocks of the file taken away.
  builder_->SetExtents(
      file_.inode,
      {{.logical = 0, .physical = builder_->NewBlock(), .length = 1, .unwritten = true}});
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kTagBlockMissing, 0)));
}

TEST_F(HeadTest, ACopyOfAnInodeFailsHeadAndPlace) {
  const std::vector<uint8_t> value = builder_->AttributeOf(other_.inode);
  const BuiltFile copy = builder_->AddFile(dir_, "copy", other_.context, other_.size, {0, 1, 2});
  builder_->SetExtents(copy.inode, builder_->ExtentsOf(other_));
  builder_->SetAttribute(copy.inode, value);
  const auto findings = Verify().findings;
  EXPECT_THAT(findings, ElementsAre(HasReason(Reason::kPlaceNotAuthentic),
                                    HasReason(Reason::kHeadNotAuthentic)));
  EXPECT_THAT(findings, Each(testing::Field(&Finding::inode, copy.inode)));
}

TEST_F(HeadTest, ALinkWithAnotherTargetFailsTheHead) {
  builder_->ChangeInode(link_,
                        [](ext2_inode_large& i) { reinterpret_cast<uint8_t*>(i.i_block)[5] ^= 1; });
  EXPECT_THAT(Verify().reasons(),
              ElementsAre(AnyOf(Reason::kHeadNotAuthentic, Reason::kSymlinkMalformed)));
}

TEST_F(HeadTest, ADirectoryWithAFailedHeadIsStillWalked) {
  FlipInAttribute(dir_, kHeadAt);
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, ElementsAre(Is(Reason::kHeadNotAuthentic, 0)));
  EXPECT_EQ(result.findings[0].path, "/d");
  EXPECT_EQ(result.totals.counts.pages_authentic, kPages - 2 + 3);
}

TEST_F(HeadTest, InAPlainDirectoryThePlaceIsNotAskedFor) {
  FlipInAttribute(dir_, kPlaceAt);
  EXPECT_THAT(Verify().findings, IsEmpty());
}

TEST_F(HeadTest, TwoExchangedFilesAreFound) {
  SwapEntries(dir_, file_.inode, other_.inode);
  EXPECT_THAT(Verify().reasons(),
              testing::UnorderedElementsAre(Reason::kPlaceNotAuthentic, Reason::kPlaceNotAuthentic,
                                            Reason::kDirectoryChecksum));
}

TEST_F(HeadTest, AFileInAnotherDirectoryIsFound) {
  builder_->Link(sub_, "file", file_.inode, EXT2_FT_REG_FILE);
  const auto findings = Verify().findings;
  ASSERT_THAT(findings, ElementsAre(HasReason(Reason::kPlaceNotAuthentic)));
  EXPECT_EQ(findings[0].path, "/d/sub/file");
}

TEST_F(HeadTest, ASecondNameNeedsTheBitThatAllowsIt) {
  builder_->Link(dir_, "again", file_.inode, EXT2_FT_REG_FILE);
  builder_->Link(dir_, "alias", other_.inode, EXT2_FT_REG_FILE);
  builder_->SetState(other_.inode, StateOf(other_.inode) | E4C_STATE_LINKED);
  const auto findings = Verify().findings;
  ASSERT_THAT(findings, ElementsAre(HasReason(Reason::kPlaceNotAuthentic)));
  EXPECT_EQ(findings[0].path, "/d/again");
}

TEST_F(HeadTest, TheBitForSeveralNamesIsInTheHead) {
  builder_->Link(dir_, "alias", other_.inode, EXT2_FT_REG_FILE);
  std::vector<uint8_t> value = builder_->AttributeOf(other_.inode);
  value[kStateAt] |= E4C_STATE_LINKED;
  builder_->SetAttribute(other_.inode, value);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kHeadNotAuthentic, 0)));
}

TEST_F(HeadTest, AZeroPlaceIsSeenWithoutAKey) {
  std::vector<uint8_t> value = builder_->AttributeOf(other_.inode);
  std::fill_n(value.begin() + kPlaceAt, E4C_MAC_SIZE, uint8_t{0});
  builder_->SetAttribute(other_.inode, value);
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kPlaceNotAuthentic));
}

TEST_F(HeadTest, PipesSocketsAndWhiteoutsHaveAPlace) {
  builder_->AddSpecial(dir_, "pipe", LINUX_S_IFIFO | 0644, 0, EXT2_FT_FIFO);
  builder_->AddSpecial(dir_, "socket", LINUX_S_IFSOCK | 0644, 0, EXT2_FT_SOCK);
  builder_->AddSpecial(dir_, "whiteout", LINUX_S_IFCHR, 0, EXT2_FT_CHRDEV);
  EXPECT_THAT(Verify().findings, IsEmpty());
}

TEST_F(HeadTest, APipeInAnotherPlaceIsFound) {
  const uint32_t pipe = builder_->AddSpecial(dir_, "pipe", LINUX_S_IFIFO | 0644, 0, EXT2_FT_FIFO);
  builder_->Link(sub_, "pipe", pipe, EXT2_FT_FIFO);
  const auto findings = Verify().findings;
  ASSERT_THAT(findings, ElementsAre(HasReason(Reason::kPlaceNotAuthentic)));
  EXPECT_EQ(findings[0].path, "/d/sub/pipe");
}

TEST_F(HeadTest, ASocketInPlaceOfAPipeIsFound) {
  const uint32_t pipe = builder_->AddSpecial(dir_, "pipe", LINUX_S_IFIFO | 0644, 0, EXT2_FT_FIFO);
  builder_->ChangeInode(pipe, [](ext2_inode_large& i) { i.i_mode = LINUX_S_IFSOCK | 0644; });
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kPlaceNotAuthentic));
}

TEST_F(HeadTest, APipeWithoutAPlaceIsSeenWithoutAKey) {
  const uint32_t pipe =
      builder_->AddSpecial(EXT2_ROOT_INO, "pipe", LINUX_S_IFIFO | 0644, 0, EXT2_FT_FIFO);
  builder_->Link(dir_, "pipe", pipe, EXT2_FT_FIFO);
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kPlaceNotAuthentic));
}

TEST_F(HeadTest, APipeWithAnAttributeOfAnotherSizeIsMalformed) {
  const uint32_t pipe = builder_->AddSpecial(dir_, "pipe", LINUX_S_IFIFO | 0644, 0, EXT2_FT_FIFO);
  builder_->SetAttribute(pipe, std::vector<uint8_t>(16, 1));
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kContextMalformed));
}

TEST_F(HeadTest, DevicesAreRefusedInEncryptedDirectoriesOnly) {
  builder_->AddSpecial(EXT2_ROOT_INO, "null", LINUX_S_IFCHR | 0666, 0x0103, EXT2_FT_CHRDEV);
  builder_->AddSpecial(dir_, "null", LINUX_S_IFCHR | 0666, 0x0103, EXT2_FT_CHRDEV);
  builder_->AddSpecial(dir_, "disk", LINUX_S_IFBLK | 0600, 0, EXT2_FT_BLKDEV);
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kDeviceRefused, Reason::kDeviceRefused));
}

TEST_F(HeadTest, TheHashOfTheAttributesEntryIsZero) {
  builder_->ChangeInode(file_.inode, [&](ext2_inode_large& i) {
    // Behind the magic number.
    reinterpret_cast<uint8_t*>(&i)[128 + i.i_extra_isize + 4 + 12] = 1;
  });
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kAttributeMisplaced));
}

// In an inode of 256 bytes there is room for 68 bytes in one place only, but not for 12.
TEST_F(HeadTest, TheAttributesValueIsTheEndOfTheInode) {
  const uint32_t pipe = builder_->AddSpecial(dir_, "pipe", LINUX_S_IFIFO | 0644, 0, EXT2_FT_FIFO);
  builder_->ChangeInode(pipe, [&](ext2_inode_large& i) {
    uint8_t* raw = reinterpret_cast<uint8_t*>(&i);
    raw[128 + i.i_extra_isize + 4 + 2] -= 4;
    std::memmove(raw + 256 - 16, raw + 256 - 12, 12);
  });
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kAttributeMisplaced));
}

TEST_F(HeadTest, TheAttributeIsTheFirst) {
  const uint32_t pipe =
      builder_->AddSpecial(EXT2_ROOT_INO, "pipe", LINUX_S_IFIFO | 0644, 0, EXT2_FT_FIFO);
  builder_->AddXattr(pipe, kXattrIndexUser, "a", {});
  builder_->AddXattr(pipe, kXattrIndexEncryption, "c", std::vector<uint8_t>(12, 1));
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kAttributeMisplaced));
}

TEST_F(HeadTest, AnAttributeOutsideOfTheInodeIsMisplaced) {
  const std::vector<uint8_t> value = builder_->AttributeOf(other_.inode);
  const uint32_t plain = builder_->AddPlainFile(EXT2_ROOT_INO, "p", nullptr, "x");
  builder_->ChangeInode(plain, [](ext2_inode_large& i) {
    i.i_flags |= EXT4_ENCRYPT_FL;
    i.i_size_high = E4C_SIZE_BIAS >> 32;
    i.i_size = static_cast<uint32_t>(E4C_SIZE_BIAS);
  });
  builder_->AddXattr(plain, kXattrIndexUser, "a", std::vector<uint8_t>(1));
  builder_->AddXattr(plain, kXattrIndexEncryption, "c", value);
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kAttributeMisplaced));
}

TEST_F(HeadTest, AnAttributeOfAnotherSizeIsMalformed) {
  std::vector<uint8_t> value = builder_->AttributeOf(other_.inode);
  value.resize(E4C_ATTRIBUTE_SIZE - 4);
  builder_->SetAttribute(other_.inode, value);
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kContextMalformed));
}

TEST_F(HeadTest, ASizeWithoutTheBiasIsDamage) {
  builder_->ChangeInode(other_.inode, [](ext2_inode_large& i) {
    i.i_size = static_cast<uint32_t>(E4C_SIZE_BIAS - 1);
    i.i_size_high = static_cast<uint32_t>((E4C_SIZE_BIAS - 1) >> 32);
  });
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kSizeNotBiased));
}

TEST_F(HeadTest, ALargerSizeThanAFileCanHaveIsDamage) {
  builder_->SetSize(other_.inode, uint64_t{E4C_MAX_PAGES} * kBlockSize);
  EXPECT_THAT(Verify().findings, IsEmpty());
  builder_.emplace(path_);
  dir_context_ = NewContext();
  dir_ = builder_->AddDirectory(EXT2_ROOT_INO, "d", &dir_context_);
  const BuiltFile file = builder_->AddFile(dir_, "f", NewContext(), 1, {0});
  builder_->SetSize(file.inode, uint64_t{E4C_MAX_PAGES} * kBlockSize + 1);
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kFileTooLarge));
}

TEST(StateTest, EachStateIsTakenOrRefusedAsTheTableSays) {
  constexpr uint16_t kFile = LINUX_S_IFREG;
  constexpr uint16_t kDirectory = LINUX_S_IFDIR;
  constexpr uint16_t kLink = LINUX_S_IFLNK;
  const struct {
    uint32_t raw;
    uint16_t mode;
    bool allowed;
  } rows[] = {
      {0x00, kFile, true},       {0x01, kFile, true},       {0x02, kFile, true},
      {0x03, kFile, false},      {0x06, kFile, true},       {0x12, kFile, true},
      {0x16, kFile, false},      {0x1A, kFile, false},      {0x1E, kFile, false},
      {0x04, kFile, false},      {0x05, kFile, false},      {0x20, kFile, true},
      {0x32, kFile, true},       {0x40, kFile, false},      {0x80, kFile, false},
      {0xFFFFFF02, kFile, true}, {0x00, kLink, true},       {0x20, kLink, true},
      {0x01, kLink, false},      {0x02, kLink, false},      {0x00, kDirectory, true},
      {0x20, kDirectory, false}, {0x02, kDirectory, false}, {0x100, kDirectory, true},
  };
  for (const auto& row : rows) {
    Inode inode;
    inode.mode = row.mode;
    State state;
    EXPECT_EQ(ReasonOf(ParseState(row.raw, inode, state)),
              row.allowed ? Reason::kNone : Reason::kStateNotAllowed)
        << std::hex << row.raw << " of a file of mode " << row.mode;
  }
}

}  // namespace
}  // namespace ext4crypt::volume
