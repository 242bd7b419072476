// SPDX-License-Identifier: Apache-2.0
// Sessions counted; what their end and idleness do to a key.
#include "daemon/core/sessions.h"

#include <gtest/gtest.h>

#include <memory>

#include "common/error.h"
#include "daemon/core/default_key.h"
#include "daemon/core/enrolment.h"
#include "tests/fakes/fakes.h"

namespace ext4crypt {
namespace {

class SessionsTest : public testing::Test {
 protected:
  void SetUp() override {
    kinds_[ProtectorKind::kPassphrase] =
        std::make_unique<FakeProtector>(ProtectorKind::kPassphrase);
    kinds_[ProtectorKind::kRecovery] = std::make_unique<FakeProtector>(ProtectorKind::kRecovery);
    volumes_.volumes = {{.device = 1, .mount_point = "/sealed", .authenticated = true}};
    ASSERT_TRUE(enrolment_.Enrol(kUid, Phrase()).ok());
  }
  static SecretBuffer Phrase() { return SecretBuffer::CopyOf(absl::string_view("passphrase")); }
  absl::Status Unlock(UnlockFor purpose) {
    return default_key_
        .Unlock(kUid, {.kind = CredentialKind::kPassphrase, .secret = Phrase()}, purpose)
        .status();
  }
  void EndSession() {
    if (sessions_.End(kUid) == 0) locked_others_ = default_key_.LockAfterLastSession(kUid);
  }
  // Ticks once a second of this time.
  void Pass(int64_t seconds) {
    for (int64_t i = 0; i < seconds; ++i) {
      clock_.now_ms += 1000;
      default_key_.LockIdle();
    }
  }
  KeyState State() { return held_.ReportOn(kUid, *store_.ListKeys(kUid))->at(0).state; }

  static constexpr Uid kUid = 1000;
  static constexpr int64_t kIdleMinutes = 10;
  FakeClock clock_;
  FakeKeyStore store_;
  ProtectorKinds kinds_;
  KeyOpener opener_{kinds_, clock_};
  Enrolment enrolment_{store_, kinds_, opener_, clock_};
  FakeVolumeKeys volumes_;
  FakeUserKeyring keyring_;
  FakeBusyScanner scanner_;
  Sessions sessions_;
  bool locked_others_ = false;
  HeldKeys held_{volumes_, scanner_, clock_, {}};
  DefaultKey default_key_{
      store_, opener_, held_, keyring_, sessions_, clock_, {.idle_lock_ms = kIdleMinutes * 60'000}};
};

TEST_F(SessionsTest, AreCountedByUser) {
  sessions_.Begin(1);
  sessions_.Begin(1);
  sessions_.Begin(2);
  EXPECT_EQ(sessions_.End(1), 1U);
  EXPECT_EQ(sessions_.End(1), 0U);
  EXPECT_EQ(sessions_.Of(2), 1U);
  EXPECT_EQ(sessions_.End(1), 0U) << "one end too many harms nobody";
  EXPECT_EQ(sessions_.Of(2), 1U);
}

TEST_F(SessionsTest, LastEndLocks) {
  sessions_.Begin(kUid);
  sessions_.Begin(kUid);
  ASSERT_TRUE(Unlock(UnlockFor::kSession).ok());
  EndSession();
  EXPECT_EQ(State(), KeyState::kUnlocked);
  EndSession();
  EXPECT_EQ(State(), KeyState::kLocked);
  EXPECT_FALSE(keyring_.installed.contains(kUid));
  EXPECT_TRUE(locked_others_) << "the keys beside the default one are to go too";
}

TEST_F(SessionsTest, UnlockForASessionThatIsOverLeavesNoKey) {
  EXPECT_EQ(ReasonOf(Unlock(UnlockFor::kSession)), ErrorReason::kChangedMeanwhile);
  EXPECT_EQ(State(), KeyState::kLocked);
  EXPECT_FALSE(keyring_.installed.contains(kUid));
}

TEST_F(SessionsTest, UnlockedOutsideSessionsStaysUntilLocked) {
  ASSERT_TRUE(Unlock(UnlockFor::kUser).ok());
  sessions_.Begin(kUid);
  ASSERT_TRUE(Unlock(UnlockFor::kSession).ok());
  EndSession();
  EXPECT_EQ(State(), KeyState::kUnlocked);
  EXPECT_FALSE(locked_others_);
  ASSERT_TRUE(default_key_.Lock(kUid).ok());
  // That was forgotten with the lock.
  sessions_.Begin(kUid);
  ASSERT_TRUE(Unlock(UnlockFor::kUser).ok());
  EndSession();
  EXPECT_EQ(State(), KeyState::kLocked);
}

TEST_F(SessionsTest, NewSessionBeforeTheLockKeepsTheKey) {
  sessions_.Begin(kUid);
  ASSERT_TRUE(Unlock(UnlockFor::kSession).ok());
  ASSERT_EQ(sessions_.End(kUid), 0U);
  sessions_.Begin(kUid);
  EXPECT_FALSE(default_key_.LockAfterLastSession(kUid)) << "the other keys stay too";
  EXPECT_EQ(State(), KeyState::kUnlocked);
}

TEST_F(SessionsTest, IdleKeyIsLockedAfterTheTimeNotBefore) {
  ASSERT_TRUE(Unlock(UnlockFor::kUser).ok());
  Pass(kIdleMinutes * 60 - 31);
  EXPECT_EQ(State(), KeyState::kUnlocked);
  Pass(62);
  EXPECT_EQ(State(), KeyState::kLocked);
}

TEST_F(SessionsTest, OpenFilesOfAnotherKeyOfTheUserAreUse) {
  ASSERT_TRUE(Unlock(UnlockFor::kUser).ok());
  const KeyIdentifier named = {7};
  ASSERT_TRUE(
      held_.Give(held_.TurnOf(kUid), {.identifier = named, .key = SecretBuffer(kMasterKeySize)})
          .ok());
  scanner_.found = {BusyProcess{.pid = 1}};
  scanner_.only = named;
  Pass(2 * kIdleMinutes * 60);
  EXPECT_EQ(State(), KeyState::kUnlocked);
  ASSERT_TRUE(held_.Take(held_.TurnOf(kUid), named).ok());
  Pass(2 * kIdleMinutes * 60);
  EXPECT_EQ(State(), KeyState::kLocked) << "no key of the user's any more";
}

TEST_F(SessionsTest, OpenFilesAndSessionsAreUse) {
  ASSERT_TRUE(Unlock(UnlockFor::kUser).ok());
  scanner_.found = {BusyProcess{.pid = 1}};
  Pass(2 * kIdleMinutes * 60);
  EXPECT_EQ(State(), KeyState::kUnlocked) << "a file is open";
  scanner_.found.clear();
  sessions_.Begin(kUid);
  Pass(2 * kIdleMinutes * 60);
  EXPECT_EQ(State(), KeyState::kUnlocked) << "a session is open";
  sessions_.End(kUid);
  Pass(kIdleMinutes * 60 - 31);
  EXPECT_EQ(State(), KeyState::kUnlocked) << "the time begins with the last use";
  Pass(62);
  EXPECT_EQ(State(), KeyState::kLocked);
}

}  // namespace
}  // namespace ext4crypt
