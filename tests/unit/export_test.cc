// SPDX-License-Identifier: Apache-2.0
// An export as bytes: it comes back, and damage is refused.
#include "keys/export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "common/error.h"
#include "keys/crypto/checksum.h"

namespace ext4crypt {
namespace {

ProtectorRecord SomeProtector(ProtectorKind kind, uint8_t mark) {
  ProtectorRecord record{.kind = kind, .parameters = {1, 2, mark}, .created_unix_s = 1'700'000'000};
  record.id.fill(mark);
  record.nonce.assign(24, mark);
  record.wrapped_key.assign(80, mark);
  return record;
}

Export SomeExport() {
  KeyRecord first{.uid = 1000, .name = "default", .created_unix_s = -5};
  first.identifier.fill(9);
  first.protectors = {SomeProtector(ProtectorKind::kPassphrase, 1),
                      SomeProtector(ProtectorKind::kRecovery, 2)};
  first.protectors[1].name = "in the safe";
  KeyRecord second{.uid = 1000, .name = "work", .created_unix_s = 7};
  second.identifier.fill(8);
  second.protectors = {SomeProtector(ProtectorKind::kDefaultKey, 3)};
  return {.uid = 1000, .keys = {first, second}};
}

std::vector<uint8_t> EncodedExport(const Export& exported) { return *EncodeExport(exported); }
ErrorReason ExportRefusal(const std::vector<uint8_t>& bytes) {
  return ReasonOf(DecodeExport(bytes).status());
}
// With the checksum that fits, as who writes such a file on purpose would.
std::vector<uint8_t> WithFittingSum(std::vector<uint8_t> bytes) {
  bytes.resize(bytes.size() - kChecksumSize);
  const auto sum = Checksum(bytes);
  bytes.insert(bytes.end(), sum.begin(), sum.end());
  return bytes;
}

TEST(ExportTest, ComesBackAsItWas) {
  const std::vector<uint8_t> bytes = EncodedExport(SomeExport());
  const auto exported = DecodeExport(bytes);
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_EQ(exported->uid, 1000U);
  ASSERT_EQ(exported->keys.size(), 2U);
  EXPECT_EQ(exported->keys[1].name, "work");
  EXPECT_EQ(exported->keys[0].created_unix_s, -5);
  EXPECT_EQ(exported->keys[0].protectors[1].parameters, (std::vector<uint8_t>{1, 2, 2}));
  EXPECT_EQ(exported->keys[0].protectors[1].name, "in the safe");
  EXPECT_EQ(EncodedExport(*exported), bytes);
}

TEST(ExportTest, KindOfALaterVersionIsRefusedByItsName) {
  std::vector<uint8_t> bytes = EncodedExport(SomeExport());
  const std::string known = "recovery";
  const auto at = std::search(bytes.begin(), bytes.end(), known.begin(), known.end());
  ASSERT_NE(at, bytes.end());
  const std::string later = "hologram";
  std::copy(later.begin(), later.end(), at);
  const absl::Status refused = DecodeExport(WithFittingSum(bytes)).status();
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kRecordUnusable);
  EXPECT_NE(std::string(refused.message()).find("\"hologram\""), std::string::npos) << refused;
}

// Written by hand, as version 1 was: one key, one protector, its kind a number.
TEST(ExportTest, VersionWithNumberedKindsIsRead) {
  const auto encoded = [](uint8_t kind) {
    std::vector<uint8_t> bytes = {'E', '4', 'C', 'K', 'E', 'Y', 'S', 1,   0xe8, 3,  0,
                                  0,   1,   7,   'd', 'e', 'f', 'a', 'u', 'l',  't'};
    bytes.insert(bytes.end(), 16 + 8, 0);  // identifier, time
    bytes.push_back(1);
    bytes.insert(bytes.end(), 16, 4);  // id
    bytes.push_back(kind);
    bytes.insert(bytes.end(), 8, 0);
    bytes.insert(bytes.end(), {2, 0, 5, 6});
    bytes.insert(bytes.end(), 24 + 80 + kChecksumSize, 7);
    return WithFittingSum(bytes);
  };
  const auto exported = DecodeExport(encoded(2));
  ASSERT_TRUE(exported.ok()) << exported.status();
  const ProtectorRecord& record = exported->keys[0].protectors[0];
  EXPECT_EQ(record.kind, ProtectorKind::kRecovery);
  EXPECT_EQ(record.parameters, (std::vector<uint8_t>{5, 6}));
  EXPECT_EQ(record.wrapped_key.size(), 80U);
  // What came later has no number there.
  for (const int kind : {0, 5, 6, 7, 255}) {
    EXPECT_EQ(ExportRefusal(encoded(static_cast<uint8_t>(kind))), ErrorReason::kRecordUnusable)
        << kind;
  }
}

TEST(ExportTest, EachFlippedBitAndEachMissingByteIsNoticed) {
  const std::vector<uint8_t> whole = EncodedExport(SomeExport());
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    std::vector<uint8_t> bytes = whole;
    bytes[i / 8] ^= static_cast<uint8_t>(1 << (i % 8));
    EXPECT_EQ(ExportRefusal(bytes), ErrorReason::kRecordUnusable) << "bit " << i;
  }
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> bytes(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_EQ(ExportRefusal(bytes), ErrorReason::kRecordUnusable) << size << " bytes";
  }
}

TEST(ExportTest, MadeToHurtIsRefusedThoughItsChecksumFits) {
  const std::vector<uint8_t> whole = EncodedExport(SomeExport());
  // Cut, with the numbers in front promising more; longer than they promise.
  for (size_t size = 8 + kChecksumSize; size < whole.size(); ++size) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_EQ(ExportRefusal(WithFittingSum(cut)), ErrorReason::kRecordUnusable) << size;
  }
  std::vector<uint8_t> longer = whole;
  longer.push_back(0);
  EXPECT_EQ(ExportRefusal(WithFittingSum(longer)), ErrorReason::kRecordUnusable);
  std::vector<uint8_t> later = whole;
  later[7] = 3;
  EXPECT_EQ(ExportRefusal(WithFittingSum(later)), ErrorReason::kStoreTooNew);

