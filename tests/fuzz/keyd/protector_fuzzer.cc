// SPDX-License-Identifier: Apache-2.0
// libFuzzer over protector records, as an edited store would hold them.
//
// The first byte chooses the kind and whether the input replaces a record's parts or changes bytes
// of a proper record. Whatever comes: no record but the unchanged one may give the key.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>

#include "common/error.h"
#include "keys/crypto/random.h"
#include "keys/crypto/x25519.h"
#include "keys/fido2_parameters.h"
#include "keys/protectors/fido2_protector.h"
#include "keys/protectors/hkdf_protector.h"
#include "keys/protectors/passphrase_protector.h"
#include "keys/protectors/share_protector.h"

namespace ext4crypt {
namespace {

constexpr PassphraseCost kCheapest = {.memory_mib = 8, .passes = 4};

class Harness {
 public:
  Harness() {
    Add(std::make_unique<PassphraseProtector>(kCheapest), 12);
    Add(std::make_unique<HkdfProtector>(ProtectorKind::kRecovery), 20);
    Add(std::make_unique<HkdfProtector>(ProtectorKind::kKeyFile), kKeyFileSize);
    Add(std::make_unique<HkdfProtector>(ProtectorKind::kDefaultKey), kMasterKeySize);
    Add(std::make_unique<Fido2Protector>(), kFido2SecretSize,
        EncodeFido2({.credential_id = {1, 2, 3}}));
    AddShare();
  }

  void Run(const uint8_t* data, size_t size) {
    if (size < 2) return;
    Case& chosen = cases_[(data[0] >> 1) % cases_.size()];
    ProtectorRecord record = chosen.record;
    const bool replace = (data[0] & 1) != 0;
    ++data;
    --size;
    if (replace) {
      Replace(data, size, record);
    } else {
      Change(data, size, record);
    }
    // Costs are checked before they are paid; those that may be paid are paid only when cheap.
    if (record.kind == ProtectorKind::kPassphrase && IsCostly(record)) return;
    const auto key = chosen.protector->Unwrap(binding_, record, chosen.credential);
    if (key.ok() != Same(record, chosen.record)) std::abort();
    if (key.ok() && !SecretsEqual(*key, key_)) std::abort();
  }

 private:
  struct Case {
    std::unique_ptr<Protector> protector;
    SecretBuffer credential;
    ProtectorRecord record;
  };

  void Add(std::unique_ptr<Protector> protector, size_t credential_size,
           const PublicParameters& parameters = {}) {
    Case made = {.protector = std::move(protector), .credential = RandomSecret(credential_size)};
    auto record = made.protector->Wrap(binding_, key_, made.credential, parameters);
    if (!record.ok()) std::abort();
    made.record = *std::move(record);
    cases_.push_back(std::move(made));
  }

  // Sealed to the public half of what opens it.
  void AddShare() {
    Case made = {.protector = std::make_unique<ShareProtector>(),
                 .credential = RandomSecret(kX25519Size)};
    const X25519Public receiver = X25519PublicKey(made.credential);
    auto record = made.protector->Wrap(binding_, key_,
                                       SecretBuffer::CopyOf(absl::MakeConstSpan(receiver)), {});
    if (!record.ok()) std::abort();
    made.record = *std::move(record);
    cases_.push_back(std::move(made));
  }

  // What is authenticated, which is all but the time.
  static bool Same(const ProtectorRecord& a, const ProtectorRecord& b) {
    return a.id == b.id && a.kind == b.kind && a.parameters == b.parameters && a.nonce == b.nonce &&
           a.wrapped_key == b.wrapped_key;
  }

  static bool IsCostly(const ProtectorRecord& record) {
    if (record.parameters.size() != 25) return false;
    const auto word = [&](size_t at) {
      uint64_t value = 0;
      for (size_t i = 0; i < 4; ++i) value |= uint64_t{record.parameters[at + i]} << (8 * i);
      return value;
    };
    return IsAcceptable({.passes = static_cast<uint32_t>(word(1)),
                         .memory_mib = static_cast<uint32_t>(word(5))}) &&
           word(1) * word(5) > 128;
  }

  static void Replace(const uint8_t* data, size_t size, ProtectorRecord& record) {
    const size_t first = std::min<size_t>(data[0], size - 1);
    record.parameters.assign(data + 1, data + 1 + first);
    const size_t left = size - 1 - first;
    const size_t second = left == 0 ? 0 : std::min<size_t>(data[1 + first], left - 1);
    if (left == 0) return;
    record.nonce.assign(data + 2 + first, data + 2 + first + second);
    record.wrapped_key.assign(data + 2 + first + second, data + size);
  }

  // Pairs: where, and what to add.
  static void Change(const uint8_t* data, size_t size, ProtectorRecord& record) {
    for (size_t i = 0; i + 1 < size; i += 2) {
      const size_t at = data[i];
      std::vector<uint8_t>* parts[] = {&record.parameters, &record.nonce, &record.wrapped_key};
      if (at < 16) record.id[at] = static_cast<uint8_t>(record.id[at] + data[i + 1]);
      size_t offset = at - 16;
      for (std::vector<uint8_t>* part : parts) {
        if (at < 16) break;
        if (offset < part->size()) {
          (*part)[offset] = static_cast<uint8_t>((*part)[offset] + data[i + 1]);
          break;
        }
        offset -= part->size();
      }
    }
  }

  const ProtectorBinding binding_ = {.uid = 1000, .identifier = {1, 2, 3}};
  const SecretBuffer key_ = RandomSecret(kMasterKeySize);
  std::vector<Case> cases_;
};

}  // namespace
}  // namespace ext4crypt

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const harness = new ext4crypt::Harness();
  harness->Run(data, size);
  return 0;
}
