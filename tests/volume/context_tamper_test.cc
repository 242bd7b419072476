// SPDX-License-Identifier: Apache-2.0
// Contexts: each byte of them, and policies that do not fit the directory.
#include "tests/volume/survey_fixture.h"

namespace ext4crypt::volume {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::SizeIs;

class ContextTamperTest : public SurveyTest {};

class EachContextByteTest : public SurveyTest, public testing::WithParamInterface<size_t> {};
INSTANTIATE_TEST_SUITE_P(, EachContextByteTest, testing::Range(size_t{0}, size_t{40}));

TEST_P(EachContextByteTest, Counts) {
  Context context = file_.context;
  context.raw[GetParam()] ^= 1;
  builder_->SetContext(file_.inode, context.raw);
  const Surveyed result = Verify();
  EXPECT_GT(result.totals.authentication_findings, 0u);
  EXPECT_EQ(result.totals.counts.pages_authentic, 3u) << "only those of the other file";
}

TEST_F(ContextTamperTest, AnotherAllowedValueEverywhereFailsEachPage) {
  // The same change in the directory and in its files: no mismatch to see, the page key differs.
  for (const uint32_t inode : {dir_, file_.inode, other_.inode}) {
    Context context = inode == dir_          ? dir_context_
                      : inode == file_.inode ? file_.context
                                             : other_.context;
    context.raw[3] = 1;
    builder_->SetContext(inode, context.raw);
  }
  const Surveyed result = Verify();
  EXPECT_EQ(result.totals.counts.pages_authentic, 0u);
  EXPECT_EQ(result.totals.counts.groups_authentic, 0u);
}

TEST_F(ContextTamperTest, ADowngradedFileIsSeenWithoutAKey) {
  Context context = file_.context;
  context.raw[0] = 2;
  context.raw[5] = context.raw[6] = 0;
  builder_->SetAttribute(file_.inode, context.raw);
  EXPECT_THAT(Inspect().reasons(), testing::ElementsAre(Reason::kDowngraded, Reason::kDowngraded))
      << "once for the directory's policy, once for the tag blocks";
}

TEST_F(ContextTamperTest, ADowngradedDirectoryIsSeenWithoutAKey) {
  Context context = dir_context_;
  context.raw[0] = 2;
  context.raw[5] = context.raw[6] = 0;
  builder_->SetAttribute(dir_, context.raw);
  EXPECT_THAT(Inspect().reasons(), testing::ElementsAre(Reason::kDowngraded, Reason::kDowngraded));
}

TEST_F(ContextTamperTest, AFileFromAnotherKeysDirectoryIsAMismatch) {
  Context context = NewContext();
  context.raw[8] ^= 1;
  const uint32_t elsewhere = builder_->AddDirectory(EXT2_ROOT_INO, "e", &context);
  builder_->Link(elsewhere, "stolen", file_.inode, EXT2_FT_REG_FILE);
  EXPECT_THAT(Inspect().reasons(), testing::ElementsAre(Reason::kPolicyMismatch));
}

TEST_F(ContextTamperTest, APlainFileInAnEncryptedDirectoryIsFound) {
  builder_->AddPlainFile(dir_, "plain", nullptr, "put there by somebody");
  EXPECT_THAT(Inspect().reasons(), testing::ElementsAre(Reason::kNotEncrypted));
}

TEST_F(ContextTamperTest, AContextTakenAwayIsFound) {
  builder_->ChangeInode(file_.inode, [](ext2_inode_large& i) {
    std::memset(reinterpret_cast<uint8_t*>(&i) + 128 + i.i_extra_isize, 0, 8);
  });
  EXPECT_THAT(Inspect().reasons(), Contains(Reason::kContextMissing));
}

TEST_F(ContextTamperTest, AnEncryptFlagTakenAwayIsFound) {
  builder_->ChangeInode(file_.inode, [](ext2_inode_large& i) {
    i.i_flags &= ~static_cast<uint32_t>(EXT4_ENCRYPT_FL);
  });
  const auto reasons = Inspect().reasons();
  EXPECT_THAT(reasons, Contains(Reason::kNotEncrypted));
  EXPECT_THAT(reasons, Contains(Reason::kContextMalformed));
}

TEST_F(ContextTamperTest, FormatOneIsRefusedInOneSentence) {
  Context context = file_.context;
  context.raw[6] = 1;
  builder_->SetAttribute(file_.inode, context.raw);  // 40 bytes, as it was
  const Surveyed result = Inspect();
  ASSERT_THAT(result.reasons(), testing::ElementsAre(Reason::kContextUnsupported));
  EXPECT_THAT(result.findings[0].detail, testing::HasSubstr("format revision 1"));
}

TEST_F(ContextTamperTest, AnAttributeOfTheSameNameElsewhereIsNoContext) {
  // Index 1 is "user.": everybody may write it.
  builder_->AddXattr(file_.inode, kXattrIndexUser, "c", std::vector<uint8_t>(8));
  EXPECT_THAT(Verify().findings, IsEmpty());
}

TEST_F(ContextTamperTest, PerUserDirectoriesAreThoseMarkedWithOne) {
  const uint32_t marked = builder_->AddDirectory(EXT2_ROOT_INO, "homes", nullptr);
  const uint32_t otherwise = builder_->AddDirectory(EXT2_ROOT_INO, "tmp", nullptr);
  builder_->AddXattr(marked, kXattrIndexEncryption, "u", std::vector<uint8_t>{1});
  builder_->AddXattr(otherwise, kXattrIndexEncryption, "u", std::vector<uint8_t>{2});
  EXPECT_THAT(Inspect().totals.per_user_paths, testing::ElementsAre("/homes"));
}

TEST_F(ContextTamperTest, WithoutTheKeyTheStructureIsCheckedAndTheKeyNamedOnce) {
  KeyRing others;
  others.Add(MasterKey::FromRaw(std::vector<uint8_t>(kMasterKeySize, 9)).value());
  const Surveyed result = SurveyWith(others);
  EXPECT_THAT(result.reasons(), testing::ElementsAre(Reason::kKeyMissing));
  EXPECT_EQ(result.totals.counts.pages_unchecked, kPages - 2 + 3);
}

}  // namespace
}  // namespace ext4crypt::volume
