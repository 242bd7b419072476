// SPDX-License-Identifier: Apache-2.0
// The written form of a recovery code.
#include "common/recovery_code.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace ext4crypt {
namespace {

constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kDataSymbols = kRecoveryGroupSymbols - 1;
constexpr size_t kSymbols = kRecoveryGroups * kRecoveryGroupSymbols;
static_assert(kRecoveryGroups * kDataSymbols * 5 == kRecoverySecretSize * 8);

// Multiplication by x in GF(32) modulo x^5 + x^2 + 1, which is primitive: the powers used as
// weights below are distinct, which is what makes swaps of neighbours visible.
constexpr uint8_t TimesX(uint8_t value) {
  const auto doubled = static_cast<uint8_t>(value << 1);
  return (doubled & 0x20) != 0 ? static_cast<uint8_t>(doubled ^ 0x25) : doubled;
}

uint8_t CheckSymbol(const uint8_t* data, size_t group) {
  // The group's number enters as a constant: swapping two groups spoils both.
  auto check = static_cast<uint8_t>(group + 1);
  for (size_t i = 0; i < kDataSymbols; ++i) check = TimesX(check ^ data[i]);
  return check;
}

int SymbolValue(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (c == 'O') c = '0';
  if (c == 'I' || c == 'L') c = '1';
  const char* found = c == '\0' ? nullptr : std::strchr(kAlphabet, c);
  return found == nullptr ? -1 : static_cast<int>(found - kAlphabet);
}

// Reads or writes the 5 bits at symbol `index` of the secret, most significant bit first.
uint8_t GetSymbol(const SecretBuffer& secret, size_t index) {
  uint8_t value = 0;
  for (size_t bit = index * 5; bit < index * 5 + 5; ++bit) {
    value = static_cast<uint8_t>(value << 1 | (secret.data()[bit / 8] >> (7 - bit % 8) & 1));
  }
  return value;
}

void PutSymbol(SecretBuffer& secret, size_t index, uint8_t value) {
  for (size_t i = 0; i < 5; ++i) {
    const size_t bit = index * 5 + i;
    const int set = value >> (4 - i) & 1;
    secret.data()[bit / 8] = static_cast<uint8_t>(secret.data()[bit / 8] | set << (7 - bit % 8));
  }
}

absl::Status Mistyped(absl::string_view where) {
  return Error(ErrorReason::kRecoveryCodeMistyped, "the recovery code is mistyped", where);
}

}  // namespace

SecretBuffer FormatRecoveryCode(const SecretBuffer& secret) {
  SecretBuffer text(kSymbols + kRecoveryGroups - 1);
  size_t out = 0;
  for (size_t group = 0; group < kRecoveryGroups; ++group) {
    if (group > 0) text.data()[out++] = '-';
    std::array<uint8_t, kDataSymbols> data;
    for (size_t i = 0; i < kDataSymbols; ++i) {
      data[i] = GetSymbol(secret, group * kDataSymbols + i);
      text.data()[out++] = static_cast<uint8_t>(kAlphabet[data[i]]);
    }
    text.data()[out++] = static_cast<uint8_t>(kAlphabet[CheckSymbol(data.data(), group)]);
    WipeBytes(data.data(), data.size());
  }
  return text;
}

absl::StatusOr<SecretBuffer> ParseRecoveryCode(absl::string_view typed) {
  SecretBuffer symbols(kSymbols);
  size_t count = 0;
  for (const char c : typed) {
    if (c == ' ' || c == '-' || c == '\t') continue;
    const int value = SymbolValue(c);
    if (count == kSymbols) return Mistyped("length");
    if (value < 0) return Mistyped(absl::StrCat("group ", count / kRecoveryGroupSymbols + 1));
    symbols.data()[count++] = static_cast<uint8_t>(value);
  }
  if (count != kSymbols) return Mistyped("length");
  SecretBuffer secret(kRecoverySecretSize);
  for (size_t group = 0; group < kRecoveryGroups; ++group) {
    const uint8_t* data = symbols.data() + group * kRecoveryGroupSymbols;
    if (CheckSymbol(data, group) != data[kDataSymbols]) {
      return Mistyped(absl::StrCat("group ", group + 1));
    }
    for (size_t i = 0; i < kDataSymbols; ++i) PutSymbol(secret, group * kDataSymbols + i, data[i]);
  }
  return secret;
}

}  // namespace ext4crypt