  const std::vector<std::function<void(Export&)>> wrongs = {
      [](Export& b) { b.keys.clear(); },
      [](Export& b) { std::swap(b.keys[0], b.keys[1]); },
      [](Export& b) { b.keys[1].name = "default"; },
      [](Export& b) { b.keys.push_back(b.keys[1]); },
      [](Export& b) { b.keys[0].protectors.clear(); },
      [](Export& b) {
        b.keys[0].protectors.assign(17, SomeProtector(ProtectorKind::kRecovery, 5));
      },
      [](Export& b) { b.keys[0].protectors.push_back(b.keys[0].protectors[0]); },
      [](Export& b) { b.keys[0].protectors[0].kind = ProtectorKind::kDefaultKey; },
      [](Export& b) { b.keys[1].protectors[0].kind = ProtectorKind::kPassphrase; },
      [](Export& b) { b.keys[1].protectors[0].kind = ProtectorKind::kShare; },
      [](Export& b) { b.keys[1].protectors[0].kind = static_cast<ProtectorKind>(0); },
      [](Export& b) { b.keys[0].protectors[0].name = "two\nlines"; },
      [](Export& b) { b.keys[0].protectors[0].name.assign(65, 'a'); },
      [](Export& b) { b.keys[1].protectors[0].parameters.assign(4097, 0); },
  };
  for (size_t i = 0; i < wrongs.size(); ++i) {
    Export exported = SomeExport();
    wrongs[i](exported);
    EXPECT_EQ(ExportRefusal(EncodedExport(exported)), ErrorReason::kRecordUnusable)
        << "number " << i;
  }
}

TEST(ExportTest, TooManyKeysAreRefusedBeforeTheyAreWritten) {
  Export exported = SomeExport();
  exported.keys[1].protectors[0].parameters.assign(4096, 0);
  exported.keys.resize(9, exported.keys[1]);
  EXPECT_EQ(ReasonOf(EncodeExport(exported).status()), ErrorReason::kTooManyKeys);
}

}  // namespace
}  // namespace ext4crypt
