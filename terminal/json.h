// SPDX-License-Identifier: Apache-2.0
// A small report in JSON: built piece by piece, printed once.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "terminal/json_writer.h"

namespace ext4crypt {

class Json {
 public:
  [[nodiscard]] static Json Object() { return Json(Kind::kObject); }
  [[nodiscard]] static Json Array() { return Json(Kind::kArray); }
  [[nodiscard]] static Json String(absl::string_view text);
  [[nodiscard]] static Json Int(int64_t value);
  [[nodiscard]] static Json Bool(bool value);

  // Members keep the order in which they are set.
  Json& Set(const char* name, Json value);
  Json& Set(const char* name, absl::string_view text) { return Set(name, String(text)); }
  Json& Set(const char* name, const char* text) { return Set(name, String(text)); }
  Json& Set(const char* name, const std::string& text) { return Set(name, String(text)); }
  Json& SetInt(const char* name, int64_t value) { return Set(name, Int(value)); }
  Json& SetBool(const char* name, bool value) { return Set(name, Bool(value)); }
  Json& Append(Json value);

  // Two spaces of indentation. Bytes that are no UTF-8 become U+FFFD: paths may hold anything.
  [[nodiscard]] std::string ToText() const;

 private:
  enum class Kind { kObject, kArray, kString, kInt, kBool };
  explicit Json(Kind kind) : kind_(kind) {}
  void Write(JsonWriter& out) const;

  Kind kind_;
  std::string text_;   // of a string
  int64_t value_ = 0;  // of a number or a truth
  std::vector<std::pair<std::string, Json>> members_;
};

}  // namespace ext4crypt
