// SPDX-License-Identifier: Apache-2.0
// Mutants as the kernel gets them (tests/tamper), verified and extracted in this process, so under
// the sanitizers: each ends, and each fault has its place. The long form is in tests/tamper.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/tamper/mutants/mutate.h"
#include "tests/volume/survey_fixture.h"
#include "volume/ext4/block_source.h"
#include "volume/extract/extract.h"

namespace ext4crypt::volume {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMutants = 40;

// Of the kinds that say where something is; a fault of the volume has no place in it.
bool HasItsPlace(const Finding& finding) {
  return finding.inode != 0 || !finding.path.empty() ||
         finding.reason == Reason::kSuperblockChecksum ||
         finding.reason == Reason::kVolumeTruncated;
}

class MutantsTest : public testing::Test {
 protected:
  MutantsTest()
      : path_(testing::TempDir() + "e4c-mutants-" + std::to_string(::getpid()) + ".img"),
        out_(path_ + ".out") {
    keys_.Add(TestKey());
    {
      // Small, and without checksums of metadata, which would only stand in the way.
      ImageBuilder builder(path_, "encrypt,^has_journal,^metadata_csum", "4M");
      const Context context = builder.NewContext();
      const uint32_t dir = builder.AddDirectory(EXT2_ROOT_INO, "d", &context);
      std::vector<uint64_t> pages;
      for (uint64_t page = 0; page < 140; page += 1 + page % 3) pages.push_back(page);
      builder.AddFile(dir, "several", builder.NewContext(), 140 * kBlockSize, pages, {2});
      builder.AddFile(dir, "sparse", builder.NewContext(), 5000000000, {0, 127, 1200000}, {5});
      builder.AddFile(dir, "small", builder.NewContext(), 100, {0});
      FileShape tail;
      tail.tail = true;
      tail.text_bytes = 1000;
      builder.AddFile(dir, "tail", builder.NewContext(), 2 * kBlockSize, {0, 1}, {}, tail);
      builder.AddSpecial(dir, "pipe", LINUX_S_IFIFO | 0640, 0, EXT2_FT_FIFO);
      builder.AddSymlink(dir, "link", builder.NewContext(), "target");
      builder.AddPlainFile(EXT2_ROOT_INO, "plain", nullptr, "text");
    }
    std::ifstream in(path_, std::ios::binary);
    base_.assign(std::istreambuf_iterator<char>(in), {});
    ::unlink(path_.c_str());
  }
  ~MutantsTest() override { fs::remove_all(out_); }

  // How many findings there were.
  uint64_t Look(
      std::vector<uint8_t>& bytes, uint64_t seed, const std::string& what,
      const std::function<absl::Status(const Image&, const std::function<void(const Finding&)>&)>&
          look) {
    uint64_t findings = 0;
    const auto image = Image::Open(std::make_unique<MemorySource>(bytes));
    if (!image.ok()) {
      EXPECT_FALSE(image.status().message().empty());
      EXPECT_NE(ReasonOf(image.status()), Reason::kInternal) << "mutant " << seed;
      return 1;
    }
    const absl::Status status = look(**image, [&](const Finding& finding) {
      ++findings;
      EXPECT_TRUE(HasItsPlace(finding))
          << "mutant " << seed << ", " << what << ": " << ReasonName(finding.reason);
    });
    if (!status.ok()) {
      EXPECT_NE(ReasonOf(status), Reason::kInternal) << "mutant " << seed << ": " << status;
      ++findings;
    }
    return findings;
  }

  std::string path_;
  std::string out_;
  std::vector<uint8_t> base_;
  KeyRing keys_;
};

TEST_F(MutantsTest, VerifyEndsAndNamesThePlaceOfEachFault) {
  uint64_t found = 0;
  for (uint64_t seed = 1; seed <= kMutants; ++seed) {
    std::vector<uint8_t> bytes = base_;
    (void)tamper::Mutate(bytes, seed);
    found += Look(bytes, seed, "verify", [&](const Image& image, const auto& on_finding) {
               Survey(image, keys_, {.threads = 1, .on_finding = on_finding}).Run();
               return absl::OkStatus();
             }) != 0;
  }
  EXPECT_GT(found, kMutants / 2) << "the mutants are not what they should be";
}

TEST_F(MutantsTest, ExtractEndsAndNamesThePlaceOfEachFault) {
  uint64_t found = 0;
  for (uint64_t seed = 1; seed <= kMutants; ++seed) {
    std::vector<uint8_t> bytes = base_;
    (void)tamper::Mutate(bytes, seed);
    found += Look(bytes, seed, "extract", [&](const Image& image, const auto& on_finding) {
               fs::remove_all(out_);
               ExtractTotals totals;
               ExtractOptions options;
               options.salvage = seed % 2 != 0;
               options.on_finding = on_finding;
               return Extract(image, keys_, "/", out_, options, totals);
             }) != 0;
  }
  EXPECT_GT(found, kMutants / 2) << "the mutants are not what they should be";
}

}  // namespace
}  // namespace ext4crypt::volume
