// SPDX-License-Identifier: Apache-2.0
#include "terminal/json_writer.h"

#include <array>
#include <cstdio>

namespace ext4crypt {
namespace {

// The length of the UTF-8 sequence that `text` begins with, 0 if it is none. Surrogates and
// overlong forms are none.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const uint8_t second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

}  // namespace

void JsonWriter::NewLine() {
  if (layout_ == Layout::kIndented) out_ << '\n' << std::string(2 * depth_, ' ');
}

void JsonWriter::Separate() {
  if (!after_key_) {
    if (!first_) out_ << ',';
    if (depth_ != 0) NewLine();
  }
  first_ = false;
  after_key_ = false;
}

void JsonWriter::Open(char bracket) {
  Separate();
  out_ << bracket;
  ++depth_;
  first_ = true;
}

void JsonWriter::Close(char bracket) {
  --depth_;
  if (!first_) NewLine();
  out_ << bracket;
  first_ = false;
}

void JsonWriter::Key(absl::string_view name) {
  Separate();
  Quoted(name);
  out_ << (layout_ == Layout::kIndented ? ": " : ":");
  after_key_ = true;
}

void JsonWriter::String(absl::string_view value) {
  Separate();
  Quoted(value);
}

void JsonWriter::Number(uint64_t value) {
  Separate();
  out_ << value;
}

void JsonWriter::Signed(int64_t value) {
  Separate();
  out_ << value;
}

void JsonWriter::Bool(bool value) {
  Separate();
  out_ << (value ? "true" : "false");
}

void JsonWriter::Quoted(absl::string_view text) {
  out_ << '"';
  while (!text.empty()) {
    const char c = text.front();
    size_t length = Utf8Length(text);
    if (length == 0) {
      out_ << "\\ufffd";
      length = 1;
    } else if (c == '"' || c == '\\') {
      out_ << '\\' << c;
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) {
      std::array<char, 8> escape = {};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out_ << escape.data();
    } else {
      out_ << text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out_ << '"';
}

}  // namespace ext4crypt
