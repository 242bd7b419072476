// SPDX-License-Identifier: Apache-2.0
// Just enough JSON to write a report as it grows.
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
  explicit JsonWriter(std::ostream& out) : out_(out) {}

  void OpenObject();
  void OpenArray();
  void CloseObject() { Close('}'); }
  void CloseArray() { Close(']'); }
  void Key(absl::string_view name);
  void String(absl::string_view value);
  void Number(uint64_t value);
  void Bool(bool value);

  void Field(absl::string_view name, absl::string_view value) { Key(name), String(value); }
  void Field(absl::string_view name, const char* value) { Key(name), String(value); }
  void Field(absl::string_view name, uint64_t value) { Key(name), Number(value); }
  void Flag(absl::string_view name, bool value) { Key(name), Bool(value); }

 private:
  void Separate();
  void Close(char bracket);
  void Quoted(absl::string_view text);

  std::ostream& out_;
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace ext4crypt
