// SPDX-License-Identifier: Apache-2.0
// Unlock, lock and status, with fakes for the kernel.
#include "daemon/core/vault.h"

#include <gtest/gtest.h>

#include <memory>

#include "common/error.h"
#include "daemon/core/enrolment.h"
#include "tests/fakes/fakes.h"

namespace ext4crypt {
namespace {

const Volume kSealed = {.device = 1, .mount_point = "/sealed", .authenticated = true};
const Volume kSealed2 = {.device = 2, .mount_point = "/sealed2", .authenticated = true};
const Volume kPlain = {.device = 3, .mount_point = "/plain", .authenticated = false};

class VaultTest : public testing::Test {
 protected:
  void SetUp() override {
    kinds_[ProtectorKind::kPassphrase] =
        std::make_unique<FakeProtector>(ProtectorKind::kPassphrase);
    kinds_[ProtectorKind::kRecovery] = std::make_unique<FakeProtector>(ProtectorKind::kRecovery);
    volumes_.volumes = {kSealed, kSealed2, kPlain};
    const auto enrolled = enrolment_.Enrol(kUid, SecretBuffer::CopyOf(absl::string_view(kPhrase)));
    ASSERT_TRUE(enrolled.ok());
    identifier_ = enrolled->identifier;
  }
  absl::StatusOr<UnlockReport> Unlock() { return Unlock(vault_); }
  absl::StatusOr<UnlockReport> Unlock(Vault& vault) {
    return vault.Unlock(kUid, {.kind = ProtectorKind::kPassphrase,
                               .secret = SecretBuffer::CopyOf(absl::string_view(kPhrase))});
  }
  bool Claimed(const Volume& volume) {
    return volumes_.keys[{volume.device, identifier_}].claims.contains(kUid);
  }
  KeyState State() { return vault_.GetStatus(kUid)->at(0).state; }

  static constexpr Uid kUid = 1000;
  static constexpr char kPhrase[] = "passphrase";

  FakeClock clock_;
  FakeKeyStore store_;
  ProtectorKinds kinds_;
  KeyOpener opener_{kinds_, clock_};
  Enrolment enrolment_{store_, kinds_, opener_, clock_};
  FakeVolumeKeys volumes_;
  FakeUserKeyring keyring_;
  FakeBusyScanner scanner_;
  Sessions sessions_;
  Vault vault_{store_, opener_, volumes_, keyring_, scanner_, sessions_, clock_, {}};
  // A second service on the same store and kernel: what a restart leaves.
  Vault restarted_{store_, opener_, volumes_, keyring_, scanner_, sessions_, clock_, {}};
  Vault permissive_{
      store_, opener_, volumes_, keyring_, scanner_, sessions_, clock_, {.allow_unauthenticated = true}};
  KeyIdentifier identifier_{};
};

TEST_F(VaultTest, UnlockReachesEveryAuthenticatedVolumeAndTheKeyring) {
  const auto report = Unlock();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->volumes.size(), 2U);
  EXPECT_TRUE(Claimed(kSealed));
  EXPECT_TRUE(Claimed(kSealed2));
  EXPECT_FALSE(Claimed(kPlain)) << "nobody asked for unauthenticated volumes";
  EXPECT_TRUE(keyring_.installed.contains(kUid));
  EXPECT_EQ(State(), KeyState::kUnlocked);
}

TEST_F(VaultTest, PlainVolumesOnlyWhenAllowed) {
  ASSERT_TRUE(Unlock(permissive_).ok());
  EXPECT_TRUE(Claimed(kPlain));
}

TEST_F(VaultTest, OneVolumesRefusalDoesNotStopTheOthers) {
  volumes_.failing = {kSealed.device};
  const auto report = Unlock();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(ReasonOf(report->volumes[0].error), ErrorReason::kVolumeFailed);
  EXPECT_TRUE(Claimed(kSealed2));
}

TEST_F(VaultTest, KeyringFailureIsReportedAndVolumesStayUnlocked) {
  keyring_.failure = Error(ErrorReason::kKeyringFailed, "told to");
  const auto report = Unlock();
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->keyring_installed);
  EXPECT_TRUE(Claimed(kSealed));
}

TEST_F(VaultTest, LockTakesEverythingAway) {
  ASSERT_TRUE(Unlock().ok());
  const auto report = vault_.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kLocked);
  EXPECT_FALSE(Claimed(kSealed));
  EXPECT_FALSE(Claimed(kSealed2));
  EXPECT_FALSE(keyring_.installed.contains(kUid));
  EXPECT_EQ(State(), KeyState::kLocked);
  EXPECT_FALSE(vault_.GetStatus(kUid)->at(0).held_by_service);
}

TEST_F(VaultTest, LockingALockedVaultIsFine) {
  const auto report = vault_.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kLocked);
  EXPECT_TRUE(report->volumes.empty());
}

