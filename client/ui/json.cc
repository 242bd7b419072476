// SPDX-License-Identifier: Apache-2.0
#include "client/ui/json.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ext4crypt {
namespace {

// The length of the valid UTF-8 sequence at the front of `text`, 0 when there is none.
size_t SequenceLength(absl::string_view text) {
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

std::string Quote(absl::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const char c = text[0];
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) {
      out += absl::StrFormat("\\u%04x", static_cast<unsigned>(c));
    } else {
      out.append(text.data(), length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
  return out;
}

}  // namespace

Json Json::String(absl::string_view text) {
  Json json(Kind::kScalar);
  json.scalar_ = Quote(text);
  return json;
}

Json Json::Int(int64_t value) {
  Json json(Kind::kScalar);
  json.scalar_ = absl::StrCat(value);
  return json;
}

Json Json::Bool(bool value) {
  Json json(Kind::kScalar);
  json.scalar_ = value ? "true" : "false";
  return json;
}

Json& Json::Set(const char* name, Json value) {
  members_.emplace_back(name, std::move(value));
  return *this;
}

Json& Json::Append(Json value) {
  members_.emplace_back("", std::move(value));
  return *this;
}

std::string Json::ToText() const {
  std::string out;
  Write(out, 0);
  out += '\n';
  return out;
}

void Json::Write(std::string& out, int indent) const {
  if (kind_ == Kind::kScalar) {
    out += scalar_;
    return;
  }
  const bool object = kind_ == Kind::kObject;
  out += object ? '{' : '[';
  const char* separator = "\n";
  for (const auto& [name, value] : members_) {
    out += separator;
    out.append(static_cast<size_t>(indent) + 2, ' ');
    if (object) absl::StrAppend(&out, Quote(name), ": ");
    value.Write(out, indent + 2);
    separator = ",\n";
  }
  if (!members_.empty()) {
    out += '\n';
    out.append(static_cast<size_t>(indent), ' ');
  }
  out += object ? '}' : ']';
}

}  // namespace ext4crypt
