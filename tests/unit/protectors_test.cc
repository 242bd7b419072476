// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <vector>

#include "common/error.h"
#include "common/hex.h"
#include "common/recovery_code.h"
#include "keys/crypto/random.h"
#include "keys/fido2_parameters.h"
#include "keys/protectors/fido2_protector.h"
#include "keys/protectors/hkdf_protector.h"
#include "keys/protectors/passphrase_protector.h"
#include "keys/protectors/wrapping.h"

namespace ext4crypt {
namespace {

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Protector>()> make;
  ErrorReason wrong;
  size_t secret_size = kRecoverySecretSize;
  PublicParameters parameters = {};
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class ProtectorTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    protector_ = GetParam().make();
    binding_.uid = 1000;
    FillRandom(absl::MakeSpan(binding_.identifier));
    const auto record = protector_->Wrap(binding_, key_, credential_, GetParam().parameters);
    ASSERT_TRUE(record.ok());
    record_ = *record;
  }
  ErrorReason Reason(const ProtectorBinding& binding, const ProtectorRecord& record) {
    return ReasonOf(protector_->Unwrap(binding, record, credential_).status());
  }

  std::unique_ptr<Protector> protector_;
  ProtectorBinding binding_;
  const SecretBuffer key_ = RandomSecret(kMasterKeySize);
  const SecretBuffer credential_ = RandomSecret(GetParam().secret_size);
  ProtectorRecord record_;
};

TEST(PassphraseCostTest, NewPassphraseTakesTodaysCostAndTheOldRecordItsOwn) {
  const ProtectorBinding binding{.uid = 1000};
  const SecretBuffer key = RandomSecret(kMasterKeySize);
  const SecretBuffer passphrase = RandomSecret(12);
  PassphraseProtector then({.memory_mib = 8, .passes = 4});
  PassphraseProtector now({.memory_mib = 16, .passes = 5});
  const auto old_record = then.Wrap(binding, key, passphrase, {});
  ASSERT_TRUE(old_record.ok());
  EXPECT_TRUE(now.Unwrap(binding, *old_record, passphrase).ok());
  const auto new_record = now.Wrap(binding, key, passphrase, {});
  ASSERT_TRUE(new_record.ok());
  // Passes and MiB, little-endian, behind the version.
  const std::vector<uint8_t> cost(new_record->parameters.begin() + 1,
                                  new_record->parameters.begin() + 9);
  EXPECT_EQ(cost, (std::vector<uint8_t>{5, 0, 0, 0, 16, 0, 0, 0}));
}

TEST(PassphraseCostTest, WhatStrangersHandInMustBeAffordable) {
  PassphraseProtector protector({.memory_mib = 8, .passes = 4});
  auto record = protector.Wrap({.uid = 1000}, RandomSecret(kMasterKeySize), RandomSecret(12), {});
  ASSERT_TRUE(record.ok());
  const auto with_cost = [&](uint8_t passes, uint8_t memory_high) {
    record->parameters[1] = passes;
    record->parameters[6] = memory_high;  // 256 MiB each
    return protector.IsAffordable(*record);
  };
  EXPECT_TRUE(with_cost(4, 0));
  record->parameters[5] = 0;
  EXPECT_TRUE(with_cost(8, 4));
  EXPECT_FALSE(with_cost(9, 4));
  EXPECT_FALSE(with_cost(64, 4));
}

TEST_P(ProtectorTest, KeyComesBack) {
  const auto key = protector_->Unwrap(binding_, record_, credential_);
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(SecretsEqual(*key, key_));
  EXPECT_EQ(record_.kind, protector_->kind());
}

TEST_P(ProtectorTest, OtherCredentialIsWrong) {
  EXPECT_EQ(ReasonOf(protector_->Unwrap(binding_, record_, RandomSecret(20)).status()),
            GetParam().wrong);
  EXPECT_EQ(ReasonOf(protector_->Unwrap(binding_, record_, SecretBuffer()).status()),
            GetParam().wrong);
}

TEST_P(ProtectorTest, RecordDoesNotOpenForAnotherUserKeyOrId) {
  ProtectorBinding other = binding_;
  other.uid = 1001;
  EXPECT_EQ(Reason(other, record_), GetParam().wrong);
  other = binding_;
  other.identifier[0] ^= 1;
  EXPECT_EQ(Reason(other, record_), GetParam().wrong);
  ProtectorRecord moved = record_;
  moved.id[15] ^= 1;
  EXPECT_EQ(Reason(binding_, moved), GetParam().wrong);
}

TEST_P(ProtectorTest, ChangedParametersOrCiphertextNeverOpen) {
  for (size_t i = 0; i < record_.parameters.size(); ++i) {
    ProtectorRecord changed = record_;
    changed.parameters[i] ^= 1;
    EXPECT_NE(Reason(binding_, changed), ErrorReason::kUnspecified) << i;
  }
  for (const size_t size : {size_t{0}, size_t{1}, record_.parameters.size() - 1}) {
    ProtectorRecord cut = record_;
    cut.parameters.resize(size);
    EXPECT_EQ(Reason(binding_, cut), ErrorReason::kStoreCorrupt);
  }
  ProtectorRecord changed = record_;
  changed.wrapped_key.back() ^= 1;
  EXPECT_EQ(Reason(binding_, changed), GetParam().wrong);
}

