// SPDX-License-Identifier: Apache-2.0
// The worked example of docs/on-disk-format.md, byte by byte, against this implementation. (That
// the document says what the independent one computes is the test volume_example.)
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "common/hex.h"
#include "volume/format/file_keys.h"
#include "volume/format/macs.h"
#include "volume/format/names.h"
#include "volume/format/page_opener.h"

namespace ext4crypt::volume {
namespace {

using Bytes = std::vector<uint8_t>;

// "Name of the thing:" and the hexadecimal digits of the fenced block after it.
std::map<std::string, Bytes> Example() {
  std::ifstream file(E4C_SOURCE_DIR "/docs/on-disk-format.md");
  std::map<std::string, std::string> hex;
  std::string name;
  bool in_example = false;
  bool fenced = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) in_example = line.starts_with("## 9.");
    if (!in_example) continue;
    if (line == "```") {
      fenced = !fenced;
    } else if (fenced) {
      std::erase(line, ' ');
      hex[name] += line;
    } else if (line.ends_with(':')) {
      name = line.substr(0, line.size() - 1);
    }
  }
  std::map<std::string, Bytes> out;
  for (const auto& [key, digits] : hex) out[key] = FromHex(digits).value();
  return out;
}

class WorkedExampleTest : public testing::Test {
 protected:
  MasterKey Master() { return MasterKey::FromRaw(At("Master key")).value(); }
  const Bytes& At(const std::string& name) {
    if (!example_.contains(name)) throw std::runtime_error("not in the document: " + name);
    return example_[name];
  }
  Context ContextOf(const std::string& what) {
    return ParseContext(At("Context of " + what)).value();
  }
  FileKeys KeysOf(const std::string& what) { return Master().KeysOf(ContextOf(what)).value(); }
  e4c_slot Slot(const std::string& name) {
    e4c_slot slot = {};
    EXPECT_EQ(At(name).size(), sizeof(slot));
    std::memcpy(&slot, At(name).data(), sizeof(slot));
    return slot;
  }
  // The text of a page whose ciphertext is in the document as a whole.
  std::string Open(PageOpener& opener, uint64_t page, const e4c_slot& slot, Bytes block,
                   PageOpener::Place place = PageOpener::Place::kUsual) {
    block.resize(kBlockSize);
    Block text = {};
    EXPECT_TRUE(opener.OpenPage(page, slot, block, absl::MakeSpan(text), place));
    return {reinterpret_cast<const char*>(text.data())};
  }
  static Bytes BytesOf(absl::Span<const uint8_t> span) { return {span.begin(), span.end()}; }

  static constexpr char kText[] = "Authenticated page number one.\n";
  std::map<std::string, Bytes> example_ = Example();
};

TEST_F(WorkedExampleTest, HoldsOfTheSmallFile) {
  const Context context = ContextOf("the small file");
  const KeyIdentifier id = Master().identifier();
  EXPECT_EQ(BytesOf(id), At("Master key identifier"));
  EXPECT_EQ(context.identifier(), id);
  const SecretBuffer contents = Master().ContentsKey(context).value();
  EXPECT_EQ(BytesOf(contents.bytes()), At("Contents key of the small file"));
  const FileKeys keys = KeysOf("the small file");
  EXPECT_EQ(BytesOf(keys.page()), At("Page key of the small file"));
  EXPECT_EQ(BytesOf(keys.head()), At("Head key of the small file"));
  PageOpener opener = PageOpener::Create(context.aead(), keys.page()).value();
  e4c_tag_block block = {};
  block.seal = Slot("Seal of tag block 0 of the small file");
  block.slot[0] = Slot("Slot of page 0 of the small file");
  EXPECT_EQ(Open(opener, 0, block.slot[0], At("Ciphertext of page 0 of the small file")), kText);
  EXPECT_TRUE(opener.SealMatches(0, 0, block));
  const MacSubject subject = {.mode = 0100644, .number = 12, .context = &context};
  EXPECT_EQ(BytesOf(HeadMac(keys.head(), subject, 0x102, 31, block.seal, {}).value()),
            At("Head of the small file"));
  const FileKeys directory = KeysOf("the directory");
  EXPECT_EQ(BytesOf(directory.place()), At("Place key of the directory"));
  EXPECT_EQ(BytesOf(PlaceMac(directory.place(), subject, At("Name of the entry")).value()),
            At("Place of the small file"));
  Bytes attribute = At("Context of the small file");
  for (const char* part : {"Place of the small file", "Head of the small file"}) {
    attribute.insert(attribute.end(), At(part).begin(), At(part).end());
  }
  attribute.insert(attribute.end(), {2, 1, 0, 0});
  EXPECT_EQ(attribute, At("Attribute of the small file"));
}

