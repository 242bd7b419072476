// SPDX-License-Identifier: Apache-2.0
// Form TAIL: what is taken, and each part of the last block changed.
#include "tests/volume/survey_fixture.h"

namespace ext4crypt::volume {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t Byte(uint64_t page) { return page * kBlockSize; }
constexpr uint32_t kText = 1000;

class TailTest : public SurveyTest {
 protected:
  BuiltFile AddTail(uint32_t pages, uint32_t text_bytes) {
    std::vector<uint64_t> all;
    for (uint64_t page = 0; page < pages; ++page) all.push_back(page);
    FileShape shape;
    shape.tail = true;
    shape.text_bytes = text_bytes;
    return builder_->AddFile(dir_, "tail" + std::to_string(pages), NewContext(),
                             Byte(pages - 1) + text_bytes, all, {}, shape);
  }
  void Flip(const BuiltFile& file, uint64_t page, size_t at) {
    Block data = builder_->ReadBlock(file.pages.at(page));
    data[at] ^= 1;
    builder_->WriteBlock(file.pages.at(page), data);
  }
  // Of two pages: bytes 4000 and 4032 are their slots, 4064 is the seal.
  Surveyed VerifyWithFlipped(uint64_t page, size_t at) {
    Flip(AddTail(2, kText), page, at);
    return Verify();
  }
};

TEST_F(TailTest, OneToThirtyTwoPagesAreRead) {
  AddTail(1, 1);
  AddTail(2, kText);
  AddTail(32, kBlockSize - 32 * 33);  // as much text as there is room for
  const Surveyed result = Verify();
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(result.totals.counts.pages_authentic, kPages - 2 + 3 + 1 + 2 + 32);
  EXPECT_EQ(result.totals.counts.groups_authentic, 4u + 3u);
}

TEST_F(TailTest, TheStructureIsSeenWithoutAKey) {
  AddTail(2, kText);
  const Surveyed result = Inspect();
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(result.totals.counts.pages_unchecked, kPages - 2 + 3 + 2);
}

TEST_F(TailTest, ThirtyThreePagesAreRefused) {
  std::vector<uint64_t> pages;
  for (uint64_t page = 0; page < 33; ++page) pages.push_back(page);
  FileShape shape;
  shape.tail = true;
  shape.text_bytes = kText;
  builder_->AddFile(dir_, "long", NewContext(), Byte(33), pages, {}, shape);
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTailMalformed, 0)));
}

TEST_F(TailTest, TextThatReachesIntoTheSlotsIsRefused) {
  AddTail(2, kBlockSize - 32 * 3 + 1);
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kTailMalformed, 0)));
}

TEST_F(TailTest, AnEmptyFileHasNoTail) {
  const BuiltFile file = AddTail(1, kText);
  builder_->SetSize(file.inode, 0);
  EXPECT_THAT(Verify().findings,
              ElementsAre(Is(Reason::kTailMalformed, 0), Is(Reason::kWrittenPastEnd, 0)));
}

TEST_F(TailTest, EachPageHasToBeWritten) {
  const BuiltFile file = AddTail(2, kText);
  builder_->SetExtents(file.inode, {{.logical = 1, .physical = file.pages.at(1), .length = 1}});
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kTailMalformed, 0)));
}

TEST_F(TailTest, APageWrittenPastTheLastIsNotAuthentic) {
  const BuiltFile file = AddTail(2, kText);
  std::vector<Extent> extents = builder_->ExtentsOf(file);
  extents.push_back({.logical = 5, .physical = builder_->NewBlock(), .length = 1});
  builder_->SetExtents(file.inode, extents);
  EXPECT_THAT(Verify().findings, ElementsAre(Is(Reason::kWrittenWithoutSlot, Byte(5)),
                                             Is(Reason::kWrittenPastEnd, Byte(5))));
}

TEST_F(TailTest, TagBlocksOfSuchAFileMeanNothing) {
  const BuiltFile file = AddTail(2, kText);
  std::vector<Extent> extents = builder_->ExtentsOf(file);
  extents.push_back(
      {.logical = E4C_TAG_LBLK, .physical = builder_->NewBlock(), .length = 1, .unwritten = true});
  builder_->SetExtents(file.inode, extents);
  EXPECT_THAT(Verify().findings, IsEmpty());
}

TEST_F(TailTest, BytesBetweenTheTextAndTheSlotsMeanNothing) {
  EXPECT_THAT(VerifyWithFlipped(1, kText).findings, IsEmpty());
}

TEST_F(TailTest, AFlippedBitOfTheTextIsFound) {
  EXPECT_THAT(VerifyWithFlipped(1, kText - 1).findings,
              ElementsAre(Is(Reason::kPageNotAuthentic, Byte(1))));
}

TEST_F(TailTest, AFlippedBitOfAnotherPageIsFound) {
  EXPECT_THAT(VerifyWithFlipped(0, 0).findings, ElementsAre(Is(Reason::kPageNotAuthentic, 0)));
}

TEST_F(TailTest, AFlippedBitOfASlotFailsPageAndSeal) {
  EXPECT_THAT(VerifyWithFlipped(1, 4000).findings,
              ElementsAre(Is(Reason::kPageNotAuthentic, 0), Is(Reason::kSealNotAuthentic, 0)));
}

TEST_F(TailTest, AFlippedBitOfTheSealFailsTheHead) {
  const Surveyed result = VerifyWithFlipped(1, 4064);
  EXPECT_THAT(result.findings, ElementsAre(Is(Reason::kHeadNotAuthentic, 0)));
  EXPECT_EQ(result.totals.counts.pages_failed, 2u);
}

TEST_F(TailTest, TheLastBlockOfAnotherFileFailsTheHead) {
  const BuiltFile file = AddTail(1, kText);
  const BuiltFile other = AddTail(2, kText);
  builder_->WriteBlock(file.pages.at(0), builder_->ReadBlock(other.pages.at(1)));
  EXPECT_THAT(Verify().reasons(), ElementsAre(Reason::kHeadNotAuthentic));
}

TEST_F(TailTest, AZeroedLastBlockHasNoSlots) {
  builder_->WriteBlock(AddTail(1, kText).pages.at(0), Block{});
  EXPECT_THAT(Inspect().reasons(), ElementsAre(Reason::kTailMalformed));
}

TEST_F(TailTest, ANonceUsedTwiceIsFound) {
  const BuiltFile file = AddTail(2, kText);
  Block data = builder_->ReadBlock(file.pages.at(1));
  std::copy_n(data.begin() + 4000 + 16, E4C_NONCE_SIZE, data.begin() + 4032 + 16);
  builder_->WriteBlock(file.pages.at(1), data);
  EXPECT_THAT(Inspect().findings, ElementsAre(Is(Reason::kNonceReused, Byte(1))));
}

}  // namespace
}  // namespace ext4crypt::volume
