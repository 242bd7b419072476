// SPDX-License-Identifier: Apache-2.0
// One test for each way a record can be wrong.
#include <fcntl.h>

#include "tests/volume/survey_fixture.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t At(uint64_t page) { return page * kBlockSize; }

class TamperTest : public SurveyTest {
 protected:
  void FlipInPage(uint64_t page, size_t at) {
    Block data = builder_->ReadBlock(file_.pages.at(page));
    data[at] ^= 1;
    builder_->WriteBlock(file_.pages.at(page), data);
  }
  // Changes a tag block as an attacker without the key does: the seal stays.
  void ChangeGroup(uint32_t group, const std::function<void(e4c_tag_block&)>& change) {
    e4c_tag_block tags = builder_->ReadGroup(file_, group);
    change(tags);
    builder_->WriteGroup(file_, group, tags);
  }
  // ... and as someone with the key, or a faulty kernel, does.
  void ChangeAndReseal(uint32_t group, const std::function<void(e4c_tag_block&)>& change) {
    ChangeGroup(group, [&](e4c_tag_block& tags) {
      change(tags);
      builder_->Reseal(file_, group, tags);
    });
  }
  static e4c_slot& SlotOf(e4c_tag_block& tags, uint64_t page) {
    return tags.slot[PlaceOfPage(page)];
  }
  void SetExtents(const std::function<void(std::vector<Extent>&)>& change) {
    std::vector<Extent> extents;
    for (const Extent& e : builder_->ExtentsOf(file_)) {
      for (uint32_t i = 0; i < e.length; ++i) {
        extents.push_back({.logical = e.logical + i,
                           .physical = e.physical + i,
                           .length = 1,
                           .unwritten = e.unwritten});
      }
    }
    change(extents);
    builder_->SetExtents(file_.inode, extents);
  }
  static Extent& Mapping(std::vector<Extent>& extents, uint64_t logical) {
    return *std::find_if(extents.begin(), extents.end(),
                         [&](const Extent& e) { return e.logical == logical; });
  }
};

TEST_F(TamperTest, AnImageAsWrittenIsClean) {
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(result.totals.counts.pages_authentic, kPages - 2 + 3);
  EXPECT_EQ(result.totals.counts.groups_authentic, 4u);
}

TEST_F(TamperTest, AFlippedBitOfTheCiphertextIsFound) {
  FlipInPage(5, 1000);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(5))));
}

TEST_F(TamperTest, TheBytesPastTheEndOfTheFileAreAuthenticatedToo) {
  FlipInPage(kPages - 1, kBlockSize - 1);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(kPages - 1))));
}

TEST_F(TamperTest, TwoSwappedPagesAreFound) {
  const Block one = builder_->ReadBlock(file_.pages.at(7));
  builder_->WriteBlock(file_.pages.at(7), builder_->ReadBlock(file_.pages.at(9)));
  builder_->WriteBlock(file_.pages.at(9), one);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(7)),
                                             Is(Reason::kPageNotAuthentic, At(9))));
}

TEST_F(TamperTest, NeighbouringFailuresAreOneFinding) {
  for (uint64_t page = 30; page < 40; ++page) FlipInPage(page, 0);
  const Surveyed result = Verify();
  ASSERT_THAT(result.findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(30))));
  EXPECT_EQ(result.findings[0].byte_count, At(10));
}

TEST_F(TamperTest, AFlippedBitOfATagFailsPageAndSeal) {
  ChangeGroup(0, [](e4c_tag_block& t) { SlotOf(t, 3).tag[0] ^= 1; });
  EXPECT_THAT(Verify().findings,
              ElementsAre(Is(Reason::kSealNotAuthentic, 0), Is(Reason::kPageNotAuthentic, At(3))));
}

TEST_F(TamperTest, AFlippedBitOfANonceFailsPageAndSeal) {
  ChangeGroup(1, [](e4c_tag_block& t) { SlotOf(t, 200).nonce[11] ^= 1; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(127)),
                                             Is(Reason::kPageNotAuthentic, At(200))));
}

