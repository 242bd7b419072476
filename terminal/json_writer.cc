// SPDX-License-Identifier: Apache-2.0
#include "terminal/json_writer.h"

#include <array>
#include <cstdio>

#include "common/printable.h"

namespace ext4crypt {
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
    size_t length = Utf8SequenceLength(text);
    if (length == 0) {
      out_ << "\\ufffd";
      length = 1;
    } else if (c == '"' || c == '\\') {
      out_ << '\\' << c;
    } else if (IsControl(text.substr(0, length))) {
      // JSON asks for less, but it is printed on terminals too.
      std::array<char, 8> escape = {};
      std::snprintf(escape.data(), escape.size(), "\\u%04x",
                    static_cast<unsigned>(CodePoint(text.substr(0, length)) & 0xFFFFU));
      out_ << escape.data();
    } else {
      out_ << text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out_ << '"';
}

}  // namespace ext4crypt
