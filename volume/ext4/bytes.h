// SPDX-License-Identifier: Apache-2.0
// Little-endian fields of a byte buffer. The caller has checked the bounds.
#pragma once

#include <endian.h>

#include <cstdint>
#include <cstring>

#define E4C_U8 uint8_t
#define E4C_LE16 uint16_t
#define E4C_LE32 uint32_t
#define E4C_LE64 uint64_t
#include "ext4crypt/format.h"

namespace ext4crypt::volume {

[[nodiscard]] inline uint16_t Le16(const void* p) {
  uint16_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return le16toh(v);
}
[[nodiscard]] inline uint32_t Le32(const void* p) {
  uint32_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return le32toh(v);
}
[[nodiscard]] inline uint64_t Le64(const void* p) {
  uint64_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return le64toh(v);
}
// The journal is big-endian.
[[nodiscard]] inline uint16_t Be16(const void* p) { return __builtin_bswap16(Le16(p)); }
[[nodiscard]] inline uint32_t Be32(const void* p) { return __builtin_bswap32(Le32(p)); }
[[nodiscard]] inline uint64_t Be64(const void* p) { return __builtin_bswap64(Le64(p)); }

}  // namespace ext4crypt::volume
