// SPDX-License-Identifier: Apache-2.0
// The one writer of JSON: as it grows, without holding it in memory.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace ext4crypt {

// Writes one value; the caller opens and closes in order. Bytes that are not UTF-8 become U+FFFD:
// a report must stay valid whatever stands on the disk.
class JsonWriter {
 public:
  enum class Layout {
    kCompact,   // one line
    kIndented,  // two spaces for each level
  };
  explicit JsonWriter(std::ostream& out, Layout layout = Layout::kCompact)
      : out_(out), layout_(layout) {}

  void OpenObject() { Open('{'); }
  void OpenArray() { Open('['); }
  void CloseObject() { Close('}'); }
  void CloseArray() { Close(']'); }
  void Key(absl::string_view name);
  void String(absl::string_view value);
  void Number(uint64_t value);
  void Signed(int64_t value);
  void Bool(bool value);

  void Field(absl::string_view name, absl::string_view value) { Key(name), String(value); }
  void Field(absl::string_view name, const char* value) { Key(name), String(value); }
  void Field(absl::string_view name, uint64_t value) { Key(name), Number(value); }
  void Flag(absl::string_view name, bool value) { Key(name), Bool(value); }

 private:
  void Separate();
  void Open(char bracket);
  void NewLine();
  void Close(char bracket);
  void Quoted(absl::string_view text);

  std::ostream& out_;
  const Layout layout_;
  size_t depth_ = 0;
  bool first_ = true;  // nothing stands yet in what was opened last
  bool after_key_ = false;
};

}  // namespace ext4crypt
