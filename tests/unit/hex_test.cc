// SPDX-License-Identifier: Apache-2.0
#include "common/hex.h"

#include <gtest/gtest.h>

namespace ext4crypt {
namespace {

TEST(HexTest, EveryByteComesBack) {
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<uint8_t>(i));
  EXPECT_EQ(ToHex(bytes).substr(0, 6), "000102");
  EXPECT_EQ(FromHex(ToHex(bytes)), bytes);
  EXPECT_EQ(FromHex("AbCd"), (std::vector<uint8_t>{0xab, 0xcd}));
}

TEST(HexTest, OddLengthAndOtherCharactersAreRefused) {
  EXPECT_FALSE(FromHex("abc").has_value());
  EXPECT_FALSE(FromHex("0g").has_value());
  EXPECT_FALSE(FromHex("0x").has_value());
}

}  // namespace
}  // namespace ext4crypt