TEST_F(TamperTest, ATagFlippedUnderAGoodSealFailsThePage) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, 3).tag[0] ^= 1; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(3))));
}

TEST_F(TamperTest, AFlippedBitOfTheSealsTagIsFound) {
  ChangeGroup(2, [](e4c_tag_block& t) { t.seal.tag[15] ^= 0x80; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(254))));
}

TEST_F(TamperTest, AFlippedBitOfTheSealsNonceIsFound) {
  ChangeGroup(2, [](e4c_tag_block& t) { t.seal.nonce[0] ^= 1; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(254))));
}

TEST_F(TamperTest, SwappedSlotsAreFound) {
  ChangeGroup(0, [](e4c_tag_block& t) { std::swap(SlotOf(t, 3), SlotOf(t, 4)); });
  EXPECT_THAT(Verify().findings,
              ElementsAre(Is(Reason::kSealNotAuthentic, 0), Is(Reason::kPageNotAuthentic, At(3))));
}

TEST_F(TamperTest, SwappedTagBlocksAreFound) {
  const e4c_tag_block one = builder_->ReadGroup(file_, 0);
  builder_->WriteGroup(file_, 0, builder_->ReadGroup(file_, 1));
  builder_->WriteGroup(file_, 1, one);
  EXPECT_THAT(Verify().findings, Contains(Is(Reason::kSealNotAuthentic, 0)));
}

TEST_F(TamperTest, AnOldTagBlockPutBackIsFound) {
  const e4c_tag_block old = builder_->ReadGroup(file_, 1);
  ChangeAndReseal(1, [](e4c_tag_block&) {});
  builder_->WriteGroup(file_, 1, old);
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, ElementsAre(Is(Reason::kSealNotNewest, At(127))));
  EXPECT_EQ(result.totals.counts.pages_failed, 127u);
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSealNotNewest, At(127))));
}

TEST_F(TamperTest, TheTagBlockOfAnotherFileIsFound) {
  builder_->WriteGroup(file_, 0, builder_->ReadGroup(other_, 0));
  const auto findings = Verify().findings;
  EXPECT_THAT(findings, Contains(Is(Reason::kSealNotAuthentic, 0)));
  EXPECT_THAT(findings, Contains(Is(Reason::kWrittenWithoutSlot, At(3))));
}

TEST_F(TamperTest, AZeroedSlotIsFound) {
  ChangeGroup(0, [](e4c_tag_block& t) { SlotOf(t, 3) = {}; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, 0),
                                             Is(Reason::kWrittenWithoutSlot, At(3))));
}

TEST_F(TamperTest, AZeroedTagBlockIsFound) {
  ChangeGroup(1, [](e4c_tag_block& t) { t = {}; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(127)),
                                             Is(Reason::kWrittenWithoutSlot, At(127))));
}

TEST_F(TamperTest, AZeroedSlotUnderAGoodSealIsSeenWithoutAKey) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, 3) = {}; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kWrittenWithoutSlot, At(3))));
}

TEST_F(TamperTest, AnExtentTurnedIntoAHoleIsSeenWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) { return e.logical == 50; });
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSlotOverHole, At(50))));
}

TEST_F(TamperTest, AnExtentTurnedUnwrittenIsSeenWithoutAKey) {
  SetExtents([](auto& extents) { Mapping(extents, 50).unwritten = true; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSlotOverUnwritten, At(50))));
}

TEST_F(TamperTest, AnUnwrittenExtentTurnedWrittenIsSeenWithoutAKey) {
  SetExtents([](auto& extents) { Mapping(extents, kUnwritten).unwritten = false; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kWrittenWithoutSlot, At(kUnwritten))));
}

