// SPDX-License-Identifier: Apache-2.0
// Guessing, opening and enrolling, with fakes.
#include <gtest/gtest.h>

#include <ctime>
#include <memory>

#include "common/error.h"
#include "common/recovery_code.h"
#include "daemon/core/enrolment.h"
#include "daemon/core/guess_limiter.h"
#include "daemon/core/key_opener.h"
#include "keys/crypto/hkdf.h"
#include "tests/fakes/fakes.h"

namespace ext4crypt {
namespace {

SecretBuffer Text(absl::string_view text) { return SecretBuffer::CopyOf(text); }
Credential Passphrase(absl::string_view text) {
  return {.kind = CredentialKind::kPassphrase, .secret = Text(text)};
}

TEST(GuessLimiterTest, FreeGuessesThenDoublingWaitsUpToABound) {
  FakeClock clock;
  GuessLimiter limiter(clock);
  for (int i = 0; i < GuessLimiter::kFreeGuesses; ++i) EXPECT_TRUE(limiter.Begin(1).ok());
  int64_t expected_ms = GuessLimiter::kFirstDelayMs;
  for (int i = 0; i < 12; ++i) {
    const ErrorInfo info = InfoOf(limiter.Begin(1));
    ASSERT_EQ(info.reason, ErrorReason::kThrottled);
    EXPECT_EQ(info.retry_after_ms, expected_ms);
    clock.now_ms += expected_ms;
    EXPECT_TRUE(limiter.Begin(1).ok());
    expected_ms = std::min(expected_ms * 2, GuessLimiter::kMaxDelayMs);
  }
}

TEST(GuessLimiterTest, JumpOfTheWallClockNeitherEndsNorLengthensAWait) {
  FakeClock clock;
  GuessLimiter limiter(clock);
  for (int i = 0; i < GuessLimiter::kFreeGuesses; ++i) EXPECT_TRUE(limiter.Begin(1).ok());
  const uint32_t wait_ms = InfoOf(limiter.Begin(1)).retry_after_ms;
  for (const int64_t jump_s : {int64_t{86'400} * 365, int64_t{-86'400} * 3650}) {
    clock.wall_jump_s = jump_s;
    EXPECT_EQ(InfoOf(limiter.Begin(1)).retry_after_ms, wait_ms);
  }
  clock.now_ms += wait_ms;
  EXPECT_TRUE(limiter.Begin(1).ok());
}

// A clock that also runs while the machine sleeps: an idle time-out must not wait for it to wake.
TEST(SystemClockTest, IsTheTimeSinceBoot) {
  struct timespec before = {};
  struct timespec after = {};
  clock_gettime(CLOCK_BOOTTIME, &before);
  const int64_t now_ms = SystemClock().MonotonicMs();
  clock_gettime(CLOCK_BOOTTIME, &after);
  EXPECT_GE(now_ms, before.tv_sec * 1000 + before.tv_nsec / 1'000'000);
  EXPECT_LE(now_ms, after.tv_sec * 1000 + after.tv_nsec / 1'000'000);
}

TEST(GuessLimiterTest, UsersAreApart) {
  FakeClock clock;
  GuessLimiter limiter(clock);
  for (int i = 0; i < GuessLimiter::kFreeGuesses; ++i) EXPECT_TRUE(limiter.Begin(1).ok());
  EXPECT_FALSE(limiter.Begin(1).ok());
  EXPECT_TRUE(limiter.Begin(2).ok());
}

TEST(GuessLimiterTest, SuccessForgetsAndCancellationTakesBack) {
  FakeClock clock;
  GuessLimiter limiter(clock);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < GuessLimiter::kFreeGuesses; ++i) EXPECT_TRUE(limiter.Begin(1).ok());
    limiter.Succeeded(1);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(limiter.Begin(1).ok());
    limiter.Cancelled(1);
  }
}

