// SPDX-License-Identifier: Apache-2.0
// An image with an authenticated directory and files in it, and what a survey finds there.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/volume/image_builder.h"
#include "volume/ext4/block_source.h"
#include "volume/verify/volume_survey.h"

namespace ext4crypt::volume {

struct Surveyed {
  std::vector<Finding> findings;
  SurveyTotals totals;

  [[nodiscard]] std::vector<Reason> reasons() const {
    std::vector<Reason> out;
    for (const Finding& f : findings) out.push_back(f.reason);
    return out;
  }
};

inline void PrintTo(const Finding& f, std::ostream* out) {
  *out << ReasonName(f.reason) << " " << f.path << " " << f.first_byte << "+" << f.byte_count
       << " (" << f.detail << ")";
}

// A finding with this reason, at this byte (0 for a finding about the whole inode).
MATCHER_P2(Is, reason, first_byte, "") {
  return arg.reason == reason && arg.first_byte == static_cast<uint64_t>(first_byte);
}
MATCHER_P(HasReason, reason, "") { return arg.reason == reason; }

class SurveyTest : public testing::Test {
 protected:
  static constexpr uint64_t kPages = 300;  // groups 0, 1 and 2, and one node above them
  static constexpr uint64_t kHole = 10;
  static constexpr uint64_t kUnwritten = 20;

  SurveyTest() : path_(testing::TempDir() + "e4c-volume-" + std::to_string(::getpid()) + ".img") {
    keys_.Add(TestKey());
    builder_.emplace(path_);
    dir_context_ = builder_->NewContext(Aead());
    dir_ = builder_->AddDirectory(EXT2_ROOT_INO, "d", &dir_context_);
    std::vector<uint64_t> written;
    for (uint64_t page = 0; page < kPages; ++page) {
      if (page != kHole && page != kUnwritten) written.push_back(page);
    }
    file_ = builder_->AddFile(dir_, "file", NewContext(), kPages * kBlockSize - 100, written,
                              {kUnwritten});
    other_ = builder_->AddFile(dir_, "other", NewContext(), 3 * kBlockSize, {0, 1, 2});
  }
  ~SurveyTest() override { ::unlink(path_.c_str()); }

  [[nodiscard]] virtual uint8_t Aead() const { return E4C_AEAD_AES_256_GCM; }
  [[nodiscard]] Context NewContext() { return builder_->NewContext(Aead()); }

  Surveyed SurveyWith(const KeyRing& keys, unsigned threads = 1) {
    if (builder_.has_value()) {
      builder_->Close();
      builder_.reset();
    }
    Surveyed result;
    auto source = FileSource::Open(path_);
    EXPECT_TRUE(source.ok());
    auto image = Image::Open(*std::move(source));
    EXPECT_TRUE(image.ok()) << image.status();
    if (!image.ok()) return result;
    const SurveyOptions options = {.threads = threads, .on_finding = [&](const Finding& finding) {
                                     result.findings.push_back(finding);
                                   }};
    Survey survey(**image, keys, options);
    survey.Run();
    result.totals = survey.totals();
    return result;
  }
  Surveyed Verify() { return SurveyWith(keys_); }
  Surveyed Inspect() { return SurveyWith(KeyRing()); }

  std::string path_;
  KeyRing keys_;
  std::optional<ImageBuilder> builder_;
  Context dir_context_;
  uint32_t dir_ = 0;
  BuiltFile file_;
  BuiltFile other_;
};

}  // namespace ext4crypt::volume
