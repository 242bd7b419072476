// SPDX-License-Identifier: Apache-2.0
// Keys out of an export, without the service: each way to open it, and what is refused.
#include "volume/cli/exported_keys.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "common/error.h"
#include "common/recovery_code.h"
#include "fido2/security_key.h"
#include "keys/export.h"
#include "keys/protectors/fido2_protector.h"
#include "keys/protectors/hkdf_protector.h"
#include "keys/protectors/passphrase_protector.h"
#include "tests/fakes/token_bus.h"
#include "tests/volume/survey_fixture.h"

namespace ext4crypt::volume {
namespace {

using testing::IsEmpty;

constexpr Uid kOwner = 4711;  // of another machine

class ExportedKeysTest : public SurveyTest {
 protected:
  ExportedKeysTest() : file_(path_ + ".keys"), key_file_(path_ + ".protector") {
    const SecretBuffer first = Bytes(3);
    const SecretBuffer second = Bytes(kTestKeyByte);  // that of the volume: a named key
    HkdfProtector recovery(ProtectorKind::kRecovery);
    HkdfProtector key_file(ProtectorKind::kKeyFile);
    HkdfProtector named(ProtectorKind::kDefaultKey);
    PassphraseProtector passphrase({.memory_mib = 8, .passes = 4});
    const SecretBuffer code = SecretBuffer::CopyOf(std::string(kRecoverySecretSize, 'r'));
    code_ = std::string(FormatRecoveryCode(code).text());
    export_.uid = kOwner;
    export_.keys = {Record("default", first), Record("work", second)};
    const ProtectorBinding of_first = {.uid = kOwner, .identifier = export_.keys[0].identifier};
    const ProtectorBinding of_second = {.uid = kOwner, .identifier = export_.keys[1].identifier};
    export_.keys[0].protectors = {
        passphrase.Wrap(of_first, first, SecretBuffer::CopyOf("a long passphrase"), {}).value(),
        recovery.Wrap(of_first, first, code, {}).value(),
        key_file.Wrap(of_first, first, Bytes('k'), {}).value()};
    export_.keys[1].protectors = {named.Wrap(of_second, second, first, {}).value()};
    WriteExport();
    std::ofstream(key_file_) << std::string(kKeyFileSize, 'k');
  }
  ~ExportedKeysTest() override {
    ::unlink(file_.c_str());
    ::unlink(key_file_.c_str());
  }

  static SecretBuffer Bytes(uint8_t byte) {
    return SecretBuffer::CopyOf(std::string(kMasterKeySize, static_cast<char>(byte)));
  }
  static KeyRecord Record(const std::string& name, const SecretBuffer& key) {
    KeyRecord record = {.uid = kOwner, .name = name};
    record.identifier = MasterKey::FromRaw(key.bytes()).value().identifier();
    return record;
  }
  void WriteExport() {
    const std::vector<uint8_t> bytes = EncodeExport(export_).value();
    WriteFile({bytes.begin(), bytes.end()});
  }
  void WriteFile(const std::string& bytes) {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << bytes;
  }
  // With `typed` on a descriptor.
  Reason Open(const std::string& typed, ExportedKeyOptions options = {}) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    EXPECT_EQ(::write(writer.get(), typed.data(), typed.size()),
              static_cast<ssize_t>(typed.size()));
    writer.reset();
    if (options.files.empty()) options.files = {file_};
    options.secrets_fd = reader.get();
    opened_ = KeyRing();
    return ReasonOf(AddExportedKeys(options, opened_));
  }

