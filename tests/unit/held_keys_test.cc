// SPDX-License-Identifier: Apache-2.0
// The table of held keys: several of a user, whichever is the default one.
#include "daemon/core/held_keys.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "tests/fakes/fakes.h"

namespace ext4crypt {
namespace {

class HeldKeysTest : public testing::Test {
 protected:
  HeldKeysTest() {
    volumes_.volumes = {{.device = 1, .mount_point = "/sealed", .authenticated = true}};
  }
  absl::StatusOr<UnlockReport> Give(Uid uid, const KeyIdentifier& identifier, bool is_default) {
    return held_.Give(
        held_.TurnOf(uid),
        {.identifier = identifier, .key = SecretBuffer(kMasterKeySize), .is_default = is_default});
  }
  absl::StatusOr<LockReport> Take(Uid uid, const KeyIdentifier& identifier) {
    return held_.Take(held_.TurnOf(uid), identifier);
  }
  bool Claimed(Uid uid, const KeyIdentifier& identifier) {
    return volumes_.keys[{1, identifier}].claims.contains(uid);
  }

  static constexpr Uid kUid = 1000;
  static constexpr KeyIdentifier kDefault = {1};
  static constexpr KeyIdentifier kNamed = {2};
  FakeClock clock_;
  FakeVolumeKeys volumes_;
  FakeBusyScanner scanner_;
  HeldKeys held_{volumes_, scanner_, clock_, {}};
};

TEST_F(HeldKeysTest, TheDefaultKeyIsFoundAmongTheOthersOfItsUser) {
  ASSERT_TRUE(Give(kUid, kNamed, false).ok());
  ASSERT_TRUE(Give(kUid + 1, {3}, true).ok());
  EXPECT_EQ(held_.FindDefault(kUid), nullptr);
  ASSERT_TRUE(Give(kUid, kDefault, true).ok());
  ASSERT_NE(held_.FindDefault(kUid), nullptr);
  EXPECT_EQ(held_.FindDefault(kUid)->identifier, kDefault);
  EXPECT_EQ(held_.KeysOf(kUid), (std::vector<KeyIdentifier>{kDefault, kNamed}));
  EXPECT_EQ(held_.Users(), (std::vector<Uid>{kUid, kUid + 1}));
}

TEST_F(HeldKeysTest, AnotherDefaultKeyTakesThePlaceOfTheFirst) {
  ASSERT_TRUE(Give(kUid, kDefault, true).ok());
  ASSERT_TRUE(Give(kUid, {9}, true).ok());
  EXPECT_EQ(held_.KeysOf(kUid), (std::vector<KeyIdentifier>{{9}}));
}

TEST_F(HeldKeysTest, NewVolumeGetsEveryHeldKeyAndNoneThatWasTaken) {
  volumes_.volumes.clear();
  ASSERT_TRUE(Give(kUid, kDefault, true).ok());
  ASSERT_TRUE(Give(kUid, kNamed, false).ok());
  ASSERT_TRUE(Give(kUid, {3}, false).ok());
  ASSERT_TRUE(Take(kUid, {3}).ok());
  volumes_.volumes = {{.device = 1, .mount_point = "/sealed", .authenticated = true}};
  held_.AddKeysToNewVolumes();
  EXPECT_TRUE(Claimed(kUid, kDefault));
  EXPECT_TRUE(Claimed(kUid, kNamed));
  EXPECT_FALSE(Claimed(kUid, {3}));
}

// Each try makes the kernel write the volume back.
TEST_F(HeldKeysTest, WaitsBetweenTriesDoubleForEveryKey) {
  ASSERT_TRUE(Give(kUid, kNamed, false).ok());
  volumes_.open_files = {1};
  EXPECT_EQ(Take(kUid, kNamed)->state, KeyState::kBusy);
  clock_.now_ms += HeldKeys::kFirstBusyWaitMs;
  EXPECT_TRUE(held_.FinishBusyLocks());
  volumes_.open_files.clear();
  clock_.now_ms += HeldKeys::kFirstBusyWaitMs;
  EXPECT_TRUE(held_.FinishBusyLocks()) << "not yet time for the second try";
  clock_.now_ms += HeldKeys::kFirstBusyWaitMs;
  EXPECT_FALSE(held_.FinishBusyLocks());
}

TEST_F(HeldKeysTest, BusyKeysOfOneUserAreFinishedEachByItself) {
  ASSERT_TRUE(Give(kUid, kDefault, true).ok());
  ASSERT_TRUE(Give(kUid, kNamed, false).ok());
  volumes_.open_files = {1};
  ASSERT_TRUE(Take(kUid, kDefault).ok());
  ASSERT_TRUE(Take(kUid, kNamed).ok());
  ASSERT_TRUE(Give(kUid, kNamed, false).ok());  // unlocked again
  volumes_.open_files.clear();
  clock_.now_ms += HeldKeys::kMaxBusyWaitMs;
  EXPECT_FALSE(held_.FinishBusyLocks());
  EXPECT_TRUE(Claimed(kUid, kNamed));
  EXPECT_FALSE((volumes_.keys[{1, kDefault}].incomplete));
}

}  // namespace
}  // namespace ext4crypt
