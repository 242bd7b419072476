// SPDX-License-Identifier: Apache-2.0
// Our view of keys against the kernel's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <optional>

#include "common/error.h"
#include "common/unique_fd.h"
#include "daemon/kernelio/fs_uid_scope.h"
#include "daemon/kernelio/fscrypt_volume_keys.h"
#include "keys/crypto/hkdf.h"
#include "keys/crypto/random.h"
#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

class KernelKeysTest : public KeydTest {
 protected:
  Volume FindVolume(const std::string& mount_point) {
    const auto volumes = keys_.ListVolumes();
    EXPECT_TRUE(volumes.ok());
    for (const Volume& volume : *volumes) {
      if (volume.mount_point == mount_point) return volume;
    }
    ADD_FAILURE() << mount_point << " is not listed";
    return {};
  }

  FscryptVolumeKeys keys_;
};

TEST_F(KernelKeysTest, KernelComputesTheSameIdentifier) {
  const Volume volume = FindVolume(MountVolume("a"));
  EXPECT_FALSE(volume.authenticated);
  for (int i = 0; i < 20; ++i) {
    const SecretBuffer key = RandomSecret(kMasterKeySize);
    const KeyIdentifier identifier = FscryptKeyIdentifier(key);
    // AddKey() compares with what the kernel wrote back; asking by identifier is a second proof.
    ASSERT_TRUE(keys_.AddKey(volume, alice(), identifier, key).ok());
    const auto status = keys_.GetKeyStatus(volume, alice(), identifier);
    ASSERT_TRUE(status.ok());
    EXPECT_EQ(status->presence, KeyPresence::kPresent);
    ASSERT_TRUE(keys_.RemoveKey(volume, alice(), identifier).ok());
  }
}

TEST_F(KernelKeysTest, WrongIdentifierIsNoticed) {
  const Volume volume = FindVolume(MountVolume("a"));
  const SecretBuffer key = RandomSecret(kMasterKeySize);
  const absl::Status status = keys_.AddKey(volume, alice(), KeyIdentifier{}, key);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kVolumeFailed);
  EXPECT_TRUE(keys_.RemoveKey(volume, alice(), FscryptKeyIdentifier(key)).ok());
}

TEST_F(KernelKeysTest, ClaimsOfTwoUsersAreApart) {
  const Volume volume = FindVolume(MountVolume("a"));
  const SecretBuffer key = RandomSecret(kMasterKeySize);
  const KeyIdentifier identifier = FscryptKeyIdentifier(key);
  ASSERT_TRUE(keys_.AddKey(volume, alice(), identifier, key).ok());
  EXPECT_FALSE(keys_.GetKeyStatus(volume, bob(), identifier)->claimed_by_user);
  ASSERT_TRUE(keys_.AddKey(volume, bob(), identifier, key).ok());
  const auto both = keys_.GetKeyStatus(volume, alice(), identifier);
  EXPECT_TRUE(both->claimed_by_user);
  EXPECT_TRUE(both->claimed_by_others);
  const auto removed = keys_.RemoveKey(volume, alice(), identifier);
  ASSERT_TRUE(removed.ok());
  EXPECT_TRUE(removed->claimed_by_others);
  EXPECT_EQ(keys_.GetKeyStatus(volume, bob(), identifier)->presence, KeyPresence::kPresent);
  EXPECT_TRUE(keys_.RemoveKey(volume, bob(), identifier).ok());
  EXPECT_EQ(keys_.GetKeyStatus(volume, bob(), identifier)->presence, KeyPresence::kAbsent);
}

TEST_F(KernelKeysTest, RemovingWhatIsNotThereIsFine) {
  const Volume volume = FindVolume(MountVolume("a"));
  EXPECT_TRUE(keys_.RemoveKey(volume, alice(), KeyIdentifier{}).ok());
}

TEST_F(KernelKeysTest, VolumeWithoutTheEncryptFeatureIsNotListed) {
  const std::string mount_point = MountVolume("plain", "^encrypt");
  const auto volumes = keys_.ListVolumes();
  ASSERT_TRUE(volumes.ok());
  for (const Volume& volume : *volumes) EXPECT_NE(volume.mount_point, mount_point);
}

TEST_F(KernelKeysTest, NoVolumeOfTheMachineIsInATestsReach) {
  MountVolume("a");
  const auto volumes = keys_.ListVolumes();
  ASSERT_TRUE(volumes.ok());
  for (const Volume& volume : *volumes) {
    if (volume.mount_point == "/") continue;  // which cannot go
    EXPECT_EQ(volume.mount_point.rfind(work(), 0), 0U) << volume.mount_point;
  }
}

TEST_F(KernelKeysTest, BindMountsOfAVolumeAreOneVolume) {
  const std::string mount_point = MountVolume("a");
  MustRun({"mkdir", work() + "/bind"});
  MustRun({"mount", "--bind", mount_point, work() + "/bind"});
  const auto volumes = keys_.ListVolumes();
  int listed = 0;
  for (const Volume& volume : *volumes) listed += volume.mount_point.rfind(work(), 0) == 0 ? 1 : 0;
  EXPECT_EQ(listed, 1);
  MustRun({"umount", work() + "/bind"});
}

TEST_F(KernelKeysTest, CoveredMountPointIsReachedThroughAnotherMount) {
  const std::string mount_point = MountVolume("a");
  const Volume volume = FindVolume(mount_point);
  MustRun({"mkdir", work() + "/bind"});
  MustRun({"mount", "--bind", mount_point, work() + "/bind"});
  MustRun({"mount", "-t", "tmpfs", "none", mount_point});
  const SecretBuffer key = RandomSecret(kMasterKeySize);
  EXPECT_TRUE(keys_.AddKey(volume, alice(), FscryptKeyIdentifier(key), key).ok());
  MustRun({"umount", work() + "/bind"});
  // Now nothing of it can be reached, and the tmpfs on top must not be taken for it.
  EXPECT_EQ(ReasonOf(keys_.AddKey(volume, alice(), FscryptKeyIdentifier(key), key)),
            ErrorReason::kVolumeFailed);
  MustRun({"umount", mount_point});
}

TEST_F(KernelKeysTest, FsUidComesBackAfterTheScope) {
  {
    const FsUidScope scope(alice());
    EXPECT_TRUE(scope.status().ok());
    EXPECT_EQ(static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))), alice());
    EXPECT_EQ(geteuid(), 0U);
  }
  EXPECT_EQ(setfsuid(static_cast<uid_t>(-1)), 0);
}

}  // namespace
}  // namespace ext4crypt