  std::string file_;
  std::string key_file_;
  std::string code_;
  Export export_;
  KeyRing opened_;
};

TEST_F(ExportedKeysTest, APassphraseVerifiesEveryPageOfTheVolume) {
  ASSERT_EQ(Open("a long passphrase\n"), Reason::kNone);
  EXPECT_EQ(opened_.identifiers().size(), 2u);
  const Surveyed result = SurveyWith(opened_);
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(result.totals.counts.pages_authentic, kPages - 2 + 3);
}

TEST_F(ExportedKeysTest, SoDoARecoveryCodeAndAKeyFile) {
  ASSERT_EQ(Open(code_ + "\n", {.recovery = true}), Reason::kNone);
  EXPECT_EQ(SurveyWith(opened_).totals.counts.pages_authentic, kPages - 2 + 3);
  ASSERT_EQ(Open("", {.key_file = key_file_}), Reason::kNone);
  EXPECT_EQ(SurveyWith(opened_).totals.counts.pages_authentic, kPages - 2 + 3);
}

// Asks a prompt that nobody answers: the token of this test wants no PIN.
class SilentPrompt final : public TokenPrompt {
  void AskForTouch(const std::string& /*token*/) override {}
  absl::StatusOr<SecretBuffer> AskForPin(const std::string& /*token*/, int /*left*/) override {
    return Error(ErrorReason::kPassphraseUnreadable, "nobody types");
  }
};

TEST_F(ExportedKeysTest, SoDoesASecurityKey) {
  unsetenv("SSH_CONNECTION");
  EXPECT_EQ(Open("", {.fido2 = true}), Reason::kCredentialUnusable) << "no such protector";
  TestTokens().push_back({.path = "/dev/token", .name = "A", .authenticator = Authenticator({})});
  SilentPrompt prompt;
  const auto made = MakeFido2Protector("alice", "", prompt);
  ASSERT_TRUE(made.ok()) << made.status();
  KeyRecord& key = export_.keys[0];
  key.protectors = {Fido2Protector()
                        .Wrap({.uid = kOwner, .identifier = key.identifier}, Bytes(3), made->secret,
                              made->parameters)
                        .value()};
  WriteExport();
  ASSERT_EQ(Open("", {.fido2 = true}), Reason::kNone);
  EXPECT_EQ(SurveyWith(opened_).totals.counts.pages_authentic, kPages - 2 + 3);
  TestTokens().front().authenticator.options().seed = "another token";
  EXPECT_EQ(Open("", {.fido2 = true}), Reason::kWrongCredential);
  TestTokens().clear();
  EXPECT_EQ(Open("", {.fido2 = true}), Reason::kCredentialUnusable);
}

TEST_F(ExportedKeysTest, SeveralFilesTakeALineEach) {
  EXPECT_EQ(Open("a long passphrase\na long passphrase\n", {.files = {file_, file_}}),
            Reason::kNone);
  EXPECT_EQ(Open("a long passphrase\n", {.files = {file_, file_}}), Reason::kCredentialUnusable);
}

TEST_F(ExportedKeysTest, WhatDoesNotFitIsToldFromWhatCannotBe) {
  EXPECT_EQ(Open("another passphrase\n"), Reason::kWrongCredential);
  EXPECT_TRUE(opened_.empty());
  EXPECT_EQ(Open(""), Reason::kCredentialUnusable);
  const std::string other(FormatRecoveryCode(SecretBuffer::CopyOf(std::string(20, 's'))).text());
  EXPECT_EQ(Open(other + "\n", {.recovery = true}), Reason::kWrongCredential);
  std::string typo = code_;
  typo[0] = typo[0] == '7' ? '8' : '7';
  EXPECT_EQ(Open(typo + "\n", {.recovery = true}), Reason::kCredentialUnusable);
  std::ofstream(key_file_) << std::string(kKeyFileSize, 'l');
  EXPECT_EQ(Open("", {.key_file = key_file_}), Reason::kWrongCredential);
  std::ofstream(key_file_) << "short";
  EXPECT_EQ(Open("", {.key_file = key_file_}), Reason::kCredentialUnusable);
}

TEST_F(ExportedKeysTest, ADamagedFileIsRefusedBeforeAPassphraseIsRead) {
  std::vector<uint8_t> bytes = EncodeExport(export_).value();
  bytes[100] ^= 1;
  WriteFile({bytes.begin(), bytes.end()});
  EXPECT_EQ(Open(""), Reason::kExportUnusable);
  WriteFile(std::string(kMaxExportSize + 1, 'E'));
  EXPECT_EQ(Open(""), Reason::kExportUnusable);
  WriteFile("");
  EXPECT_EQ(Open(""), Reason::kExportUnusable);
  EXPECT_EQ(Open("", {.files = {file_ + ".none"}}), Reason::kExportUnusable);
}

TEST_F(ExportedKeysTest, ARecordOfAnotherPlaceDoesNotOpen) {
  std::swap(export_.keys[0].identifier, export_.keys[1].identifier);
  WriteExport();
  EXPECT_EQ(Open("a long passphrase\n"), Reason::kWrongCredential);
  std::swap(export_.keys[0].identifier, export_.keys[1].identifier);
  export_.keys[1].protectors[0].wrapped_key[0] ^= 1;
  WriteExport();
  EXPECT_EQ(Open("a long passphrase\n"), Reason::kExportUnusable);
  EXPECT_TRUE(opened_.empty());
}

TEST_F(ExportedKeysTest, ADerivationThatTakesForeverIsNotBegun) {
  // Passes and MiB, little-endian, behind the algorithm.
  export_.keys[0].protectors[0].parameters[1] = 64;
  export_.keys[0].protectors[0].parameters[6] = 4;  // 1024 MiB
  export_.keys[0].protectors[0].parameters[5] = 0;
  WriteExport();
  EXPECT_EQ(Open("a long passphrase\n"), Reason::kExportUnusable);
}

}  // namespace
}  // namespace ext4crypt::volume
