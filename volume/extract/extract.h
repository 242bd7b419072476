// SPDX-License-Identifier: Apache-2.0
// Copies files out of a volume in clear.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "volume/ext4/image.h"
#include "volume/extract/metadata.h"
#include "volume/format/file_keys.h"

namespace ext4crypt::volume {

struct ExtractOptions {
  // Keep a damaged file, with zeros in place of what cannot be trusted.
  bool salvage = false;
  MetadataRules metadata;
  std::function<void(const Finding&)> on_finding;
  std::function<void(uint64_t bytes_done)> on_progress;
};

struct ExtractTotals {
  uint64_t files = 0;
  uint64_t directories = 0;
  uint64_t symlinks = 0;
  uint64_t bytes = 0;
  uint64_t incomplete = 0;  // left out, or with --salvage kept with zeros or not proved
  uint64_t unauthenticated =
      0;                    // files whose contents carry no tags: plain, or fscrypt's own modes
  uint64_t special = 0;     // pipes, sockets, devices
  uint64_t hard_links = 0;  // further names of what was copied already
  MetadataCounts metadata;
};

// `path` in the volume ("/" for all of it), to `destination`, which must not exist. Errors, before
// anything is written: kNotFound, kNotADirectory, kDestinationUnusable. Damage is no error: see
// on_finding.
[[nodiscard]] absl::Status Extract(const Image& image, const KeyRing& keys, const std::string& path,
                                   const std::string& destination, const ExtractOptions& options,
                                   ExtractTotals& totals);

}  // namespace ext4crypt::volume