TEST_F(TamperTest, AHiddenTagBlockIsSeenWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) { return e.logical == E4C_TAG_LBLK + 1; });
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTagBlockMissing, At(127))));
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, ElementsAre(Is(Reason::kTagBlockMissing, At(127))));
  EXPECT_EQ(result.totals.counts.pages_failed, 127u);
}

TEST_F(TamperTest, AHiddenMiddleOfTheFileIsSeenWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) {
      return e.logical == E4C_TAG_LBLK + 1 || (e.logical >= 127 && e.logical < 254);
    });
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTagBlockMissing, At(127))));
}

TEST_F(TamperTest, AHiddenEndOfTheFileIsSeenWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) {
      return e.logical == E4C_TAG_LBLK + 2 || (e.logical >= 254 && e.logical < kPages);
    });
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTagBlockMissing, At(254))));
}

TEST_F(TamperTest, AHiddenTopIsSeenWithAndWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) { return e.logical == E4C_LEVEL_1_LBLK; });
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTagBlockMissing, 0)));
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, ElementsAre(Is(Reason::kTagBlockMissing, 0)));
  EXPECT_EQ(result.totals.counts.pages_authentic, 3u);
}

TEST_F(TamperTest, AChangedNodeCostsWhatItCovers) {
  e4c_tag_block node = builder_->ReadNodeBlock(file_, 1, 0);
  node.slot[1].tag[0] ^= 1;
  builder_->WriteNodeBlock(file_, 1, 0, node);
  const Surveyed result = Verify();
  ASSERT_THAT(result.findings, ElementsAre(Is(Reason::kSealNotAuthentic, 0)));
  EXPECT_EQ(result.findings[0].byte_count, At(kPages));
  EXPECT_EQ(result.totals.counts.pages_authentic, 3u);
  EXPECT_EQ(result.totals.counts.pages_failed, kPages - 2);
}

TEST_F(TamperTest, AnOldTopPutBackFailsTheHead) {
  const e4c_tag_block old = builder_->ReadNodeBlock(file_, 1, 0);
  const e4c_tag_block group = builder_->ReadGroup(file_, 1);
  ChangeAndReseal(1, [](e4c_tag_block&) {});
  builder_->WriteNodeBlock(file_, 1, 0, old);
  builder_->WriteGroup(file_, 1, group);
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, ElementsAre(Is(Reason::kHeadNotAuthentic, 0)));
  EXPECT_EQ(result.totals.counts.pages_failed, kPages - 2);
}

TEST_F(TamperTest, PagesUnderAZeroSlotOfANodeHaveNoTag) {
  e4c_tag_block node = builder_->ReadNodeBlock(file_, 1, 0);
  node.slot[1] = {};
  builder_->ResealNode(file_, 1, 0, node);
  builder_->WriteNodeBlock(file_, 1, 0, node);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kWrittenWithoutGroup, At(127))));
}

TEST_F(TamperTest, ASealWithAnotherInfoIsRefused) {
  ChangeGroup(1, [](e4c_tag_block& t) { t.seal.info = htole32(2); });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(127))));
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSealNotNewest, At(127))));
}

TEST_F(TamperTest, WhatIsMappedUnderAZeroSlotMeansNothing) {
  SetExtents([this](auto& extents) {
    for (const uint64_t logical : {E4C_TAG_LBLK + 7u, E4C_LEVEL_0_LBLK + E4C_LEVEL_0_BLOCKS,
                                   E4C_LEVEL_1_LBLK + 1u, E4C_LEVEL_4_LBLK}) {
      const uint64_t block = builder_->NewBlock();
      builder_->WriteBlock(block, builder_->ReadBlock(file_.groups.at(0)));
      Extent extent = {.logical = logical, .physical = block, .length = 1, .unwritten = true};
      extents.insert(
          std::upper_bound(extents.begin(), extents.end(), extent,
                           [](const Extent& a, const Extent& b) { return a.logical < b.logical; }),
          extent);
    }
  });
  EXPECT_THAT(Verify().findings, IsEmpty());
  EXPECT_THAT(Inspect().findings, IsEmpty());
}

