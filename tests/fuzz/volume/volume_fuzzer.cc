// SPDX-License-Identifier: Apache-2.0
// libFuzzer over images: an input is a list of changes to an image that was written properly, so
// that each of them gets past the first checks. Blocks of zeros and of ciphertext are left alone.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "tests/volume/image_builder.h"
#include "volume/block_source.h"
#include "volume/extract.h"
#include "volume/survey.h"

namespace ext4crypt::volume {
namespace {

namespace fs = std::filesystem;

std::vector<uint8_t> BuildImage() {
  const std::string path = "/dev/shm/e4c-fuzz-" + std::to_string(::getpid());
  {
    ImageBuilder builder(path);
    const Context context = builder.NewContext();
    const uint32_t dir = builder.AddDirectory(EXT2_ROOT_INO, "d", &context);
    builder.AddFile(dir, "small", builder.NewContext(), 9000, {0, 2}, {1});
    builder.AddFile(dir, "sparse", builder.NewContext(), 5000000000,
                    {0, 125, 126, 127, 252, 253, 90000, 1200000}, {5, 7, 300});
    builder.AddSymlink(dir, "link", builder.NewContext(), "target");
    const Context chacha = builder.NewContext(E4C_AEAD_CHACHA20_POLY1305);
    const uint32_t other = builder.AddDirectory(dir, "c", &chacha);
    builder.AddFile(other, "f", builder.NewContext(E4C_AEAD_CHACHA20_POLY1305), 4096, {0});
    Context plain = builder.NewContext();
    plain.raw[0] = 2;
    plain.raw[5] = plain.raw[6] = 0;
    const uint32_t unauthenticated = builder.AddDirectory(EXT2_ROOT_INO, "x", &plain);
    builder.AddPlainFile(unauthenticated, "xts", &plain, "ciphertext");
    builder.AddPlainFile(EXT2_ROOT_INO, "plain", nullptr, "text");
    builder.Close();
  }
  std::ifstream in(path, std::ios::binary);
  std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(in)), {});
  ::unlink(path.c_str());
  return bytes;
}

// What is neither zeros nor looks like ciphertext. (Tag blocks are in part zero.)
std::vector<uint64_t> MetadataBlocks(const std::vector<uint8_t>& image) {
  std::vector<uint64_t> blocks;
  for (uint64_t at = 0; at + kBlockSize <= image.size(); at += kBlockSize) {
    const auto* begin = image.data() + at;
    const auto zeros = std::count(begin, begin + kBlockSize, 0);
    if (zeros != kBlockSize && zeros > 256) blocks.push_back(at);
  }
  return blocks;
}

class Harness {
 public:
  Harness() : image_(BuildImage()), blocks_(MetadataBlocks(image_)) { keys_.Add(TestKey()); }

  void Run(const uint8_t* data, size_t size) {
    if (size == 0) return;
    const bool extract = (data[0] & 15) == 0;
    std::vector<std::pair<uint64_t, uint8_t>> undo;
    // Four bytes that choose a place, one that says how many follow, and those.
    for (size_t at = 1; at + 5 < size;) {
      const uint64_t place = data[at] | static_cast<uint64_t>(data[at + 1]) << 8;
      const uint64_t block = blocks_[(data[at + 2] | data[at + 3] << 8) % blocks_.size()];
      const size_t length = std::min<size_t>(1 + data[at + 4] % 16, size - at - 5);
      for (size_t i = 0; i < length; ++i) {
        const uint64_t byte = block + (place + i) % kBlockSize;
        undo.emplace_back(byte, image_[byte]);
        image_[byte] = data[at + 5 + i];
      }
      at += 5 + length;
    }
    if (auto image = Image::Open(std::make_unique<MemorySource>(image_)); image.ok()) {
      if (extract) {
        ExtractAll(**image);
      } else {
        SurveyAll(**image);
      }
    }
    for (auto it = undo.rbegin(); it != undo.rend(); ++it) image_[it->first] = it->second;
  }

 private:
  void SurveyAll(const Image& image) const {
    const SurveyOptions options;
    Survey(image, keys_, options).Run();
    (void)FindPath(image, keys_, "/d/c/f");
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

  std::vector<uint8_t> image_;
  std::vector<uint64_t> blocks_;
  KeyRing keys_;
};

}  // namespace
}  // namespace ext4crypt::volume

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const harness = new ext4crypt::volume::Harness();
  harness->Run(data, size);
  return 0;
}
