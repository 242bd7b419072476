// SPDX-License-Identifier: Apache-2.0
// As much CBOR (RFC 8949) as CTAP2 needs, for the tests' authenticator. Written apart from the
// library under test, and strict: what it does not know fails.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ext4crypt::cbor {

using Bytes = std::vector<uint8_t>;
struct Value;
using Array = std::vector<Value>;
// Keys are integers or texts, never both in one map here.
using Map = std::vector<std::pair<Value, Value>>;

struct Value {
  std::variant<std::monostate, int64_t, bool, std::string, Bytes, Array, Map> is;

  Value() = default;
  Value(int number) : is(int64_t{number}) {}          // NOLINT
  Value(int64_t number) : is(number) {}               // NOLINT
  Value(bool yes) : is(yes) {}                        // NOLINT
  Value(const char* text) : is(std::string(text)) {}  // NOLINT
  Value(std::string text) : is(std::move(text)) {}    // NOLINT
  Value(Bytes bytes) : is(std::move(bytes)) {}        // NOLINT
  Value(Array array) : is(std::move(array)) {}        // NOLINT
  Value(Map map) : is(std::move(map)) {}              // NOLINT

  template <typename Type>
  [[nodiscard]] const Type& As() const {
    static const Type kNone{};
    const Type* held = std::get_if<Type>(&is);
    return held != nullptr ? *held : kNone;
  }
  // Of a map; nothing when it is not there.
  [[nodiscard]] const Value& operator[](int key) const {
    return Find([key](const Value& name) {
      const auto* number = std::get_if<int64_t>(&name.is);
      return number != nullptr && *number == key;
    });
  }
  [[nodiscard]] const Value& operator[](const char* key) const {
    return Find([key](const Value& name) {
      const auto* text = std::get_if<std::string>(&name.is);
      return text != nullptr && *text == key;
    });
  }
  [[nodiscard]] bool empty() const { return std::holds_alternative<std::monostate>(is); }

 private:
  template <typename Matches>
  const Value& Find(Matches matches) const {
    static const Value kNone{};
    for (const auto& [name, value] : As<Map>()) {
      if (matches(name)) return value;
    }
    return kNone;
  }
};

inline void PutHead(uint8_t major, uint64_t value, Bytes& out) {
  const auto type = static_cast<uint8_t>(major << 5);
  if (value < 24) {
    out.push_back(static_cast<uint8_t>(type | value));
  } else if (value < 256) {
    out.insert(out.end(), {static_cast<uint8_t>(type | 24), static_cast<uint8_t>(value)});
  } else {
    out.insert(out.end(), {static_cast<uint8_t>(type | 25), static_cast<uint8_t>(value >> 8),
                           static_cast<uint8_t>(value)});
  }
}

inline void Put(const Value& value, Bytes& out) {
  if (const auto* number = std::get_if<int64_t>(&value.is)) {
    *number >= 0 ? PutHead(0, static_cast<uint64_t>(*number), out)
                 : PutHead(1, static_cast<uint64_t>(-1 - *number), out);
  } else if (const auto* yes = std::get_if<bool>(&value.is)) {
    out.push_back(*yes ? 0xf5 : 0xf4);
  } else if (const auto* text = std::get_if<std::string>(&value.is)) {
    PutHead(3, text->size(), out);
    out.insert(out.end(), text->begin(), text->end());
  } else if (const auto* bytes = std::get_if<Bytes>(&value.is)) {
    PutHead(2, bytes->size(), out);
    out.insert(out.end(), bytes->begin(), bytes->end());
  } else if (const auto* array = std::get_if<Array>(&value.is)) {
    PutHead(4, array->size(), out);
    for (const Value& item : *array) Put(item, out);
  } else if (const auto* map = std::get_if<Map>(&value.is)) {
    PutHead(5, map->size(), out);
    for (const auto& [key, item] : *map) {
      Put(key, out);
      Put(item, out);
    }
  }
}

inline Bytes Encode(const Value& value) {
  Bytes out;
  Put(value, out);
  return out;
}

class Reader {
 public:
  explicit Reader(const Bytes& in) : in_(in) {}
  [[nodiscard]] bool failed() const { return failed_; }

  Value Next() {
    const uint8_t head = Byte();
    const uint8_t major = head >> 5;
    if (major == 7) return (head & 0x1f) == 21 ? Value(true) : Value(false);
    const uint64_t size = Argument(head & 0x1f);
    switch (major) {
      case 0:
        return Value(static_cast<int64_t>(size));
      case 1:
        return Value(static_cast<int64_t>(-1 - static_cast<int64_t>(size)));
      case 2:
        return Value(Take(size));
      case 3: {
        const Bytes text = Take(size);
        return Value(std::string(text.begin(), text.end()));
      }
      case 4: {
        Array array;
        for (uint64_t i = 0; i < size && !failed_; ++i) array.push_back(Next());
        return Value(std::move(array));
      }
      case 5: {
        Map map;
        for (uint64_t i = 0; i < size && !failed_; ++i) {
          Value key = Next();
          Value value = Next();
          map.emplace_back(std::move(key), std::move(value));
        }
        return Value(std::move(map));
      }
      default:
        failed_ = true;
        return {};
    }
  }

 private:
  uint8_t Byte() {
    if (at_ < in_.size()) return in_[at_++];
    failed_ = true;
    return 0;
  }
  uint64_t Argument(uint8_t info) {
    if (info < 24) return info;
    uint64_t value = 0;
    if (info > 26) failed_ = true;
    for (int i = 0; i < (1 << (info - 24)) && !failed_; ++i) value = value << 8 | Byte();
    return value;
  }
  Bytes Take(uint64_t size) {
    if (failed_ || size > in_.size() - at_) {
      failed_ = true;
      return {};
    }
    const auto from = in_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += size;
    return {from, from + static_cast<std::ptrdiff_t>(size)};
  }

  const Bytes& in_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace ext4crypt::cbor