TEST_F(WorkedExampleTest, HoldsOfTheDirectoryAndTheLink) {
  const Context directory = ContextOf("the directory");
  EXPECT_EQ(
      BytesOf(HeadMac(KeysOf("the directory").head(), {0040755, 11, &directory}, 0x100, 0, {}, {})
                  .value()),
      At("Head of the directory"));
  const SecretBuffer names = Master().NamesKey(directory).value();
  EXPECT_EQ(DecryptName(directory, names, At("Name of the entry")).value(), "file");
  const Context link = ContextOf("the link");
  const Bytes& target = At("Stored target of the link");
  EXPECT_EQ(target.size(), 34u);
  EXPECT_EQ(
      BytesOf(
          HeadMac(KeysOf("the link").head(), {0120777, 14, &link}, 0x100, 0, {}, target).value()),
      At("Head of the link"));
  EXPECT_EQ(
      DecryptName(link, Master().NamesKey(link).value(), SymlinkCiphertext(target).value()).value(),
      "file");
}

TEST_F(WorkedExampleTest, HoldsOfTheSparseFile) {
  const Context context = ContextOf("the sparse file");
  const FileKeys keys = KeysOf("the sparse file");
  PageOpener opener = PageOpener::Create(context.aead(), keys.page()).value();
  e4c_tag_block block = {};
  block.seal = Slot("Seal of tag block 1 of the sparse file");
  block.slot[0] = Slot("Slot of page 127 of the sparse file");
  EXPECT_EQ(Open(opener, 127, block.slot[0], At("Ciphertext of page 127 of the sparse file")),
            kText);
  EXPECT_TRUE(opener.SealMatches(0, 1, block));
  e4c_tag_block node = {};
  node.seal = Slot("Seal of the node of the sparse file");
  node.slot[1] = block.seal;
  EXPECT_TRUE(opener.SealMatches(1, 0, node));
  EXPECT_EQ(
      BytesOf(HeadMac(keys.head(), {0100644, 13, &context}, 0x106, 127 * 4096 + 31, node.seal, {})
                  .value()),
      At("Head of the sparse file"));
}

TEST_F(WorkedExampleTest, HoldsOfTheTailFile) {
  const Context context = ContextOf("the tail file");
  const FileKeys keys = KeysOf("the tail file");
  PageOpener opener = PageOpener::Create(context.aead(), keys.page()).value();
  std::array<e4c_slot, 3> end = {};
  const Bytes& last = At("Block of page 1 of the tail file, last 96 bytes");
  ASSERT_EQ(last.size(), sizeof(end));
  std::memcpy(end.data(), last.data(), sizeof(end));
  EXPECT_TRUE(opener.TailSealMatches(end[2], absl::MakeConstSpan(end).first(2)));
  EXPECT_EQ(Open(opener, 0, end[0], At("Ciphertext of page 0 of the tail file")), "Hello");
  EXPECT_EQ(Open(opener, 1, end[1], At("Block of page 1 of the tail file, first 31 bytes"),
                 PageOpener::Place::kTail),
            kText);
  EXPECT_EQ(
      BytesOf(HeadMac(keys.head(), {0100644, 15, &context}, 0x101, 4096 + 31, end[2], {}).value()),
      At("Head of the tail file"));
}

}  // namespace
}  // namespace ext4crypt::volume
