// SPDX-License-Identifier: Apache-2.0
#include "common/recovery_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "common/error.h"

namespace ext4crypt {
namespace {

std::string Sample() {
  SecretBuffer secret(kRecoverySecretSize);
  for (size_t i = 0; i < secret.size(); ++i) secret.data()[i] = static_cast<uint8_t>(37 * i + 11);
  return std::string(FormatRecoveryCode(secret).text());
}

bool IsMistyped(const std::string& code) {
  const auto parsed = ParseRecoveryCode(code);
  return !parsed.ok() && ReasonOf(parsed.status()) == ErrorReason::kRecoveryCodeMistyped;
}

TEST(RecoveryCodeTest, ComesBackThroughSloppyTyping) {
  SecretBuffer secret(kRecoverySecretSize);
  for (size_t i = 0; i < secret.size(); ++i) secret.data()[i] = static_cast<uint8_t>(255 - 9 * i);
  std::string code(FormatRecoveryCode(secret).text());
  EXPECT_EQ(code.size(), 47U);
  auto parsed = ParseRecoveryCode(code);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(SecretsEqual(*parsed, secret));

  std::transform(code.begin(), code.end(), code.begin(), [](unsigned char c) {
    if (c == '0') return static_cast<int>('o');
    if (c == '1') return static_cast<int>('l');
    return c == '-' ? static_cast<int>(' ') : std::tolower(c);
  });
  parsed = ParseRecoveryCode(code);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(SecretsEqual(*parsed, secret));
}

TEST(RecoveryCodeTest, EverySingleWrongSymbolIsATypo) {
  const std::string code = Sample();
  for (size_t i = 0; i < code.size(); ++i) {
    if (code[i] == '-') continue;
    for (const char c : std::string("0123456789ABCDEFGHJKMNPQRSTVWXYZ")) {
      if (c == code[i]) continue;
      std::string typo = code;
      typo[i] = c;
      EXPECT_TRUE(IsMistyped(typo)) << typo;
      EXPECT_EQ(InfoOf(ParseRecoveryCode(typo).status()).subject,
                "group " + std::to_string(i / 6 + 1));
    }
  }
}

TEST(RecoveryCodeTest, EverySwapOfNeighboursIsATypo) {
  const std::string code = Sample();
  for (size_t i = 0; i + 1 < code.size(); ++i) {
    if (code[i] == code[i + 1] || code[i] == '-' || code[i + 1] == '-') continue;
    std::string typo = code;
    std::swap(typo[i], typo[i + 1]);
    EXPECT_TRUE(IsMistyped(typo)) << typo;
  }
}

TEST(RecoveryCodeTest, SwappedGroupsAreATypo) {
  const std::string code = Sample();
  for (size_t a = 0; a < kRecoveryGroups; ++a) {
    for (size_t b = a + 1; b < kRecoveryGroups; ++b) {
      std::string typo = code;
      for (size_t i = 0; i < kRecoveryGroupSymbols; ++i)
        std::swap(typo[a * 6 + i], typo[b * 6 + i]);
      EXPECT_TRUE(IsMistyped(typo)) << typo;
    }
  }
}

TEST(RecoveryCodeTest, WrongLengthAndForeignCharactersAreTypos) {
  const std::string code = Sample();
  EXPECT_TRUE(IsMistyped(""));
  EXPECT_TRUE(IsMistyped(code.substr(0, code.size() - 1)));
  EXPECT_TRUE(IsMistyped(code + "0"));
  EXPECT_TRUE(IsMistyped("U" + code.substr(1)));
  EXPECT_TRUE(IsMistyped("\xc3\xa9" + code.substr(1)));
}

}  // namespace
}  // namespace ext4crypt