TEST_F(TamperTest, MoreTextThanAPageHasIsRefused) {
  for (const uint32_t info : {4097u, 5000u, 0x80000001u}) {
    ChangeAndReseal(0, [&](e4c_tag_block& t) { SlotOf(t, 3 + info % 16).info = htole32(info); });
  }
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSlotStateUnknown, At(4)),
                                              Is(Reason::kSlotStateUnknown, At(11))));
}

TEST_F(TamperTest, AnotherNumberOfTextBytesIsNotAuthentic) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, 3).info = htole32(4095); });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(3))));
}

TEST_F(TamperTest, ASlotOverAHoleIsRefusedWhateverItSays) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, kHole).info = htole32(4097); });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSlotStateUnknown, At(kHole))));
}

TEST_F(TamperTest, AnAbsentSlotHasToBeZero) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, kHole).nonce[3] = 1; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSlotNotZero, At(kHole))));
}

TEST_F(TamperTest, ANonceUsedTwiceIsSeenWithoutAKey) {
  ChangeAndReseal(1, [&](e4c_tag_block& t) {
    const e4c_tag_block first = builder_->ReadGroup(file_, 0);
    std::copy_n(first.slot[3].nonce, E4C_NONCE_SIZE, SlotOf(t, 130).nonce);
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kNonceReused, At(130))));
}

TEST_F(TamperTest, ANodesNonceUsedForAPageIsFound) {
  e4c_tag_block node = builder_->ReadNodeBlock(file_, 1, 0);
  const e4c_tag_block tags = builder_->ReadGroup(file_, 0);
  std::copy_n(tags.slot[3].nonce, E4C_NONCE_SIZE, node.seal.nonce);
  builder_->WriteNodeBlock(file_, 1, 0, node);
  EXPECT_THAT(Inspect().findings, ElementsAre(HasReason(Reason::kNonceReused)));
}

TEST_F(TamperTest, ATagBlockInAWrittenExtentIsFound) {
  SetExtents([](auto& extents) { Mapping(extents, E4C_TAG_LBLK + 1).unwritten = false; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTagExtentWritten, At(127))));
}

TEST_F(TamperTest, ANodeInAWrittenExtentIsFound) {
  SetExtents([](auto& extents) { Mapping(extents, E4C_LEVEL_1_LBLK).unwritten = false; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTagExtentWritten, 0)));
}

TEST_F(TamperTest, BlocksOfTheReservedAreaAreFound) {
  SetExtents([this](auto& extents) {
    extents.push_back({.logical = E4C_SHADOW_LBLK, .physical = builder_->NewBlock(), .length = 1});
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(HasReason(Reason::kReservedBlocksMapped)));
}

TEST_F(TamperTest, WrittenBlocksPastTheEndAreFound) {
  builder_->SetSize(file_.inode, At(290));
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kWrittenPastEnd, At(290))));
}

TEST_F(TamperTest, PagesThatTheTopDoesNotCoverAreNotAuthentic) {
  builder_->SetSize(other_.inode, At(200));
  std::vector<Extent> extents = builder_->ExtentsOf(other_);
  extents.insert(extents.end() - 1,
                 {.logical = 150, .physical = builder_->NewBlock(), .length = 1});
  builder_->SetExtents(other_.inode, extents);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kWrittenWithoutGroup, At(150))));
}

TEST_F(TamperTest, AWrittenPageOfAnEmptyFileIsNotAuthentic) {
  const BuiltFile empty = builder_->AddFile(dir_, "empty", NewContext(), At(2), {}, {0, 1});
  EXPECT_THAT(Verify().findings, IsEmpty()) << "preallocation means nothing";
  builder_.emplace(path_);
  dir_context_ = NewContext();
  dir_ = builder_->AddDirectory(EXT2_ROOT_INO, "d", &dir_context_);
  const BuiltFile written = builder_->AddFile(dir_, "empty", NewContext(), At(2), {});
  builder_->SetExtents(written.inode,
                       {{.logical = 1, .physical = builder_->NewBlock(), .length = 1}});
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kWrittenWithoutGroup, At(1))));
}

