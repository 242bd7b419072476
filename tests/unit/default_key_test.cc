// SPDX-License-Identifier: Apache-2.0
// Unlock, lock and status of a default key, with fakes for the kernel.
#include "daemon/core/default_key.h"

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

class DefaultKeyTest : public testing::Test {
 protected:
  struct Service {
    Service(DefaultKeyTest& test, HeldKeysOptions options)
        : held(test.volumes_, test.scanner_, test.clock_, options),
          default_key(test.store_, test.opener_, held, test.keyring_, test.sessions_, test.clock_,
                      {}) {}
    HeldKeys held;
    DefaultKey default_key;
  };

  void SetUp() override {
    kinds_[ProtectorKind::kPassphrase] =
        std::make_unique<FakeProtector>(ProtectorKind::kPassphrase);
    kinds_[ProtectorKind::kRecovery] = std::make_unique<FakeProtector>(ProtectorKind::kRecovery);
    volumes_.volumes = {kSealed, kSealed2, kPlain};
    const auto enrolled = enrolment_.Enrol(kUid, SecretBuffer::CopyOf(absl::string_view(kPhrase)));
    ASSERT_TRUE(enrolled.ok());
    identifier_ = enrolled->identifier;
  }
  absl::StatusOr<UnlockReport> Unlock() { return Unlock(service_.default_key); }
  absl::StatusOr<UnlockReport> Unlock(DefaultKey& default_key) {
    return default_key.Unlock(kUid, {.kind = CredentialKind::kPassphrase,
                                     .secret = SecretBuffer::CopyOf(absl::string_view(kPhrase))});
  }
  bool Claimed(const Volume& volume) {
    return volumes_.keys[{volume.device, identifier_}].claims.contains(kUid);
  }
  KeyReport Status(Service& service) {
    return service.held.ReportOn(kUid, *store_.ListKeys(kUid))->at(0);
  }
  KeyReport Status() { return Status(service_); }
  KeyState State() { return Status().state; }

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
  Service service_{*this, {}};
  // A second service on the same store and kernel: what a restart leaves.
  Service restarted_{*this, {}};
  Service permissive_{*this, {.allow_unauthenticated = true}};
  KeyIdentifier identifier_{};
};

TEST_F(DefaultKeyTest, UnlockReachesEveryAuthenticatedVolumeAndTheKeyring) {
  const auto report = Unlock();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->volumes.size(), 2U);
  EXPECT_TRUE(Claimed(kSealed));
  EXPECT_TRUE(Claimed(kSealed2));
  EXPECT_FALSE(Claimed(kPlain)) << "nobody asked for unauthenticated volumes";
  EXPECT_TRUE(keyring_.installed.contains(kUid));
  EXPECT_EQ(State(), KeyState::kUnlocked);
}

TEST_F(DefaultKeyTest, PlainVolumesOnlyWhenAllowed) {
  ASSERT_TRUE(Unlock(permissive_.default_key).ok());
  EXPECT_TRUE(Claimed(kPlain));
}

TEST_F(DefaultKeyTest, OneVolumesRefusalDoesNotStopTheOthers) {
  volumes_.failing = {kSealed.device};
  const auto report = Unlock();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(ReasonOf(report->volumes[0].error), ErrorReason::kVolumeFailed);
  EXPECT_TRUE(Claimed(kSealed2));
}

TEST_F(DefaultKeyTest, KeyringFailureIsReportedAndVolumesStayUnlocked) {
  keyring_.failure = Error(ErrorReason::kKeyringFailed, "told to");
  const auto report = Unlock();
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->keyring_installed);
  EXPECT_TRUE(Claimed(kSealed));
}

TEST_F(DefaultKeyTest, LockTakesEverythingAway) {
  ASSERT_TRUE(Unlock().ok());
  const auto report = service_.default_key.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kLocked);
  EXPECT_FALSE(Claimed(kSealed));
  EXPECT_FALSE(Claimed(kSealed2));
  EXPECT_FALSE(keyring_.installed.contains(kUid));
  EXPECT_EQ(State(), KeyState::kLocked);
  EXPECT_FALSE(Status().held_by_service);
}

TEST_F(DefaultKeyTest, LockingALockedKeyIsFine) {
  const auto report = service_.default_key.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kLocked);
  EXPECT_TRUE(report->volumes.empty());
}

