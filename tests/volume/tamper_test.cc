// SPDX-License-Identifier: Apache-2.0
// One test for each way a record can be wrong.
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
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(126)),
                                             Is(Reason::kPageNotAuthentic, At(200))));
}

TEST_F(TamperTest, ATagFlippedUnderAGoodSealFailsThePage) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, 3).tag[0] ^= 1; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kPageNotAuthentic, At(3))));
}

TEST_F(TamperTest, AFlippedBitOfTheSealsTagIsFound) {
  ChangeGroup(2, [](e4c_tag_block& t) { t.seal.tag[15] ^= 0x80; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(253))));
}

TEST_F(TamperTest, AFlippedBitOfTheSealsNonceIsFound) {
  ChangeGroup(2, [](e4c_tag_block& t) { t.seal.nonce[0] ^= 1; });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealNotAuthentic, At(253))));
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
  const auto findings = Verify().findings;
  EXPECT_THAT(findings, Contains(Is(Reason::kSealNotAuthentic, 0)));
  EXPECT_THAT(findings, Contains(Is(Reason::kChainBroken, 0)));
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
  EXPECT_THAT(Verify().findings,
              testing::UnorderedElementsAre(Is(Reason::kSealNotAuthentic, At(126)),
                                            Is(Reason::kChainBroken, At(126)),
                                            Is(Reason::kWrittenWithoutSlot, At(126))));
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

TEST_F(TamperTest, AHiddenGroupInTheMiddleBreaksTheChain) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) { return e.logical == E4C_TAG_LBLK + 1; });
  });
  EXPECT_THAT(Inspect().findings,
              ElementsAre(Is(Reason::kChainBroken, 0), Is(Reason::kWrittenWithoutGroup, At(126))));
}

TEST_F(TamperTest, AHiddenMiddleOfTheFileIsSeenWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) {
      return e.logical == E4C_TAG_LBLK + 1 || (e.logical >= 126 && e.logical < 253);
    });
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kChainBroken, 0)));
}

TEST_F(TamperTest, AHiddenEndOfTheFileIsSeenWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) {
      return e.logical == E4C_TAG_LBLK + 2 || (e.logical >= 253 && e.logical < kPages);
    });
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kChainBroken, At(126))));
}

TEST_F(TamperTest, AHiddenFirstGroupIsSeenWithoutAKey) {
  SetExtents([](auto& extents) {
    std::erase_if(extents, [](const Extent& e) { return e.logical == E4C_TAG_LBLK; });
  });
  EXPECT_THAT(Inspect().findings, Contains(HasReason(Reason::kGroupZeroMissing)));
}

TEST_F(TamperTest, ASealThatNamesAnotherGroupIsFound) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { t.seal.info = htole32(2); });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kChainBroken, 0)));
}

TEST_F(TamperTest, UnknownSealFlagsAreRefused) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { t.seal.info |= htole32(0x01000000); });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kSealFlagsUnknown, 0)));
}

TEST_F(TamperTest, UnknownSlotStatesAreRefused) {
  for (const uint32_t info : {2u, 3u, 5u, 4u, 0x80000001u}) {
    ChangeAndReseal(0, [&](e4c_tag_block& t) { SlotOf(t, 3 + info % 16).info = htole32(info); });
  }
  const Surveyed result = Inspect();
  ASSERT_THAT(result.findings, ElementsAre(Is(Reason::kSlotStateUnknown, At(4))));
  EXPECT_EQ(result.findings[0].byte_count, At(5));
}

TEST_F(TamperTest, AnUnknownStateOverAHoleIsRefused) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, kHole).info = htole32(2); });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSlotStateUnknown, At(kHole))));
}

TEST_F(TamperTest, AnAbsentSlotHasToBeZero) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { SlotOf(t, kHole).nonce[3] = 1; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kSlotNotZero, At(kHole))));
}

TEST_F(TamperTest, TheReservedHeaderSlotHasToBeZero) {
  ChangeAndReseal(0, [](e4c_tag_block& t) { t.slot[0].info = htole32(1); });
  EXPECT_THAT(Verify().findings, Contains(HasReason(Reason::kHeaderSlotInUse)));
}

TEST_F(TamperTest, ANonceUsedTwiceIsSeenWithoutAKey) {
  ChangeAndReseal(1, [&](e4c_tag_block& t) {
    const e4c_tag_block first = builder_->ReadGroup(file_, 0);
    std::copy_n(first.slot[4].nonce, E4C_NONCE_SIZE, SlotOf(t, 130).nonce);
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kNonceReused, At(130))));
}

TEST_F(TamperTest, ASealsNonceUsedForAPageIsFound) {
  ChangeGroup(
      0, [](e4c_tag_block& t) { std::copy_n(SlotOf(t, 3).nonce, E4C_NONCE_SIZE, t.seal.nonce); });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kNonceReused, At(3))));
}

TEST_F(TamperTest, ATagBlockInAWrittenExtentIsFound) {
  SetExtents([](auto& extents) { Mapping(extents, E4C_TAG_LBLK + 1).unwritten = false; });
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTagExtentWritten, At(126))));
}

TEST_F(TamperTest, BlocksPastTheTagAreaAreFound) {
  SetExtents([this](auto& extents) {
    extents.push_back({.logical = E4C_TAG_LBLK_END, .physical = builder_->NewBlock(), .length = 1});
  });
  EXPECT_THAT(Inspect().findings, ElementsAre(HasReason(Reason::kReservedBlocksMapped)));
}

TEST_F(TamperTest, WrittenBlocksPastTheEndAreFound) {
  builder_->ChangeInode(file_.inode, [](ext2_inode_large& i) { i.i_size = At(290); });
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kWrittenPastEnd, At(290))));
}

}  // namespace
}  // namespace ext4crypt::volume