TEST_F(VaultTest, BusyUntilTheLastFileIsClosedThenLockedByItself) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.open_files = {kSealed2.device};
  scanner_.found = {BusyProcess{.pid = 7}};
  const auto report = vault_.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kBusy);
  EXPECT_EQ(report->busy.size(), 1U);
  ASSERT_EQ(scanner_.asked.size(), 1U) << "only the busy volume is worth looking at";
  EXPECT_EQ(scanner_.asked[0].device, kSealed2.device);
  EXPECT_EQ(State(), KeyState::kBusy);
  clock_.now_ms += Vault::kFirstBusyWaitMs;
  EXPECT_TRUE(vault_.FinishBusyLocks());
  EXPECT_EQ(State(), KeyState::kBusy);
  volumes_.open_files.clear();
  EXPECT_TRUE(vault_.FinishBusyLocks()) << "not yet time to ask the kernel again";
  clock_.now_ms += Vault::kMaxBusyWaitMs;
  EXPECT_FALSE(vault_.FinishBusyLocks());
  EXPECT_EQ(State(), KeyState::kLocked);
}

TEST_F(VaultTest, UnlockWhileBusyEndsTheWaiting) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.open_files = {kSealed.device};
  ASSERT_TRUE(vault_.Lock(kUid).ok());
  ASSERT_TRUE(Unlock().ok());
  clock_.now_ms += Vault::kMaxBusyWaitMs;
  EXPECT_FALSE(vault_.FinishBusyLocks());
  EXPECT_TRUE(Claimed(kSealed)) << "the background must not lock what was unlocked again";
  EXPECT_EQ(State(), KeyState::kUnlocked);
}

TEST_F(VaultTest, NewVolumeGetsTheKeyOnlyWhileUnlocked) {
  volumes_.volumes = {kSealed};
  ASSERT_TRUE(Unlock().ok());
  volumes_.volumes = {kSealed, kSealed2, kPlain};
  vault_.AddKeysToNewVolumes();
  EXPECT_TRUE(Claimed(kSealed2));
  EXPECT_FALSE(Claimed(kPlain));
  ASSERT_TRUE(vault_.Lock(kUid).ok());
  vault_.AddKeysToNewVolumes();
  EXPECT_FALSE(Claimed(kSealed));
}

TEST_F(VaultTest, RestartedServiceReportsTheKernelsStateAndCanLock) {
  ASSERT_TRUE(Unlock().ok());
  const auto status = restarted_.GetStatus(kUid);
  EXPECT_EQ(status->at(0).state, KeyState::kUnlocked);
  EXPECT_FALSE(status->at(0).held_by_service);
  ASSERT_TRUE(restarted_.Lock(kUid).ok());
  EXPECT_FALSE(Claimed(kSealed));
}

TEST_F(VaultTest, LockReachesPlainVolumesOfAnEarlierPermissiveRun) {
  ASSERT_TRUE(Unlock(permissive_).ok());
  ASSERT_TRUE(restarted_.Lock(kUid).ok());
  EXPECT_FALSE(Claimed(kPlain));
}

TEST_F(VaultTest, KeyOfOthersStaysWithThem) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.keys[{kSealed.device, identifier_}].claims.insert(2000);
  const auto report = vault_.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->volumes[0].claimed_by_others);
  EXPECT_EQ(report->state, KeyState::kLocked);
  EXPECT_TRUE((volumes_.keys[{kSealed.device, identifier_}].claims.contains(2000)));
}

TEST_F(VaultTest, FailedRemovalIsNotReportedAsLocked) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.failing = {kSealed.device};
  const auto report = vault_.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kUnlocked);
  EXPECT_FALSE(report->volumes[0].error.ok());
  EXPECT_FALSE(Claimed(kSealed2)) << "the other volume is locked all the same";
}

TEST_F(VaultTest, WrongPassphraseTouchesNothing) {
  const auto report =
      vault_.Unlock(kUid, {.kind = ProtectorKind::kPassphrase,
                           .secret = SecretBuffer::CopyOf(absl::string_view("nonsense"))});
  EXPECT_EQ(ReasonOf(report.status()), ErrorReason::kWrongPassphrase);
  EXPECT_TRUE(volumes_.keys.empty());
  EXPECT_TRUE(keyring_.installed.empty());
}

TEST_F(VaultTest, StrangersAreNotEnrolled) {
  EXPECT_EQ(ReasonOf(vault_.Lock(1).status()), ErrorReason::kNotEnrolled);
  EXPECT_TRUE(vault_.GetStatus(1)->empty());
}

TEST_F(VaultTest, UnreachableVolumeIsShownWithItsError) {
  volumes_.unreachable = {kSealed.device};
  const auto status = vault_.GetStatus(kUid);
  ASSERT_TRUE(status.ok());
  EXPECT_FALSE(status->at(0).volumes.at(0).error.ok());
}

}  // namespace
}  // namespace ext4crypt