TEST_F(DefaultKeyTest, BusyUntilTheLastFileIsClosedThenLockedByItself) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.open_files = {kSealed2.device};
  scanner_.found = {BusyProcess{.pid = 7}};
  const auto report = service_.default_key.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kBusy);
  EXPECT_EQ(report->busy.size(), 1U);
  ASSERT_EQ(scanner_.asked.size(), 1U) << "only the busy volume is worth looking at";
  EXPECT_EQ(scanner_.asked[0].device, kSealed2.device);
  EXPECT_EQ(State(), KeyState::kBusy);
  clock_.now_ms += HeldKeys::kFirstBusyWaitMs;
  EXPECT_TRUE(service_.held.FinishBusyLocks());
  EXPECT_EQ(State(), KeyState::kBusy);
  volumes_.open_files.clear();
  EXPECT_TRUE(service_.held.FinishBusyLocks()) << "not yet time to ask the kernel again";
  clock_.now_ms += HeldKeys::kMaxBusyWaitMs;
  EXPECT_FALSE(service_.held.FinishBusyLocks());
  EXPECT_EQ(State(), KeyState::kLocked);
}

TEST_F(DefaultKeyTest, UnlockWhileBusyEndsTheWaiting) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.open_files = {kSealed.device};
  ASSERT_TRUE(service_.default_key.Lock(kUid).ok());
  ASSERT_TRUE(Unlock().ok());
  clock_.now_ms += HeldKeys::kMaxBusyWaitMs;
  EXPECT_FALSE(service_.held.FinishBusyLocks());
  EXPECT_TRUE(Claimed(kSealed)) << "the background must not lock what was unlocked again";
  EXPECT_EQ(State(), KeyState::kUnlocked);
}

TEST_F(DefaultKeyTest, NewVolumeGetsTheKeyOnlyWhileUnlocked) {
  volumes_.volumes = {kSealed};
  ASSERT_TRUE(Unlock().ok());
  volumes_.volumes = {kSealed, kSealed2, kPlain};
  service_.held.AddKeysToNewVolumes();
  EXPECT_TRUE(Claimed(kSealed2));
  EXPECT_FALSE(Claimed(kPlain));
  ASSERT_TRUE(service_.default_key.Lock(kUid).ok());
  service_.held.AddKeysToNewVolumes();
  EXPECT_FALSE(Claimed(kSealed));
}

TEST_F(DefaultKeyTest, RestartedServiceReportsTheKernelsStateAndCanLock) {
  ASSERT_TRUE(Unlock().ok());
  EXPECT_EQ(Status(restarted_).state, KeyState::kUnlocked);
  EXPECT_FALSE(Status(restarted_).held_by_service);
  ASSERT_TRUE(restarted_.default_key.Lock(kUid).ok());
  EXPECT_FALSE(Claimed(kSealed));
}

TEST_F(DefaultKeyTest, LockReachesPlainVolumesOfAnEarlierPermissiveRun) {
  ASSERT_TRUE(Unlock(permissive_.default_key).ok());
  ASSERT_TRUE(restarted_.default_key.Lock(kUid).ok());
  EXPECT_FALSE(Claimed(kPlain));
}

TEST_F(DefaultKeyTest, KeyOfOthersStaysWithThem) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.keys[{kSealed.device, identifier_}].claims.insert(2000);
  const auto report = service_.default_key.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->volumes[0].claimed_by_others);
  EXPECT_EQ(report->state, KeyState::kLocked);
  EXPECT_TRUE((volumes_.keys[{kSealed.device, identifier_}].claims.contains(2000)));
}

TEST_F(DefaultKeyTest, FailedRemovalIsNotReportedAsLocked) {
  ASSERT_TRUE(Unlock().ok());
  volumes_.failing = {kSealed.device};
  const auto report = service_.default_key.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kUnlocked);
  EXPECT_FALSE(report->volumes[0].error.ok());
  EXPECT_FALSE(Claimed(kSealed2)) << "the other volume is locked all the same";
}

TEST_F(DefaultKeyTest, WrongPassphraseTouchesNothing) {
  const auto report = service_.default_key.Unlock(
      kUid, {.kind = CredentialKind::kPassphrase,
             .secret = SecretBuffer::CopyOf(absl::string_view("nonsense"))});
  EXPECT_EQ(ReasonOf(report.status()), ErrorReason::kWrongPassphrase);
  EXPECT_TRUE(volumes_.keys.empty());
  EXPECT_TRUE(keyring_.installed.empty());
}

TEST_F(DefaultKeyTest, StrangersAreNotEnrolled) {
  EXPECT_EQ(ReasonOf(service_.default_key.Lock(1).status()), ErrorReason::kNotEnrolled);
}

TEST_F(DefaultKeyTest, UnreachableVolumeIsShownWithItsError) {
  volumes_.unreachable = {kSealed.device};
  EXPECT_FALSE(Status().volumes.at(0).error.ok());
}

}  // namespace
}  // namespace ext4crypt