TEST_F(TamperTest, BytesBehindTheTextMeanNothingAndThoseOfTheTextCount) {
  FileShape shape;
  shape.text_bytes = 31;
  const BuiltFile file = builder_->AddFile(dir_, "short", NewContext(), At(2), {0, 1}, {}, shape);
  const auto flip = [&](uint64_t page, size_t at) {
    Block data = builder_->ReadBlock(file.pages.at(page));
    data[at] ^= 1;
    builder_->WriteBlock(file.pages.at(page), data);
  };
  flip(0, 31);
  flip(0, 4095);
  flip(1, 30);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(1))));
}

// Each height, with the last page that a file can have.
class HeightTest : public TamperTest, public testing::WithParamInterface<unsigned> {};
INSTANTIATE_TEST_SUITE_P(, HeightTest, testing::Range(0u, 5u));

TEST_P(HeightTest, ATreeIsReadFromTheTopAndEachOfItsBlocksCounts) {
  const uint64_t covered = kLevels[GetParam()].groups_each * E4C_BLOCK_SLOTS;
  const uint64_t last = std::min<uint64_t>(covered, E4C_MAX_PAGES) - 1;
  FileShape shape;
  shape.height = GetParam();
  const BuiltFile file =
      builder_->AddFile(dir_, "tall", NewContext(), At(last + 1), {0, last}, {}, shape);
  ASSERT_EQ(file.height, GetParam());
  const std::vector<unsigned> expected = {1, 3, 5, 7, 9};
  EXPECT_EQ(file.groups.size() + file.nodes.size(), expected[GetParam()]);
  const Surveyed clean = Verify();
  EXPECT_THAT(clean.findings, IsEmpty());
  EXPECT_EQ(clean.totals.counts.pages_authentic, kPages - 2 + 3 + 2);
  std::vector<uint64_t> blocks;
  for (const auto& [number, block] : file.groups) blocks.push_back(block);
  for (const auto& [at, block] : file.nodes) blocks.push_back(block);
  for (const uint64_t block : blocks) {
    const UniqueFd fd(::open(path_.c_str(), O_RDWR));
    uint8_t byte = 0;
    const auto at = static_cast<off_t>(block * kBlockSize + 4000);  // a slot that is zero
    ASSERT_EQ(::pread(fd.get(), &byte, 1, at), 1);
    byte ^= 1;
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, at), 1);
    const Surveyed result = Verify();
    EXPECT_THAT(result.reasons(), Contains(Reason::kSealNotAuthentic)) << "block " << block;
    EXPECT_LT(result.totals.counts.pages_authentic, clean.totals.counts.pages_authentic);
    byte ^= 1;
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, at), 1);
  }
}

TEST_F(TamperTest, SlotsPastTheLastBlockOfALevelHaveToBeZero) {
  constexpr uint64_t kLast = E4C_MAX_PAGES - 1;
  const BuiltFile file = builder_->AddFile(dir_, "tall", NewContext(), At(kLast + 1), {kLast});
  const uint32_t number = E4C_LEVEL_1_BLOCKS - 1;
  e4c_tag_block node = builder_->ReadNodeBlock(file, 1, number);
  node.slot[E4C_LEVEL_0_BLOCKS - number * E4C_BLOCK_SLOTS] = node.slot[20];
  builder_->ResealNode(file, 1, number, node);
  builder_->WriteNodeBlock(file, 1, number, node);
  EXPECT_THAT(Inspect().findings,
              ElementsAre(Is(Reason::kSlotNotZero, At(uint64_t{number} * 127 * 127))));
}

}  // namespace
}  // namespace ext4crypt::volume
