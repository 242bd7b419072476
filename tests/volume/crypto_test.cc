// SPDX-License-Identifier: Apache-2.0
// Keys, pages, seals and names against vectors of an independent implementation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/volume/known_answers.h"
#include "volume/format/file_keys.h"
#include "volume/format/macs.h"
#include "volume/format/names.h"
#include "volume/format/page_opener.h"

namespace ext4crypt::volume {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes BytesOf(const SecretBuffer& secret) { return {secret.bytes().begin(), secret.bytes().end()}; }

class CryptoTest : public testing::Test {
 protected:
  MasterKey Master() const { return MasterKey::FromRaw(answers_.at("master")).value(); }
  Context ContextNamed(const std::string& name) const {
    return ParseContext(answers_.at(name)).value();
  }
  PageOpener Opener(const std::string& word) const {
    const Context context = ContextNamed(word + ".context");
    return PageOpener::Create(context.aead(), Master().KeysOf(context).value().page()).value();
  }
  // A block of a volume that begins with these bytes.
  Bytes BlockWith(const std::string& name) const {
    Bytes block = answers_.at(name);
    block.resize(kBlockSize, 0x55);
    return block;
  }
  e4c_slot Slot(const std::string& name) const {
    e4c_slot slot = {};
    std::memcpy(&slot, answers_.at(name).data(), sizeof(slot));
    return slot;
  }
  KnownAnswers answers_;
};

TEST_F(CryptoTest, IdentifierIsFscrypts) {
  const KeyIdentifier id = Master().identifier();
  EXPECT_EQ(Bytes(id.begin(), id.end()), answers_.at("identifier"));
}

class AeadTest : public CryptoTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(, AeadTest, testing::Values("gcm", "chacha"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(AeadTest, KeysMatchTheReference) {
  const std::string word = GetParam();
  const Context context = ContextNamed(word + ".context");
  EXPECT_EQ(BytesOf(Master().ContentsKey(context).value()), answers_.at(word + ".contents_key"));
  const FileKeys keys = Master().KeysOf(context).value();
  EXPECT_EQ(Bytes(keys.page().begin(), keys.page().end()), answers_.at(word + ".page_key"));
  EXPECT_EQ(Bytes(keys.head().begin(), keys.head().end()), answers_.at(word + ".head_key"));
}

TEST_P(AeadTest, PagesOpen) {
  const std::string word = GetParam();
  PageOpener opener = Opener(word);
  for (const uint64_t page : {0u, 126u, 0x4FFFFFFFu}) {
    const std::string name = word + ".page." + std::to_string(page);
    Bytes expected = answers_.at(name + ".text");
    expected.resize(kBlockSize);  // zeros behind the text
    Block text = {};
    text.fill(7);
    ASSERT_TRUE(opener.OpenPage(page, Slot(name + ".slot"), BlockWith(name + ".ciphertext"),
                                absl::MakeSpan(text)));
    EXPECT_EQ(Bytes(text.begin(), text.end()), expected);
  }
}

TEST_P(AeadTest, EachBitOfASlotCounts) {
  const std::string name = std::string(GetParam()) + ".page.0";
  PageOpener opener = Opener(GetParam());
  for (size_t bit = 0; bit < 8 * sizeof(e4c_slot); ++bit) {
    e4c_slot slot = Slot(name + ".slot");
    reinterpret_cast<uint8_t*>(&slot)[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    Block text = {};
    EXPECT_FALSE(opener.OpenPage(0, slot, answers_.at(name + ".ciphertext"), absl::MakeSpan(text)));
  }
}

TEST_P(AeadTest, AForgedPageIsNotHandedOut) {
  const std::string name = std::string(GetParam()) + ".page.0";
  PageOpener opener = Opener(GetParam());
  Bytes ciphertext = answers_.at(name + ".ciphertext");
  ciphertext[4095] ^= 1;
  Block text = {};
  text.fill(7);
  EXPECT_FALSE(opener.OpenPage(0, Slot(name + ".slot"), ciphertext, absl::MakeSpan(text)));
  EXPECT_THAT(text, testing::Each(0));
}

TEST_P(AeadTest, APageOpensAtItsPlaceOnly) {
  const std::string name = std::string(GetParam()) + ".page.0";
  PageOpener opener = Opener(GetParam());
  Block text = {};
  EXPECT_FALSE(opener.OpenPage(1, Slot(name + ".slot"), answers_.at(name + ".ciphertext"),
                               absl::MakeSpan(text)));
}

TEST_P(AeadTest, EachByteOfATagBlockAndOfANodeIsSealed) {
  PageOpener opener = Opener(GetParam());
  const struct {
    unsigned level;
    uint32_t number;
  } blocks[] = {{0, 5}, {1, 83214}, {4, 0}};
  for (const auto& [level, number] : blocks) {
    e4c_tag_block block = {};
    const std::string name = absl::StrCat(GetParam(), ".block.", level, ".", number);
    std::memcpy(&block, answers_.at(name).data(), sizeof(block));
    EXPECT_TRUE(opener.SealMatches(level, number, block));
    EXPECT_FALSE(opener.SealMatches(level, number + 1, block));
    EXPECT_FALSE(opener.SealMatches(level + 1, number, block));
    for (size_t at = 0; at < sizeof(block); ++at) {
      reinterpret_cast<uint8_t*>(&block)[at] ^= 0x80;
      EXPECT_FALSE(opener.SealMatches(level, number, block)) << name << " byte " << at;
      reinterpret_cast<uint8_t*>(&block)[at] ^= 0x80;
    }
  }
}

TEST_P(AeadTest, TailsOpenAndEachByteOfTheirSlotsIsSealed) {
  PageOpener opener = Opener(GetParam());
  for (const size_t pages : {1, 32}) {
    const std::string name = absl::StrCat(GetParam(), ".tail.", pages);
    const Bytes& block = answers_.at(name + ".block");
    std::vector<e4c_slot> slots(pages + 1);
    std::memcpy(slots.data(), block.data() + block.size() - 32 * slots.size(), 32 * slots.size());
    const e4c_slot seal = slots.back();
    slots.pop_back();
    EXPECT_TRUE(opener.TailSealMatches(seal, slots));
    Bytes expected = answers_.at(name + ".text");
    expected.resize(kBlockSize);
    Block text = {};
    EXPECT_TRUE(opener.OpenPage(pages - 1, slots.back(), block, absl::MakeSpan(text),
                                PageOpener::Place::kTail));
    EXPECT_EQ(Bytes(text.begin(), text.end()), expected);
    EXPECT_FALSE(opener.OpenPage(pages - 1, slots.back(), block, absl::MakeSpan(text)))
        << "as the page of a tree";
    for (size_t at = 0; at < 32 * pages; ++at) {
      reinterpret_cast<uint8_t*>(slots.data())[at] ^= 1;
      EXPECT_FALSE(opener.TailSealMatches(seal, slots)) << name << " byte " << at;
      reinterpret_cast<uint8_t*>(slots.data())[at] ^= 1;
    }
  }
}

TEST_P(AeadTest, HeadsAndPlacesMatchTheReference) {
  const std::string word = GetParam();
  const Context context = ContextNamed(word + ".context");
  const FileKeys keys = Master().KeysOf(context).value();
  const auto bytes = [](const Mac& mac) { return Bytes(mac.begin(), mac.end()); };
  const auto subject = [&](uint16_t mode) {
    return MacSubject{.mode = mode, .number = 1234, .context = &context};
  };
  const e4c_slot top = Slot(word + ".head.top");
  EXPECT_EQ(bytes(HeadMac(keys.head(), subject(0100644), 2 | 3 << 2 | 0x20 | 9 << 8, 0x4FFFFFFFFFF,
                          top, {})
                      .value()),
            answers_.at(word + ".head.file"));
  EXPECT_EQ(bytes(HeadMac(keys.head(), subject(0040700), 9 << 8, 0, {}, {}).value()),
            answers_.at(word + ".head.directory"));
  EXPECT_EQ(bytes(HeadMac(keys.head(), subject(0120777), 9 << 8, 0, {},
                          answers_.at(word + ".head.target"))
                      .value()),
            answers_.at(word + ".head.link"));
  const Bytes& name = answers_.at(word + ".place.name");
  const Context other = ContextNamed(word + ".place.context");
  EXPECT_EQ(bytes(PlaceMac(keys.place(), {0100600, 1235, &other}, name).value()),
            answers_.at(word + ".place.file"));
  EXPECT_EQ(bytes(PlaceMac(keys.place(), {0010644, 1235, nullptr}, name).value()),
            answers_.at(word + ".place.fifo"));
}

TEST_P(AeadTest, EachByteOfTheContextChangesBothKeys) {
  const Context context = ContextNamed(std::string(GetParam()) + ".context");
  const FileKeys keys = Master().KeysOf(context).value();
  for (size_t at = 0; at < context.raw.size(); ++at) {
    Context other = context;
    other.raw[at] ^= 1;
    const FileKeys others = Master().KeysOf(other).value();
    EXPECT_NE(others.page(), keys.page()) << "byte " << at;
    EXPECT_NE(others.head(), keys.head()) << "byte " << at;
  }
}

struct NamesCase {
  const char* mode;
  int flags;
};

void PrintTo(const NamesCase& c, std::ostream* out) { *out << c.mode << c.flags; }

class NamesTest : public CryptoTest, public testing::WithParamInterface<NamesCase> {};
INSTANTIATE_TEST_SUITE_P(, NamesTest,
                         testing::Values(NamesCase{"cts", 0}, NamesCase{"cts", 3},
                                         NamesCase{"hctr2", 0}, NamesCase{"hctr2", 3}),
                         [](const auto& param) {
                           return std::string(param.param.mode) + std::to_string(param.param.flags);
                         });

TEST_P(NamesTest, Decrypt) {
  const std::string prefix =
      std::string(GetParam().mode) + "." + std::to_string(GetParam().flags) + ".";
  const Context context = ContextNamed(prefix + "context");
  const SecretBuffer key = Master().NamesKey(context).value();
  for (int i = 0; i < 8; ++i) {
    const std::string name = prefix + "name." + std::to_string(i);
    EXPECT_EQ(DecryptName(context, key, answers_.at(name + ".cipher")).value(),
              answers_.text(name + ".plain"));
  }
}

TEST_P(NamesTest, PaddingThatIsNotZeroIsMalformed) {
  const std::string prefix =
      std::string(GetParam().mode) + "." + std::to_string(GetParam().flags) + ".";
  const Context context = ContextNamed(prefix + "context");
  const SecretBuffer key = Master().NamesKey(context).value();
  const auto name = DecryptName(context, key, answers_.at(prefix + "zero_inside.cipher"));
  EXPECT_EQ(ReasonOf(name.status()), Reason::kNameMalformed);
}

TEST_F(CryptoTest, NoKeyNamesAreTheKernels) {
  for (const char* size : {"16", "149", "150", "255"}) {
    const std::string name = std::string("nokey.") + size;
    EXPECT_EQ(NoKeyName(0x12345678, 0x9ABCDEF0, answers_.at(name + ".cipher")),
              answers_.text(name + ".name"));
  }
}

TEST_F(CryptoTest, ShortNamesAreRefused) {
  const Context context = ContextNamed("cts.0.context");
  const SecretBuffer key = Master().NamesKey(context).value();
  EXPECT_EQ(ReasonOf(DecryptName(context, key, Bytes(15)).status()), Reason::kNameMalformed);
}

TEST(ContextTest, EachValueOutsideTheTableIsRefused) {
  const KnownAnswers answers;
  const Bytes good = answers.at("gcm.context");
  ASSERT_TRUE(ParseContext(good).ok());
  const struct {
    size_t at;
    std::vector<uint8_t> allowed;
  } fields[] = {{0, {2, 0xA2}}, {1, {1}},    {2, {4, 10}}, {3, {0, 1, 2, 3}},
                {4, {0}},       {5, {1, 2}}, {6, {2}},     {7, {0}}};
  for (const auto& field : fields) {
    for (unsigned value = 0; value < 256; ++value) {
      Bytes bytes = good;
      bytes[field.at] = static_cast<uint8_t>(value);
      const bool allowed = testing::Matches(testing::Contains(value))(field.allowed);
      EXPECT_EQ(ReasonOf(ParseContext(bytes).status()),
                allowed ? Reason::kNone : Reason::kContextUnsupported)
          << "byte " << field.at << " value " << value;
    }
  }
}

TEST(ContextTest, AnotherSizeIsMalformed) {
  const KnownAnswers answers;
  Bytes bytes = answers.at("gcm.context");
  bytes.push_back(0);
  EXPECT_EQ(ReasonOf(ParseContext(bytes).status()), Reason::kContextMalformed);
  bytes.resize(39);
  EXPECT_EQ(ReasonOf(ParseContext(bytes).status()), Reason::kContextMalformed);
  EXPECT_EQ(ReasonOf(ParseContext({}).status()), Reason::kContextMalformed);
}

}  // namespace
}  // namespace ext4crypt::volume
