// SPDX-License-Identifier: Apache-2.0
// Nonces used twice under one page key, which would give away the key's authentication.
#pragma once

#include "volume/finding.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {

// Nonces that stand in more than one slot or seal of the file. Goes over the tag blocks as often as
// a fixed amount of memory asks for.
void FindReusedNonces(const Image& image, const Layout& layout, FindingList& findings);

}  // namespace ext4crypt::volume