TEST(GuessLimiterTest, CancellationDoesNotCancelAnEarnedWait) {
  FakeClock clock;
  GuessLimiter limiter(clock);
  for (int i = 0; i < GuessLimiter::kFreeGuesses; ++i) EXPECT_TRUE(limiter.Begin(1).ok());
  clock.now_ms += GuessLimiter::kFirstDelayMs;
  EXPECT_TRUE(limiter.Begin(1).ok());
  limiter.Cancelled(1);
  EXPECT_FALSE(limiter.Begin(1).ok());
}

class EnrolmentTest : public testing::Test {
 protected:
  void SetUp() override {
    auto passphrase = std::make_unique<FakeProtector>(ProtectorKind::kPassphrase);
    by_passphrase_ = passphrase.get();
    kinds_[ProtectorKind::kPassphrase] = std::move(passphrase);
    for (const ProtectorKind kind : {ProtectorKind::kRecovery, ProtectorKind::kKeyFile}) {
      kinds_[kind] = std::make_unique<FakeProtector>(kind);
    }
  }
  KeyRecord Record() { return *store_.FindKey(1, kDefaultKeyName); }

  FakeClock clock_;
  FakeKeyStore store_;
  ProtectorKinds kinds_;
  FakeProtector* by_passphrase_ = nullptr;
  KeyOpener opener_{kinds_, clock_};
  Enrolment enrolment_{store_, kinds_, opener_, clock_};
};

TEST_F(EnrolmentTest, BothProtectorsOpenTheSameKey) {
  const auto enrolled = enrolment_.Enrol(1, Text("passphrase"));
  ASSERT_TRUE(enrolled.ok());
  const auto first = opener_.Open(Record(), Passphrase("passphrase"));
  const auto second = opener_.Open(
      Record(), {.kind = CredentialKind::kRecoveryCode, .secret = enrolled->recovery_code.Clone()});
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(SecretsEqual(first->key, second->key));
  EXPECT_EQ(first->key.size(), kMasterKeySize);
  EXPECT_EQ(FscryptKeyIdentifier(first->key), enrolled->identifier);
}

TEST_F(EnrolmentTest, KeysOfTwoUsersDiffer) {
  const auto one = enrolment_.Enrol(1, Text("passphrase"));
  const auto two = enrolment_.Enrol(2, Text("passphrase"));
  EXPECT_NE(one->identifier, two->identifier);
  EXPECT_FALSE(SecretsEqual(one->recovery_code, two->recovery_code));
}

TEST_F(EnrolmentTest, UnusablePassphrasesEnrolNothing) {
  EXPECT_EQ(ReasonOf(enrolment_.Enrol(1, Text("1234567")).status()),
            ErrorReason::kPassphraseTooShort);
  EXPECT_EQ(ReasonOf(enrolment_.Enrol(1, SecretBuffer(kMaxPassphraseSize + 1)).status()),
            ErrorReason::kPassphraseTooLong);
  EXPECT_TRUE(store_.keys.empty());
}

TEST_F(EnrolmentTest, StoreFailureIsReported) {
  store_.failure = Error(ErrorReason::kStoreUnwritable, "disk full");
  EXPECT_EQ(ReasonOf(enrolment_.Enrol(1, Text("passphrase")).status()),
            ErrorReason::kStoreUnwritable);
}

TEST_F(EnrolmentTest, ChangedPassphraseReplacesOnlyThePassphrase) {
  const auto enrolled = enrolment_.Enrol(1, Text("passphrase"));
  ASSERT_TRUE(enrolled.ok());
  ASSERT_TRUE(enrolment_.ChangePassphrase(1, Passphrase("passphrase"), Text("new phrase")).ok());
  EXPECT_EQ(Record().protectors.size(), 2U);
  EXPECT_EQ(Record().identifier, enrolled->identifier);
  EXPECT_FALSE(opener_.Open(Record(), Passphrase("passphrase")).ok());
  EXPECT_TRUE(opener_.Open(Record(), Passphrase("new phrase")).ok());
}

