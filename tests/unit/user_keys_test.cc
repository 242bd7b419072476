// SPDX-License-Identifier: Apache-2.0
// A user's keys together: the named ones open with the default key and go with it.
#include "daemon/core/user_keys.h"

#include <gtest/gtest.h>

#include <memory>

#include "common/error.h"
#include "daemon/core/enrolment.h"
#include "keys/protectors/hkdf_protector.h"
#include "keys/protectors/share_protector.h"
#include "tests/fakes/fakes.h"

namespace ext4crypt {
namespace {

class UserKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const ProtectorKind kind : {ProtectorKind::kPassphrase, ProtectorKind::kRecovery}) {
      kinds_[kind] = std::make_unique<FakeProtector>(kind);
    }
    kinds_[ProtectorKind::kDefaultKey] =
        std::make_unique<HkdfProtector>(ProtectorKind::kDefaultKey);
    kinds_[ProtectorKind::kShare] = std::make_unique<ShareProtector>();
    volumes_.volumes = {{.device = 1, .mount_point = "/sealed", .authenticated = true}};
    for (const Uid uid : {kUid, kOther}) ASSERT_TRUE(enrolment_.Enrol(uid, Phrase()).ok());
    ASSERT_TRUE(Unlock(kUid).ok());
    ASSERT_TRUE(named_keys_.Create(kUid, "backup").ok());
  }
  static SecretBuffer Phrase() { return SecretBuffer::CopyOf(absl::string_view("passphrase")); }
  absl::StatusOr<UnlockReport> Unlock(Uid uid) {
    return user_keys_.Unlock(uid, {.kind = CredentialKind::kPassphrase, .secret = Phrase()},
                             UnlockFor::kUser);
  }
  std::vector<KeyReport> Keys(Uid uid) {
    absl::StatusOr<UserReport> report = user_keys_.GetStatus(uid);
    EXPECT_TRUE(report.ok());
    return report.ok() ? std::move(report->keys) : std::vector<KeyReport>();
  }
  std::vector<std::string> Names(Uid uid) {
    std::vector<std::string> names;
    for (const KeyReport& key : Keys(uid)) names.push_back(key.record.name);
    return names;
  }
  KeyReport StatusOf(Uid uid, const std::string& name) {
    for (const KeyReport& key : Keys(uid)) {
      if (key.record.name == name) return key;
    }
    ADD_FAILURE() << "no key " << name;
    return {};
  }

  static constexpr Uid kUid = 1000;
  static constexpr Uid kOther = 1001;
  FakeClock clock_;
  FakeKeyStore store_;
  FakeNamedKeyStore named_store_{store_};
  ProtectorKinds kinds_;
  KeyOpener opener_{kinds_, clock_};
  Enrolment enrolment_{store_, kinds_, opener_, clock_};
  FakeVolumeKeys volumes_;
  FakeUserKeyring keyring_;
  FakeBusyScanner scanner_;
  Sessions sessions_;
  HeldKeys held_{volumes_, scanner_, clock_, {}};
  DefaultKey default_key_{store_, opener_, held_, keyring_, sessions_, clock_, {}};
  NamedKeys named_keys_{store_, named_store_, kinds_, held_, clock_};
  UserKeys user_keys_{store_, held_, default_key_, named_keys_, sessions_};
};

TEST_F(UserKeysTest, LockTakesEveryKeyAndUnlockBringsThemBack) {
  ASSERT_TRUE(user_keys_.Lock(kUid).ok());
  EXPECT_EQ(StatusOf(kUid, "default").state, KeyState::kLocked);
  EXPECT_EQ(StatusOf(kUid, "backup").state, KeyState::kLocked);
  EXPECT_TRUE(held_.Users().empty());
  const auto report = Unlock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->others, std::vector<std::string>{"backup"});
  EXPECT_TRUE(StatusOf(kUid, "backup").held_by_service);
}

TEST_F(UserKeysTest, BusyNamedKeyMakesTheWholeReportBusy) {
  ASSERT_TRUE(named_keys_.Lock(kUid, "backup").ok());
  ASSERT_TRUE(named_keys_.Unlock(kUid, "backup").ok());
  volumes_.open_files = {1};
  const auto report = user_keys_.Lock(kUid);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->state, KeyState::kBusy);
  EXPECT_EQ(report->volumes.size(), 2U);
}

TEST_F(UserKeysTest, NamedKeyDoesNotOutliveItsDefaultKey) {
  ASSERT_TRUE(default_key_.Lock(kUid).ok());
  EXPECT_EQ(StatusOf(kUid, "backup").state, KeyState::kUnlocked) << "until the next tick";
  user_keys_.Tick();
  EXPECT_EQ(StatusOf(kUid, "backup").state, KeyState::kLocked);
}

TEST_F(UserKeysTest, EndOfTheLastSessionLocksTheNamedKeysToo) {
  ASSERT_TRUE(user_keys_.Lock(kUid).ok());
  sessions_.Begin(kUid);
  ASSERT_TRUE(Unlock(kUid).ok());
  sessions_.End(kUid);
  user_keys_.LockAfterLastSession(kUid);
  EXPECT_EQ(StatusOf(kUid, "default").state, KeyState::kLocked);
  EXPECT_EQ(StatusOf(kUid, "backup").state, KeyState::kLocked);
}

TEST_F(UserKeysTest, KeyUnlockedOutsideSessionsKeepsTheNamedOnes) {
  sessions_.Begin(kUid);
  sessions_.End(kUid);
  user_keys_.LockAfterLastSession(kUid);
  EXPECT_EQ(StatusOf(kUid, "backup").state, KeyState::kUnlocked);
}

TEST_F(UserKeysTest, StatusHasTheDefaultKeyFirstAndGivenKeysLast) {
  ASSERT_TRUE(Unlock(kOther).ok());  // publishes what a share is sealed to
  ASSERT_TRUE(named_keys_.Create(kOther, "archive").ok());
  ASSERT_TRUE(named_keys_.Share(kUid, "backup", kOther).ok());
  EXPECT_EQ(Names(kUid), (std::vector<std::string>{"default", "backup"}));
  EXPECT_EQ(StatusOf(kUid, "backup").shared_with, std::vector<Uid>{kOther});
  EXPECT_EQ(Names(kOther), (std::vector<std::string>{"default", "archive", "1000/backup"}));
  EXPECT_EQ(StatusOf(kOther, "1000/backup").record.uid, kUid);
}

TEST_F(UserKeysTest, StrangerIsNotEnrolled) {
  const auto report = user_keys_.GetStatus(1);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->enrolled);
  EXPECT_TRUE(report->keys.empty());
  EXPECT_EQ(ReasonOf(user_keys_.Lock(1).status()), ErrorReason::kNotEnrolled);
}

}  // namespace
}  // namespace ext4crypt
