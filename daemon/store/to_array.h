// SPDX-License-Identifier: Apache-2.0
// A blob of the store's as what it must be.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/error.h"

namespace ext4crypt {

template <size_t N>
absl::StatusOr<std::array<uint8_t, N>> ToArray(const std::vector<uint8_t>& blob) {
  std::array<uint8_t, N> out;
  if (blob.size() != N) {
    return Error(ErrorReason::kStoreCorrupt, "a stored value has an impossible length");
  }
  std::copy(blob.begin(), blob.end(), out.begin());
  return out;
}

}  // namespace ext4crypt