TEST_F(EnrolmentTest, ChangedPassphraseRewrapsAllThatTheOldOneOpensAndNothingElse) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  const Credential code = {
      .kind = CredentialKind::kRecoveryCode,
      .secret = enrolment_.RenewRecovery(1, Passphrase("passphrase"))->Clone()};
  const SecretBuffer key = opener_.Open(Record(), code)->key.Clone();
  for (const char* text : {"passphrase", "another one"}) {
    auto protector = by_passphrase_->Wrap({}, key, Text(text), {});
    protector->name = "second";
    ASSERT_TRUE(store_.AddProtector(1, kDefaultKeyName, *protector).ok());
  }
  ASSERT_TRUE(enrolment_.ChangePassphrase(1, Passphrase("passphrase"), Text("new phrase")).ok());
  size_t rewrapped = 0;
  size_t named = 0;
  for (const ProtectorRecord& protector : Record().protectors) {
    if (by_passphrase_->Unwrap({}, protector, Text("new phrase")).ok()) ++rewrapped;
    if (protector.name == "second") ++named;
  }
  EXPECT_EQ(rewrapped, 2U);
  EXPECT_EQ(named, 2U);
  EXPECT_EQ(Record().protectors.size(), 4U);
  EXPECT_FALSE(opener_.Open(Record(), Passphrase("passphrase")).ok());
  EXPECT_TRUE(opener_.Open(Record(), Passphrase("another one")).ok());
  // Forgotten: the recovery code ends them all.
  ASSERT_TRUE(enrolment_.ChangePassphrase(1, code, Text("third phrase")).ok());
  EXPECT_FALSE(opener_.Open(Record(), Passphrase("another one")).ok());
  EXPECT_TRUE(opener_.Open(Record(), Passphrase("third phrase")).ok());
}

TEST_F(EnrolmentTest, ProtectorIsCalledWhatItsOwnerSays) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  const ProtectorId id = Record().protectors[1].id;
  EXPECT_TRUE(enrolment_.RenameProtector(1, id, "in the safe").ok());
  EXPECT_EQ(Record().protectors[1].name, "in the safe");
  for (const std::string& name : {std::string(65, 'a'), std::string("two\nlines")}) {
    EXPECT_EQ(ReasonOf(enrolment_.RenameProtector(1, id, name)),
              ErrorReason::kProtectorNameInvalid);
  }
  EXPECT_EQ(Record().protectors[1].name, "in the safe");
}

TEST_F(EnrolmentTest, WrongOrUnusablePassphraseChangesNothing) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  EXPECT_EQ(ReasonOf(enrolment_.ChangePassphrase(1, Passphrase("nonsense"), Text("new phrase"))),
            ErrorReason::kWrongPassphrase);
  EXPECT_EQ(ReasonOf(enrolment_.ChangePassphrase(1, Passphrase("passphrase"), Text("new"))),
            ErrorReason::kPassphraseTooShort);
  EXPECT_TRUE(opener_.Open(Record(), Passphrase("passphrase")).ok());
}

TEST_F(EnrolmentTest, RecoveryCodeReplacesAForgottenPassphrase) {
  const auto enrolled = enrolment_.Enrol(1, Text("passphrase"));
  ASSERT_TRUE(
      enrolment_
          .ChangePassphrase(
              1, {.kind = CredentialKind::kRecoveryCode, .secret = enrolled->recovery_code.Clone()},
              Text("new phrase"))
          .ok());
  EXPECT_TRUE(opener_.Open(Record(), Passphrase("new phrase")).ok());
  EXPECT_FALSE(opener_.Open(Record(), Passphrase("passphrase")).ok());
}

TEST_F(EnrolmentTest, RenewedRecoveryCodeReplacesTheOld) {
  const auto enrolled = enrolment_.Enrol(1, Text("passphrase"));
  const auto renewed = enrolment_.RenewRecovery(1, Passphrase("passphrase"));
  ASSERT_TRUE(renewed.ok());
  EXPECT_EQ(ReasonOf(opener_
                         .Open(Record(), {.kind = CredentialKind::kRecoveryCode,
                                          .secret = enrolled->recovery_code.Clone()})
                         .status()),
            ErrorReason::kWrongRecoveryCode);
  EXPECT_TRUE(
      opener_.Open(Record(), {.kind = CredentialKind::kRecoveryCode, .secret = renewed->Clone()})
          .ok());
}

