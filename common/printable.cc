// SPDX-License-Identifier: Apache-2.0
#include "common/printable.h"

#include "absl/strings/str_format.h"

namespace ext4crypt {
namespace {

// `kept` stay as they are; `doubled` are the escape's own, so that the name can be told from it.
std::string Escape(absl::string_view text, absl::string_view kept, absl::string_view doubled) {
  std::string out;
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    const absl::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    if (length != 0 && (!IsControl(sequence) || kept.find(text[0]) != absl::string_view::npos)) {
      if (doubled.find(text[0]) != absl::string_view::npos) out += text[0];
      out.append(sequence.data(), sequence.size());
    } else {
      for (const char c : sequence)
        out += absl::StrFormat("\\x%02x", static_cast<unsigned char>(c));
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

}  // namespace

uint32_t CodePoint(absl::string_view sequence) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0);
  uint32_t code = byte(0) & (0x7fU >> sequence.size());
  for (size_t i = 1; i < sequence.size(); ++i) code = code << 6 | (byte(i) & 0x3fU);
  return code;
}

size_t Utf8SequenceLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : 4;
  if (lead >= 0x80 && lead < 0xc2) return 0;  // a continuation, or an overlong form
  if (lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
  if (lead == 0xed && byte(1) >= 0xa0) return 0;  // a surrogate
  if (lead == 0xf0 && byte(1) < 0x90) return 0;   // overlong
  if (lead == 0xf4 && byte(1) >= 0x90) return 0;  // past U+10FFFF
  return length;
}

bool IsControl(absl::string_view sequence) {
  const uint32_t code = CodePoint(sequence);
  return code < 0x20 || (code >= 0x7f && code < 0xa0)  // C0, DEL, C1: U+009B begins an escape too
         || code == 0x200e || code == 0x200f || code == 0x61c ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

std::string Printable(absl::string_view name) { return Escape(name, "", "\\"); }

std::string PrintableText(absl::string_view text) { return Escape(text, "\n\t", ""); }

}  // namespace ext4crypt
