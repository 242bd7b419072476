// SPDX-License-Identifier: Apache-2.0
// The one type that holds passphrases, keys and recovery codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ext4crypt {

// Memory from sodium_malloc: locked against swap, left out of core dumps, between guard pages,
// wiped when freed. Move-only, so that a copy of a secret is always a visible Clone().
// Aborts when no memory is left: a service that cannot hold a secret safely must not go on.
class SecretBuffer {
 public:
  SecretBuffer() = default;
  explicit SecretBuffer(size_t size);
  SecretBuffer(SecretBuffer&& other) noexcept;
  SecretBuffer& operator=(SecretBuffer&& other) noexcept;
  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  ~SecretBuffer();

  [[nodiscard]] static SecretBuffer CopyOf(absl::Span<const uint8_t> bytes);
  [[nodiscard]] static SecretBuffer CopyOf(absl::string_view text);
  // Copies, then wipes the source: for strings handed over by a library.
  [[nodiscard]] static SecretBuffer TakeFrom(std::string& text);
  [[nodiscard]] SecretBuffer Clone() const { return CopyOf(bytes()); }

  [[nodiscard]] uint8_t* data() { return data_; }
  [[nodiscard]] const uint8_t* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] absl::Span<const uint8_t> bytes() const { return {data_, size_}; }
  [[nodiscard]] absl::Span<uint8_t> mutable_bytes() { return {data_, size_}; }
  // For parsers of typed text. The view dies with the buffer.
  [[nodiscard]] absl::string_view text() const {
    return {reinterpret_cast<const char*>(data_), size_};
  }

  // Shortens to `size` bytes, wiping the rest. `size` must not exceed size().
  void Shrink(size_t size);
  void Clear();

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Constant time in the contents; the lengths are not secret.
[[nodiscard]] bool SecretsEqual(const SecretBuffer& a, const SecretBuffer& b);

// For memory that is not ours to allocate, such as a protobuf field.
void WipeString(std::string& text);
void WipeBytes(void* data, size_t size);

// Overwrites the part of this thread's stack that is free now. Ciphers spill registers, and with
// them keys, into frames that are gone when they return; a thread that lives on would keep them.
void WipeFreeStack();

}  // namespace ext4crypt
