// SPDX-License-Identifier: Apache-2.0
// Exported keys as bytes: what comes back, and what is refused.
#include "keys/bundle.h"

#include <gtest/gtest.h>

#include <functional>

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

Bundle SomeBundle() {
  KeyRecord first{.uid = 1000, .name = "default", .created_unix_s = -5};
  first.identifier.fill(9);
  first.protectors = {SomeProtector(ProtectorKind::kPassphrase, 1),
                      SomeProtector(ProtectorKind::kRecovery, 2)};
  KeyRecord second{.uid = 1000, .name = "work", .created_unix_s = 7};
  second.identifier.fill(8);
  second.protectors = {SomeProtector(ProtectorKind::kDefaultKey, 3)};
  return {.uid = 1000, .keys = {first, second}};
}

std::vector<uint8_t> EncodedBundle(const Bundle& bundle) { return *EncodeBundle(bundle); }
ErrorReason BundleRefusal(const std::vector<uint8_t>& bytes) {
  return ReasonOf(DecodeBundle(bytes).status());
}
// With the checksum that fits, as who writes such a file on purpose would.
std::vector<uint8_t> WithFittingSum(std::vector<uint8_t> bytes) {
  bytes.resize(bytes.size() - kChecksumSize);
  const auto sum = Checksum(bytes);
  bytes.insert(bytes.end(), sum.begin(), sum.end());
  return bytes;
}

TEST(BundleTest, ComesBackAsItWas) {
  const std::vector<uint8_t> bytes = EncodedBundle(SomeBundle());
  const auto bundle = DecodeBundle(bytes);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(bundle->uid, 1000U);
  ASSERT_EQ(bundle->keys.size(), 2U);
  EXPECT_EQ(bundle->keys[1].name, "work");
  EXPECT_EQ(bundle->keys[0].created_unix_s, -5);
  EXPECT_EQ(bundle->keys[0].protectors[1].parameters, (std::vector<uint8_t>{1, 2, 2}));
  EXPECT_EQ(EncodedBundle(*bundle), bytes);
}

TEST(BundleTest, EachFlippedBitAndEachMissingByteIsNoticed) {
  const std::vector<uint8_t> whole = EncodedBundle(SomeBundle());
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    std::vector<uint8_t> bytes = whole;
    bytes[i / 8] ^= static_cast<uint8_t>(1 << (i % 8));
    EXPECT_EQ(BundleRefusal(bytes), ErrorReason::kRecordUnusable) << "bit " << i;
  }
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> bytes(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_EQ(BundleRefusal(bytes), ErrorReason::kRecordUnusable) << size << " bytes";
  }
}

TEST(BundleTest, MadeToHurtIsRefusedThoughItsChecksumFits) {
  const std::vector<uint8_t> whole = EncodedBundle(SomeBundle());
  // Cut, with the numbers in front promising more; longer than they promise.
  for (size_t size = 8 + kChecksumSize; size < whole.size(); ++size) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_EQ(BundleRefusal(WithFittingSum(cut)), ErrorReason::kRecordUnusable) << size;
  }
  std::vector<uint8_t> longer = whole;
  longer.push_back(0);
  EXPECT_EQ(BundleRefusal(WithFittingSum(longer)), ErrorReason::kRecordUnusable);
  std::vector<uint8_t> later = whole;
  later[7] = 2;
  EXPECT_EQ(BundleRefusal(WithFittingSum(later)), ErrorReason::kStoreTooNew);

  const std::vector<std::function<void(Bundle&)>> wrongs = {
      [](Bundle& b) { b.keys.clear(); },
      [](Bundle& b) { std::swap(b.keys[0], b.keys[1]); },
      [](Bundle& b) { b.keys[1].name = "default"; },
      [](Bundle& b) { b.keys.push_back(b.keys[1]); },
      [](Bundle& b) { b.keys[0].protectors.clear(); },
      [](Bundle& b) {
        b.keys[0].protectors.assign(17, SomeProtector(ProtectorKind::kRecovery, 5));
      },
      [](Bundle& b) { b.keys[0].protectors.push_back(b.keys[0].protectors[0]); },
      [](Bundle& b) { b.keys[0].protectors[0].kind = ProtectorKind::kDefaultKey; },
      [](Bundle& b) { b.keys[1].protectors[0].kind = ProtectorKind::kPassphrase; },
      [](Bundle& b) { b.keys[1].protectors[0].kind = ProtectorKind::kShare; },
      [](Bundle& b) { b.keys[1].protectors[0].kind = static_cast<ProtectorKind>(0); },
      [](Bundle& b) { b.keys[1].protectors[0].parameters.assign(4097, 0); },
  };
  for (size_t i = 0; i < wrongs.size(); ++i) {
    Bundle bundle = SomeBundle();
    wrongs[i](bundle);
    EXPECT_EQ(BundleRefusal(EncodedBundle(bundle)), ErrorReason::kRecordUnusable) << "number " << i;
  }
}

TEST(BundleTest, TooManyKeysAreRefusedBeforeTheyAreWritten) {
  Bundle bundle = SomeBundle();
  bundle.keys[1].protectors[0].parameters.assign(4096, 0);
  bundle.keys.resize(9, bundle.keys[1]);
  EXPECT_EQ(ReasonOf(EncodeBundle(bundle).status()), ErrorReason::kTooManyKeys);
}

}  // namespace
}  // namespace ext4crypt
