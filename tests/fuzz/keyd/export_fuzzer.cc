// SPDX-License-Identifier: Apache-2.0
// libFuzzer over exports: the input with a checksum that fits, as who writes such a file on
// purpose would. What is read must be written again as it was, and keep to the service's limits.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "keys/crypto/checksum.h"
#include "keys/export.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ext4crypt;
  std::vector<uint8_t> bytes = {'E', '4', 'C', 'K', 'E', 'Y', 'S', 1};
  bytes.insert(bytes.end(), data, data + size);
  (void)DecodeExport(bytes);
  const auto sum = Checksum(bytes);
  bytes.insert(bytes.end(), sum.begin(), sum.end());
  const auto exported = DecodeExport(bytes);
  if (!exported.ok()) return 0;
  for (const KeyRecord& key : exported->keys) {
    if (key.uid != exported->uid || key.protectors.empty() ||
        key.protectors.size() > kMaxProtectors) {
      std::abort();
    }
  }
  const auto again = EncodeExport(*exported);
  if (!again.ok() || *again != bytes) std::abort();
  return 0;
}
