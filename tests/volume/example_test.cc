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
    if (line.starts_with("## ")) in_example = line.starts_with("## 8.");
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

TEST(WorkedExampleTest, HoldsForThisImplementation) {
  std::map<std::string, Bytes> example = Example();
  const MasterKey master = MasterKey::FromRaw(example["Master key"]).value();
  const KeyIdentifier id = master.identifier();
  EXPECT_EQ(Bytes(id.begin(), id.end()), example["Master key identifier"]);
  const Context context = ParseContext(example["Context of the file"]).value();
  EXPECT_EQ(context.identifier(), id);
  const SecretBuffer contents = master.ContentsKey(context).value();
  EXPECT_EQ(Bytes(contents.bytes().begin(), contents.bytes().end()), example["Contents key"]);
  const SecretBuffer key = master.PageKey(context).value();
  EXPECT_EQ(Bytes(key.bytes().begin(), key.bytes().end()), example["Page key"]);

  PageOpener opener = PageOpener::Create(context.aead(), key).value();
  e4c_tag_block block = {};
  ASSERT_EQ(example["Seal of group 0"].size(), sizeof(block.seal));
  ASSERT_EQ(example["Slot of page 1"].size(), sizeof(block.seal));
  std::memcpy(&block.seal, example["Seal of group 0"].data(), sizeof(block.seal));
  std::memcpy(&block.slot[2], example["Slot of page 1"].data(), sizeof(block.seal));
  EXPECT_TRUE(opener.SealMatches(0, block));
  // The page's ciphertext is in the document in part; its tag in the slot is bound by the seal.
  block.slot[2].tag[0] ^= 1;
  EXPECT_FALSE(opener.SealMatches(0, block));
}

}  // namespace
}  // namespace ext4crypt::volume
