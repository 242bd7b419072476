// SPDX-License-Identifier: Apache-2.0
#include "terminal/json.h"

#include <sstream>

namespace ext4crypt {

Json Json::String(absl::string_view text) {
  Json json(Kind::kString);
  json.text_ = std::string(text);
  return json;
}

Json Json::Int(int64_t value) {
  Json json(Kind::kInt);
  json.value_ = value;
  return json;
}

Json Json::Bool(bool value) {
  Json json(Kind::kBool);
  json.value_ = value ? 1 : 0;
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
  std::ostringstream out;
  JsonWriter writer(out, JsonWriter::Layout::kIndented);
  Write(writer);
  out << '\n';
  return out.str();
}

void Json::Write(JsonWriter& out) const {
  switch (kind_) {
    case Kind::kString:
      out.String(text_);
      return;
    case Kind::kInt:
      out.Signed(value_);
      return;
    case Kind::kBool:
      out.Bool(value_ != 0);
      return;
    case Kind::kArray:
      out.OpenArray();
      for (const auto& [name, value] : members_) value.Write(out);
      out.CloseArray();
      return;
    case Kind::kObject:
      out.OpenObject();
      for (const auto& [name, value] : members_) {
        out.Key(name);
        value.Write(out);
      }
      out.CloseObject();
      return;
  }
}

}  // namespace ext4crypt
