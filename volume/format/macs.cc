// SPDX-License-Identifier: Apache-2.0
#include "volume/format/macs.h"

#include <openssl/core_names.h>

#include <cstddef>
#include <cstring>
#include <initializer_list>

#include "volume/format/openssl_ptr.h"

namespace ext4crypt::volume {
namespace {

static_assert(sizeof(e4c_mac_inode) == 56 && offsetof(e4c_mac_inode, context) == 16);
static_assert(sizeof(e4c_mac_head) == 48 && offsetof(e4c_mac_head, top) == 16);

using Bytes = absl::Span<const uint8_t>;

absl::StatusOr<Mac> Blake2s(Bytes key, std::initializer_list<Bytes> parts) {
  static EVP_MAC* const kind = EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr);
  const MacCtxPtr ctx(EVP_MAC_CTX_new(kind));
  Mac mac = {};
  size_t size = mac.size();
  // The length is a parameter of the hash: another one gives another value, not a part of this.
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                               OSSL_PARAM_construct_end()};
  bool good = ctx != nullptr && EVP_MAC_init(ctx.get(), key.data(), key.size(), params) == 1;
  for (const Bytes part : parts) {
    good = good && EVP_MAC_update(ctx.get(), part.data(), part.size()) == 1;
  }
  size_t length = 0;
  if (!good || EVP_MAC_final(ctx.get(), mac.data(), &length, mac.size()) != 1 ||
      length != mac.size()) {
    return Fail(Reason::kInternal, "BLAKE2s failed");
  }
  return mac;
}

e4c_mac_inode Beginning(uint8_t domain, const MacSubject& subject) {
  e4c_mac_inode inode = {};
  std::memcpy(inode.magic, E4C_MAGIC, sizeof(inode.magic));
  inode.revision = E4C_FORMAT_REVISION;
  inode.domain = domain;
  inode.type = static_cast<uint8_t>(subject.mode >> 12);
  inode.inode = htole64(subject.number);
  if (subject.context != nullptr) {
    std::memcpy(&inode.context, subject.context->raw.data(), sizeof(inode.context));
  }
  return inode;
}

template <typename T>
Bytes BytesOf(const T& record) {
  return {reinterpret_cast<const uint8_t*>(&record), sizeof(record)};
}

}  // namespace

absl::StatusOr<Mac> HeadMac(Bytes key, const MacSubject& subject, uint32_t state, uint64_t size,
                            const e4c_slot& top, Bytes target) {
  const e4c_mac_inode inode = Beginning(E4C_DOMAIN_HEAD, subject);
  const e4c_mac_head head = {.state = htole32(state), .zero = 0, .size = htole64(size), .top = top};
  return Blake2s(key, {BytesOf(inode), BytesOf(head), target});
}

absl::StatusOr<Mac> PlaceMac(Bytes key, const MacSubject& subject, Bytes name) {
  const e4c_mac_inode inode = Beginning(E4C_DOMAIN_PLACE, subject);
  return Blake2s(key, {BytesOf(inode), name});
}

}  // namespace ext4crypt::volume
