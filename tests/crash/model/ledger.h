// SPDX-License-Identifier: Apache-2.0
// The SQLite workload: which rows transaction n writes. Rows hold the number of the transaction
// that wrote them and bytes made of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../../vm/fsx/rng.h"

namespace crash {

inline constexpr uint64_t kRows = 200;

struct RowWrite {
  uint64_t row;
  uint64_t bytes;
};

[[nodiscard]] inline std::vector<RowWrite> RowsOf(uint64_t seed, uint64_t transaction) {
  fsx::Rng rng(seed * 7919 + transaction);
  std::vector<RowWrite> rows(rng.between(1, 12));
  for (RowWrite& write : rows)
    write = {rng.below(kRows), rng.one_in(5) ? rng.between(1, 20000) : rng.between(1, 900)};
  return rows;
}

[[nodiscard]] inline std::string BytesOf(uint64_t transaction, const RowWrite& write) {
  std::string bytes(write.bytes, '\0');
  fsx::Rng rng(transaction * 1000 + write.row);
  rng.fill(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size());
  return bytes;
}

}  // namespace crash
