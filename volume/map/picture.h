// SPDX-License-Identifier: Apache-2.0
// The use of a volume's blocks as a picture: SVG, or lines of text.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "volume/map/block_map.h"

namespace ext4crypt::volume {

[[nodiscard]] std::string DrawSvg(const std::vector<GroupUse>& groups, const std::string& title);
// `colours`: the terminal shows them.
[[nodiscard]] std::string DrawText(const std::vector<GroupUse>& groups, bool colours);

// Replaces `path` as a whole. Only a name that ends in ".svg" and is no device and not `image`: a
// slip must not destroy a volume. Error: kDestinationUnusable.
[[nodiscard]] absl::Status WritePicture(const std::string& path, const std::string& image,
                                        const std::string& svg);

}  // namespace ext4crypt::volume
