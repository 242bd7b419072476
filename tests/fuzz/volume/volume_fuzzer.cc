// SPDX-License-Identifier: Apache-2.0
// libFuzzer over images: an input says which of them (without a journal, with an unreplayed one, or
// with one that has checksums) and is a list of changes to it. Blocks of zeros and of ciphertext
// are left alone.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>

#include "tests/fuzz/volume/images.h"
#include "tests/volume/image_builder.h"
#include "volume/ext4/block_source.h"
#include "volume/extract/extract.h"
#include "volume/map/block_map.h"
#include "volume/verify/volume_survey.h"

namespace ext4crypt::volume {
namespace {

namespace fs = std::filesystem;

class Harness {
 public:
  Harness() : images_{PlainImage(), JournalImage(false), JournalImage(true)} {
    keys_.Add(TestKey());
  }

  void Run(const uint8_t* data, size_t size) {
    if (size == 0) return;
    const bool extract = (data[0] & 15) == 0;
    FuzzImage& base = images_[(data[0] >> 4) % images_.size()];
    std::vector<std::pair<uint64_t, uint8_t>> undo;
    const auto set = [&](uint64_t byte, uint8_t value) {
      undo.emplace_back(byte, base.bytes[byte]);
      base.bytes[byte] = value;
    };
    // Four bytes that choose a place, one that says how many follow, and those.
    for (size_t at = 1; at + 5 < size;) {
      const uint64_t place = data[at] | static_cast<uint64_t>(data[at + 1]) << 8;
      const uint64_t block = base.blocks[(data[at + 2] | data[at + 3] << 8) % base.blocks.size()];
      const size_t length = std::min<size_t>(1 + data[at + 4] % 16, size - at - 5);
      for (size_t i = 0; i < length; ++i) set(block + (place + i) % kBlockSize, data[at + 5 + i]);
      at += 5 + length;
    }
    if (base.checksums) RepairChecksums(base, set);
    auto image = Image::Open(std::make_unique<MemorySource>(base.bytes));
    if (image.ok()) {
      if (extract) {
        ExtractAll(**image);
      } else {
        SurveyAll(**image);
      }
    }
    for (auto it = undo.rbegin(); it != undo.rend(); ++it) base.bytes[it->first] = it->second;
  }

 private:
  void SurveyAll(const Image& image) const {
    const SurveyOptions options;
    Survey(image, keys_, options).Run();
    (void)FindPath(image, keys_, "/d/c/f");
    (void)MapBlocks(image);
  }
  void ExtractAll(const Image& image) const {
    const std::string out = "/dev/shm/e4c-fuzz-out-" + std::to_string(::getpid());
    ExtractTotals totals;
    ExtractOptions options;
    options.salvage = true;
    (void)Extract(image, keys_, "/", out, options, totals);
    std::error_code error;
    fs::remove_all(out, error);
  }

  std::array<FuzzImage, 3> images_;
  KeyRing keys_;
};

}  // namespace
}  // namespace ext4crypt::volume

static ext4crypt::volume::Harness& TheHarness() {
  static auto* const harness = new ext4crypt::volume::Harness();
  return *harness;
}

// Makes the images, which takes longer than any input may.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  TheHarness();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  TheHarness().Run(data, size);
  return 0;
}