TEST_P(ProtectorTest, TwoRecordsOfOneKeyHaveNothingInCommon) {
  const auto second = protector_->Wrap(binding_, key_, credential_, GetParam().parameters);
  ASSERT_TRUE(second.ok());
  EXPECT_NE(second->id, record_.id);
  // A token is asked with what it was asked with before.
  if (GetParam().parameters.empty()) {
    EXPECT_NE(second->parameters, record_.parameters);
  }
  EXPECT_NE(second->nonce, record_.nonce);
  EXPECT_NE(second->wrapped_key, record_.wrapped_key);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ProtectorTest,
    testing::Values(Kind{"Passphrase",
                         [] {
                           return std::make_unique<PassphraseProtector>(
                               PassphraseCost{.memory_mib = 8, .passes = 4});
                         },
                         ErrorReason::kWrongPassphrase},
                    Kind{"Recovery",
                         [] { return std::make_unique<HkdfProtector>(ProtectorKind::kRecovery); },
                         ErrorReason::kWrongRecoveryCode},
                    Kind{"KeyFile",
                         [] { return std::make_unique<HkdfProtector>(ProtectorKind::kKeyFile); },
                         ErrorReason::kWrongKeyFile},
                    Kind{"Fido2", [] { return std::make_unique<Fido2Protector>(); },
                         ErrorReason::kWrongToken, kFido2SecretSize,
                         EncodeFido2({.needs_pin = true, .credential_id = {7}})}),
    [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

TEST_P(ProtectorTest, ParametersOfAnotherKindWrapNothing) {
  EXPECT_EQ(ReasonOf(protector_->Wrap(binding_, key_, credential_, {1, 2, 3}).status()),
            ErrorReason::kInvalidRequest);
}

TEST(HkdfProtectorTest, KindWithoutADerivationOfItsOwnIsNotDerivedAsAnother) {
  const SecretBuffer key = RandomSecret(kMasterKeySize);
  const SecretBuffer secret = RandomSecret(20);
  for (const ProtectorKind kind :
       {ProtectorKind::kPassphrase, ProtectorKind::kShare, ProtectorKind::kFido2}) {
    EXPECT_EQ(ReasonOf(HkdfProtector(kind).Wrap({}, key, secret, {}).status()),
              ErrorReason::kInternal);
  }
  auto record = HkdfProtector(ProtectorKind::kRecovery).Wrap({}, key, secret, {});
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(ReasonOf(HkdfProtector(ProtectorKind::kKeyFile).Unwrap({}, *record, secret).status()),
            ErrorReason::kStoreCorrupt);
}

TEST(PassphraseProtectorTest, ImpossibleCostInARecordIsNotTried) {
  PassphraseProtector protector(PassphraseCost{.memory_mib = 8, .passes = 4});
  const SecretBuffer credential = RandomSecret(20);
  auto record = protector.Wrap({}, RandomSecret(kMasterKeySize), credential, {});
  ASSERT_TRUE(record.ok());
  for (const size_t byte : {3U, 4U, 7U, 8U}) {  // the high bytes of passes and of memory
    ProtectorRecord greedy = *record;
    greedy.parameters[byte] = 0xff;
    EXPECT_EQ(ReasonOf(protector.Unwrap({}, greedy, credential).status()),
              ErrorReason::kStoreCorrupt);
  }
}

TEST(PassphraseProtectorTest, OldRecordsOpenAfterTheCostWasRaised) {
  const SecretBuffer key = RandomSecret(kMasterKeySize);
  const SecretBuffer credential = RandomSecret(20);
  PassphraseProtector cheap(PassphraseCost{.memory_mib = 8, .passes = 4});
  PassphraseProtector dear(PassphraseCost{.memory_mib = 16, .passes = 4});
  const auto record = cheap.Wrap({}, key, credential, {});
  ASSERT_TRUE(record.ok());
  const auto opened = dear.Unwrap({}, *record, credential);
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(SecretsEqual(*opened, key));
}

// The encoding in docs/key-service.md, byte by byte: a store must open after any upgrade.
TEST(WrappingTest, AuthenticatedBytesAreAsDocumented) {
  ProtectorBinding binding{.uid = 0x01020304};
  binding.identifier.fill(0x11);
  ProtectorRecord record{.kind = ProtectorKind::kRecovery, .parameters = {0xaa, 0xbb}};
  record.id.fill(0x22);
  EXPECT_EQ(ToHex(ProtectorAad(binding, record)),
            "657874346372797074"      // "ext4crypt"
            "2070726f746563746f7200"  // " protector" and a zero byte
            "01"
            "04030201"
            "11111111111111111111111111111111"
            "22222222222222222222222222222222"
            "02"
            "02000000"
            "aabb");
}

}  // namespace
}  // namespace ext4crypt
