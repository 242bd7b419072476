// SPDX-License-Identifier: Apache-2.0
// The written form of a recovery code: eight groups of five symbols, each with its check symbol.
//
// 160 random bits in Crockford's base 32 (no I, L, O, U). The fifth symbol of a group is a check
// over GF(32) that depends on the group's place, so that every single wrong symbol, every swap of
// neighbours in a group and every swap of two groups is told apart from a wrong code, and the
// person typing learns which group to look at.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

inline constexpr size_t kRecoverySecretSize = 20;
inline constexpr size_t kRecoveryGroups = 8;
inline constexpr size_t kRecoveryGroupSymbols = 5;

// `secret` is kRecoverySecretSize bytes. The result is text such as "7XK2P-...".
[[nodiscard]] SecretBuffer FormatRecoveryCode(const SecretBuffer& secret);

// Accepts either case, spaces or hyphens anywhere, O for 0, I and L for 1. Error:
// kRecoveryCodeMistyped, with the number of the first doubtful group (or the length) as subject.
[[nodiscard]] absl::StatusOr<SecretBuffer> ParseRecoveryCode(absl::string_view typed);

}  // namespace ext4crypt
