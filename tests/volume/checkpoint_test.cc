// SPDX-License-Identifier: Apache-2.0
// An interrupted verification goes on where it was, and only for the volume as it was.
#include "volume/verify/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/volume/survey_fixture.h"

namespace ext4crypt::volume {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class CheckpointTest : public SurveyTest {
 protected:
  CheckpointTest() : state_(path_ + ".state") { fs::remove(state_); }
  ~CheckpointTest() override { fs::remove(state_); }

  std::unique_ptr<Image> OpenImage() {
    if (builder_.has_value()) builder_->Close();
    builder_.reset();
    return Image::Open(*FileSource::Open(path_)).value();
  }
  // A verification up to its end, but without the removal of the file.
  Surveyed Run() {
    const auto image = OpenImage();
    const auto checkpoint = Checkpoint::Open(state_, BindingOf(*image, path_, keys_)).value();
    Surveyed result;
    SurveyOptions options;
    options.checkpoint = checkpoint.get();
    options.on_finding = [&](const Finding& f) { result.findings.push_back(f); };
    Survey survey(*image, keys_, options);
    survey.Run();
    EXPECT_TRUE(checkpoint->status().ok());
    result.totals = survey.totals();
    return result;
  }
  Reason OpenReason() {
    const auto image = OpenImage();
    return ReasonOf(Checkpoint::Open(state_, BindingOf(*image, path_, keys_)).status());
  }
  void Damage(uint64_t block) {
    Block data = builder_->ReadBlock(block);
    data[0] ^= 1;
    builder_->WriteBlock(block, data);
  }
  // In a page, behind the back of the volume's own bookkeeping, without a trace in the file's
  // times.
  void ChangeUnseen(uint64_t block) {
    struct stat st = {};
    ASSERT_EQ(::stat(path_.c_str(), &st), 0);
    const UniqueFd fd(::open(path_.c_str(), O_RDWR));
    ASSERT_EQ(::pwrite(fd.get(), "XXXX", 4, static_cast<off_t>(block * kBlockSize)), 4);
    const timespec times[2] = {st.st_atim, st.st_mtim};
    ASSERT_EQ(::futimens(fd.get(), times), 0);
  }

  std::string state_;
};

TEST_F(CheckpointTest, WhatIsDoneIsNotReadAgainAndCountsAllTheSame) {
  const Surveyed first = Run();
  EXPECT_EQ(first.totals.counts.pages_failed, 0u);
  ChangeUnseen(other_.pages.at(1));
  const Surveyed second = Run();
  EXPECT_EQ(second.totals.counts.pages_authentic, first.totals.counts.pages_authentic);
  EXPECT_EQ(second.totals.counts.groups_authentic, first.totals.counts.groups_authentic);
  EXPECT_THAT(second.findings, testing::IsEmpty());
}

TEST_F(CheckpointTest, FindingsOfTheFirstRunAreInTheReportOfTheSecond) {
  Damage(file_.pages.at(5));
  EXPECT_THAT(Run().findings, ElementsAre(Is(Reason::kPageNotAuthentic, 5 * kBlockSize)));
  const Surveyed second = Run();
  EXPECT_THAT(second.findings, ElementsAre(Is(Reason::kPageNotAuthentic, 5 * kBlockSize)));
  EXPECT_EQ(second.findings[0].path, "/d/file");
  EXPECT_EQ(second.totals.authentication_findings, 1u);
}

TEST_F(CheckpointTest, ARecordCutByAKillIsDoneAgain) {
  Run();
  fs::resize_file(state_, fs::file_size(state_) - 3);
  ChangeUnseen(file_.pages.at(1));
  ChangeUnseen(other_.pages.at(1));
  // The first of the two files was whole in it.
  EXPECT_EQ(Run().totals.counts.pages_failed, 1u);
}

TEST_F(CheckpointTest, AChangedVolumeIsRefused) {
  Run();
  builder_.emplace(path_);  // makes the file system anew
  EXPECT_EQ(OpenReason(), Reason::kStateUnusable);
}

TEST_F(CheckpointTest, AnImageWrittenToIsRefused) {
  Run();
  ChangeUnseen(file_.pages.at(1));
  fs::last_write_time(path_, fs::file_time_type::clock::now() + std::chrono::seconds(2));
  EXPECT_EQ(OpenReason(), Reason::kStateUnusable);
}

TEST_F(CheckpointTest, OtherKeysAreRefused) {
  Run();
  keys_.Add(MasterKey::FromRaw(std::vector<uint8_t>(kMasterKeySize, 1)).value());
  EXPECT_EQ(OpenReason(), Reason::kStateUnusable);
}

TEST_F(CheckpointTest, AnotherFileIsNotTakenForOneNorOverwritten) {
  std::ofstream(state_) << "something of the user's\nand more\n";
  EXPECT_EQ(OpenReason(), Reason::kStateUnusable);
  EXPECT_EQ(fs::file_size(state_), 33u);
}

TEST_F(CheckpointTest, AFileThatOthersCanWriteIsRefused) {
  Run();
  fs::permissions(state_, fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(OpenReason(), Reason::kStateUnusable);
}

TEST_F(CheckpointTest, ASymbolicLinkIsRefused) {
  fs::create_symlink(path_, state_);
  EXPECT_EQ(OpenReason(), Reason::kStateUnusable);
}

TEST_F(CheckpointTest, PartsOfALargeFileAreKept) {
  const auto image = OpenImage();
  const std::string binding = BindingOf(*image, path_, keys_);
  ScanCounts counts;
  counts.pages_authentic = 7;
  Checkpoint::Open(state_, binding).value()->AddPart(12, 64, {counts, {}});
  const auto again = Checkpoint::Open(state_, binding).value();
  ASSERT_NE(again->PartOf(12, 64), nullptr);
  EXPECT_EQ(again->PartOf(12, 64)->counts.pages_authentic, 7u);
  EXPECT_EQ(again->PartOf(12, 0), nullptr);
  EXPECT_FALSE(again->IsDone(12));
}

TEST_F(CheckpointTest, TwoRunsAtOnceAreRefused) {
  const auto image = OpenImage();
  const std::string binding = BindingOf(*image, path_, keys_);
  const auto first = Checkpoint::Open(state_, binding);
  EXPECT_EQ(ReasonOf(Checkpoint::Open(state_, binding).status()), Reason::kStateUnusable);
}

}  // namespace
}  // namespace ext4crypt::volume
