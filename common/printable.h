// SPDX-License-Identifier: Apache-2.0
// Makes names printable. Who names a file, a program or a mount point chooses any bytes but zero,
// and a terminal takes some for orders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace ext4crypt {

// The length of the valid UTF-8 sequence at the front of `text`, which is not empty; 0 when there
// is none.
[[nodiscard]] size_t Utf8SequenceLength(absl::string_view text);

// Of a valid sequence.
[[nodiscard]] uint32_t CodePoint(absl::string_view sequence);

// Whether the sequence at the front, so long, does something else than be seen: a control
// character, or one that turns the direction of writing.
[[nodiscard]] bool IsControl(absl::string_view sequence);

// Bytes that are no UTF-8, and what is control, as \xNN; a backslash as two. The result is UTF-8 on
// one line.
[[nodiscard]] std::string Printable(absl::string_view name);

// The same for a report of ours, whose line breaks and tabulators stay.
[[nodiscard]] std::string PrintableText(absl::string_view text);

}  // namespace ext4crypt