TEST_F(EnrolmentTest, KeyFileOpensUntilItIsRemoved) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  const SecretBuffer contents(kKeyFileSize);
  const auto id = enrolment_.AddKeyFile(1, Passphrase("passphrase"), contents);
  ASSERT_TRUE(id.ok());
  const Credential by_file{.kind = CredentialKind::kKeyFile, .secret = contents.Clone()};
  EXPECT_TRUE(opener_.Open(Record(), by_file).ok());
  EXPECT_EQ(ReasonOf(enrolment_.RemoveProtector(1, Passphrase("nonsense"), *id)),
            ErrorReason::kWrongPassphrase);
  EXPECT_TRUE(opener_.Open(Record(), by_file).ok());
  EXPECT_TRUE(enrolment_.RemoveProtector(1, by_file, *id).ok());
  EXPECT_EQ(ReasonOf(opener_.Open(Record(), by_file).status()), ErrorReason::kWrongKeyFile);
}

TEST_F(EnrolmentTest, KeyFileOfTheWrongSizeIsRefused) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  EXPECT_EQ(ReasonOf(enrolment_.AddKeyFile(1, Passphrase("passphrase"), SecretBuffer(63)).status()),
            ErrorReason::kKeyFileUnusable);
}

TEST_F(EnrolmentTest, RemovedPassphraseAndRecoveryCodeCanBeMadeAgain) {
  const auto enrolled = enrolment_.Enrol(1, Text("passphrase"));
  const Credential code{.kind = CredentialKind::kRecoveryCode,
                        .secret = enrolled->recovery_code.Clone()};
  ASSERT_TRUE(enrolment_.RemoveProtector(1, code, Record().protectors[0].id).ok());
  ASSERT_TRUE(enrolment_.ChangePassphrase(1, code, Text("new phrase")).ok());
  ASSERT_EQ(Record().protectors.size(), 2U);
  ASSERT_TRUE(
      enrolment_.RemoveProtector(1, Passphrase("new phrase"), Record().protectors[0].id).ok());
  ASSERT_TRUE(enrolment_.RenewRecovery(1, Passphrase("new phrase")).ok());
  EXPECT_EQ(Record().protectors.size(), 2U);
}

TEST_F(EnrolmentTest, MistypedRecoveryCodeIsNoGuess) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(
        ReasonOf(
            opener_.Open(Record(), {.kind = CredentialKind::kRecoveryCode, .secret = Text("ABCDE")})
                .status()),
        ErrorReason::kRecoveryCodeMistyped);
  }
  EXPECT_TRUE(opener_.Open(Record(), Passphrase("passphrase")).ok());
}

TEST_F(EnrolmentTest, ThrottledGuessesAreNotEvenTried) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  for (int i = 0; i < 20; ++i) opener_.Open(Record(), Passphrase("nonsense")).IgnoreError();
  EXPECT_EQ(by_passphrase_->unwraps, GuessLimiter::kFreeGuesses);
}

TEST_F(EnrolmentTest, DamagedProtectorIsNotCalledAWrongGuess) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  by_passphrase_->failure = Error(ErrorReason::kStoreCorrupt, "damaged");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ReasonOf(opener_.Open(Record(), Passphrase("passphrase")).status()),
              ErrorReason::kStoreCorrupt);
  }
}

TEST_F(EnrolmentTest, KeyThatIsNotTheRecordsIsRefused) {
  ASSERT_TRUE(enrolment_.Enrol(1, Text("passphrase")).ok());
  KeyRecord record = Record();
  record.identifier[0] ^= 1;
  EXPECT_EQ(ReasonOf(opener_.Open(record, Passphrase("passphrase")).status()),
            ErrorReason::kStoreCorrupt);
}

}  // namespace
}  // namespace ext4crypt
