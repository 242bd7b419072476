// SPDX-License-Identifier: Apache-2.0
// SecretBuffer over libsodium's guarded heap.
#include "common/secret_buffer.h"

#include <sodium.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace ext4crypt {
namespace {

void RequireSodium() {
  // Thread-safe: initialised once, and sodium_init() itself may be called again.
  static const int result = sodium_init();
  if (result < 0) {
    std::fputs("ext4crypt: libsodium cannot be initialised (no random source?)\n", stderr);
    std::abort();
  }
}

}  // namespace

SecretBuffer::SecretBuffer(size_t size) : size_(size) {
  if (size == 0) return;
  RequireSodium();
  data_ = static_cast<uint8_t*>(sodium_malloc(size));
  if (data_ == nullptr) {
    std::fputs("ext4crypt: out of memory for secrets\n", stderr);
    std::abort();
  }
  std::memset(data_, 0, size);
}

SecretBuffer::SecretBuffer(SecretBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBuffer& SecretBuffer::operator=(SecretBuffer&& other) noexcept {
  if (this != &other) {
    Clear();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBuffer::~SecretBuffer() { Clear(); }

SecretBuffer SecretBuffer::CopyOf(absl::Span<const uint8_t> bytes) {
  SecretBuffer buffer(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data_, bytes.data(), bytes.size());
  return buffer;
}

SecretBuffer SecretBuffer::CopyOf(absl::string_view text) {
  return CopyOf(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

SecretBuffer SecretBuffer::TakeFrom(std::string& text) {
  SecretBuffer buffer = CopyOf(absl::string_view(text));
  WipeString(text);
  return buffer;
}

void SecretBuffer::Shrink(size_t size) {
  if (size >= size_) return;
  sodium_memzero(data_ + size, size_ - size);
  if (size == 0) {
    Clear();
  } else {
    size_ = size;
  }
}

void SecretBuffer::Clear() {
  // sodium_free wipes, whatever size_ has been shrunk to.
  if (data_ != nullptr) sodium_free(std::exchange(data_, nullptr));
  size_ = 0;
}

bool SecretsEqual(const SecretBuffer& a, const SecretBuffer& b) {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void WipeString(std::string& text) {
  // The capacity, not only the size: a string that shrank keeps what it held.
  text.resize(text.capacity());
  sodium_memzero(text.data(), text.size());
  text.clear();
}

void WipeBytes(void* data, size_t size) { sodium_memzero(data, size); }

void WipeFreeStack() {
  // More than any of our calls goes down, less than any thread's stack.
  constexpr size_t kDepth = 128 * 1024;
  sodium_stackzero(kDepth);
}

}  // namespace ext4crypt
