// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/volume/images.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "tests/volume/image_builder.h"
#include "volume/ext4/extents.h"

namespace ext4crypt::volume {
namespace {

constexpr uint32_t kJournalInode = 8;
constexpr uint32_t kMagic = 0xC03B3998;

std::vector<uint8_t> BytesOf(const std::string& path) {
  std::vector<uint8_t> bytes(std::filesystem::file_size(path));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

void Fill(ImageBuilder& builder) {
  const Context context = builder.NewContext();
  const uint32_t dir = builder.AddDirectory(EXT2_ROOT_INO, "d", &context);
  builder.AddFile(dir, "small", builder.NewContext(), 9000, {0, 2}, {1});
  builder.AddFile(dir, "sparse", builder.NewContext(), 5000000000,
                  {0, 125, 126, 127, 252, 253, 90000, 1200000}, {5, 7, 300});
  builder.AddSymlink(dir, "link", builder.NewContext(), "target");
  FileShape tail;
  tail.tail = true;
  tail.text_bytes = 1000;
  builder.AddFile(dir, "tail", builder.NewContext(), 2 * kBlockSize + 500, {0, 1, 2}, {}, tail);
  FileShape tall;
  tall.height = E4C_MAX_HEIGHT;
  builder.AddFile(dir, "tall", builder.NewContext(), uint64_t{E4C_MAX_PAGES} * kBlockSize,
                  {0, E4C_MAX_PAGES - 1}, {}, tall);
  builder.AddSpecial(dir, "pipe", LINUX_S_IFIFO | 0640, 0, EXT2_FT_FIFO);
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

// Writes what debugfs is to log: the blocks as they are, so that a change to one of them shows.
void LogBlocks(const std::string& path, bool checksums) {
  const auto image = Image::Open(*FileSource::Open(path)).value();
  const uint64_t inodes = ext2fs_inode_table_loc(image->fs(), 0);
  const uint64_t root =
      ReadExtents(*image, image->ReadInode(EXT2_ROOT_INO).value()).extents.front().physical;
  std::ofstream out(path + ".blocks", std::ios::binary);
  for (const uint64_t block : {inodes, inodes + 1, inodes + 2, root}) {
    Block data;
    if (!image->ReadBlocks(block, absl::MakeSpan(data)).ok()) throw std::runtime_error("read");
    out.write(reinterpret_cast<const char*>(data.data()), data.size());
  }
  out.close();
  const std::string list = absl::StrCat(inodes, "-", inodes + 2, ",", root);
  std::ofstream(path + ".commands")
      << "jo " << (checksums ? "-c -v 3" : "") << "\njw -b " << list << " " << path
      << ".blocks\njw -r " << inodes + 1 << "\njw -b " << list << " " << path << ".blocks\njc\n";
  const std::string command = absl::StrCat("PATH=$PATH:/usr/sbin:/sbin debugfs -w -f ", path,
                                           ".commands ", path, " >/dev/null 2>&1");
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
  ::unlink((path + ".blocks").c_str());
  ::unlink((path + ".commands").c_str());
}

void PutBe32(uint64_t at, uint32_t value, const std::function<void(uint64_t, uint8_t)>& set) {
  for (unsigned i = 0; i < 4; ++i) set(at + i, static_cast<uint8_t>(value >> (24 - 8 * i)));
}

}  // namespace

FuzzImage PlainImage() {
  const std::string path = "/dev/shm/e4c-fuzz-" + std::to_string(::getpid());
  {
    ImageBuilder builder(path);
    Fill(builder);
  }
  FuzzImage image = {.bytes = BytesOf(path)};
  ::unlink(path.c_str());
  image.blocks = MetadataBlocks(image.bytes);
  return image;
}

FuzzImage JournalImage(bool checksums) {
  const std::string path = "/dev/shm/e4c-fuzz-" + std::to_string(::getpid());
  {
    ImageBuilder builder(path,
                         checksums ? "encrypt,has_journal,64bit,metadata_csum"
                                   : "encrypt,has_journal,^64bit,^metadata_csum",
                         "16M -J size=4");
    Fill(builder);
  }
  FuzzImage image = {.checksums = checksums};
  {
    const auto opened = Image::Open(*FileSource::Open(path)).value();
    // The log is much shorter than the first of them.
    const auto extents = ReadExtents(*opened, opened->ReadInode(kJournalInode).value()).extents;
    image.journal = extents.front().physical * kBlockSize;
    image.journal_bytes = extents.front().length * uint64_t{kBlockSize};
  }
  LogBlocks(path, checksums);
  image.bytes = BytesOf(path);
  if (!Image::Open(*FileSource::Open(path)).value()->replayed().has_value()) {
    throw std::runtime_error("the journal has nothing to replay");
  }
  ::unlink(path.c_str());
  image.blocks = MetadataBlocks(image.bytes);
  // Half of the changes go to the journal's own records.
  std::vector<uint64_t> records;
  for (const uint64_t at : image.blocks) {
    if (Be32(&image.bytes[at]) == kMagic) records.push_back(at);
  }
  const size_t others = image.blocks.size();
  for (size_t i = 0; i < others; ++i) image.blocks.push_back(records[i % records.size()]);
  return image;
}

void RepairChecksums(const FuzzImage& image, const std::function<void(uint64_t, uint8_t)>& set) {
  const auto sum = [&image](uint32_t seed, uint64_t at, size_t size) {
    return ext2fs_crc32c_le(seed, &image.bytes[at], size);
  };
  const uint32_t seed = sum(~0u, image.journal + 0x30, 16);  // its UUID
  for (uint64_t at = image.journal; at < image.journal + image.journal_bytes; at += kBlockSize) {
    if (Be32(&image.bytes[at]) != kMagic) continue;
    const uint32_t type = Be32(&image.bytes[at + 4]);
    const uint64_t place = type == 1 || type == 5 ? kBlockSize - 4 : type == 2 ? 16 : 0xFC;
    PutBe32(at + place, 0, set);
    PutBe32(at + place, type >= 3 && type <= 4 ? sum(~0u, at, 1024) : sum(seed, at, kBlockSize),
            set);
  }
}

}  // namespace ext4crypt::volume
