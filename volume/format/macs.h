// SPDX-License-Identifier: Apache-2.0
// Heads and places: docs/on-disk-format.md sections 6 and 7.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "volume/ext4/bytes.h"
#include "volume/format/context.h"

namespace ext4crypt::volume {

using Mac = std::array<uint8_t, E4C_MAC_SIZE>;

// The inode that a head or a place is about.
struct MacSubject {
  uint16_t mode = 0;  // i_mode
  uint32_t number = 0;
  const Context* context = nullptr;  // nullptr: a special file
};

// `size` of a regular file, without the bias; else 0. `top` is the seal of the top block or of the
// tail, else zeros. `target`: what a symbolic link stores, else empty. `key`: the inode's head key.
[[nodiscard]] absl::StatusOr<Mac> HeadMac(absl::Span<const uint8_t> key, const MacSubject& subject,
                                          uint32_t state, uint64_t size, const e4c_slot& top,
                                          absl::Span<const uint8_t> target);
// `key`: the place key of the directory. `name`: as it stands in the entry.
[[nodiscard]] absl::StatusOr<Mac> PlaceMac(absl::Span<const uint8_t> key, const MacSubject& subject,
                                           absl::Span<const uint8_t> name);

}  // namespace ext4crypt::volume
