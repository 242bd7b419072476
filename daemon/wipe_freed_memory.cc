// SPDX-License-Identifier: Apache-2.0
// Memory is overwritten as it is freed, whoever frees it: gRPC's and protobuf's buffers have held
// passphrases, and what they give back to the allocator would keep them until somebody needs it.
//
// These replace free() and realloc() of the C library for the whole process, its shared libraries
// included; operator delete ends in free() as well. Both may be replaced without malloc(): glibc
// exports its own under the names used here. Not under AddressSanitizer, which needs its own, and
// poisons what is freed.
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

// NOLINTBEGIN(bugprone-reserved-identifier): the C library's names.
extern "C" void __libc_free(void* memory) noexcept;
// NOLINTEND(bugprone-reserved-identifier)

extern "C" void free(void* memory) noexcept {
  if (memory == nullptr) return;
  const int saved = errno;  // POSIX asks free() to leave it alone.
  explicit_bzero(memory, malloc_usable_size(memory));
  __libc_free(memory);
  errno = saved;
}

// Never in place: the C library's own would leave the old copy behind when it moves.
extern "C" void* realloc(void* memory, size_t size) noexcept {
  if (memory == nullptr) return malloc(size);
  if (size == 0) {
    free(memory);
    return nullptr;
  }
  void* const moved = malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, std::min(size, malloc_usable_size(memory)));
  free(memory);
  return moved;
}

// The C library's calls its own realloc().
extern "C" void* reallocarray(void* memory, size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(memory, bytes);
}
