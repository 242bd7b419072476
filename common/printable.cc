// SPDX-License-Identifier: Apache-2.0
#include "common/printable.h"

#include "absl/strings/escaping.h"

namespace ext4crypt {

std::string Printable(absl::string_view text) { return absl::Utf8SafeCHexEscape(text); }

}  // namespace ext4crypt
