// SPDX-License-Identifier: Apache-2.0
// Disks that are full or read-only, and what memory holds after a lock.
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

#include "common/recovery_code.h"
#include "daemon/store/sqlite_key_store.h"
#include "keys/protectors/hkdf_protector.h"
#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;

class FaultsTest : public KeydTest {
 protected:
  // The state directory on a file system of its own, of `size`.
  void MountState(const std::string& size) {
    MustRun({"mkdir", "-p", state_dir()});
    ASSERT_EQ(mount("tmpfs", state_dir().c_str(), "tmpfs", 0, ("mode=0700,size=" + size).c_str()),
              0);
  }
  void TearDown() override {
    KeydTest::TearDown();
    umount2(state_dir().c_str(), MNT_DETACH);
  }
  static bool Opens(const RunResult& result) { return result.exit_code == 0; }
};

TEST_F(FaultsTest, FullDiskIsReportedAndWhatIsThereStaysUsable) {
  MountState("512k");
  StartDaemon();
  std::string code;
  Enrol(alice(), kPassphrase, &code);
  MustRun({"sh", "-c", "cat /dev/zero > " + state_dir() + "/filler 2>/dev/null; true"});
  const RunResult enrol =
      Cli(bob(), {"enrol", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  EXPECT_EQ(enrol.exit_code, 17) << enrol.out;
  EXPECT_EQ(JsonField(enrol.out, "reason"), "STORE_UNWRITABLE");
  const RunResult change = Cli(alice(), {"passphrase", "change", "--passphrase-fd", "3"},
                               std::string(kPassphrase) + "\nanother passphrase\n");
  EXPECT_EQ(change.exit_code, 17) << change.out;
  Unlock(alice(), kPassphrase);
  MustRun({"rm", state_dir() + "/filler"});
  Enrol(bob(), kPassphrase);
  Unlock(alice(), kPassphrase);
}

TEST_F(FaultsTest, DiskThatTurnsReadOnlyStillUnlocks) {
  MountState("4m");
  StartDaemon();
  Enrol(alice(), kPassphrase);
  ASSERT_EQ(StopDaemon(), 0);
  ASSERT_EQ(mount(nullptr, state_dir().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const RunResult refused = TryDaemon();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr(state_dir()));
  ASSERT_EQ(mount(nullptr, state_dir().c_str(), nullptr, MS_REMOUNT, nullptr), 0);
  StartDaemon();
  Unlock(alice(), kPassphrase);
}

// Calls `visit` with each readable region of a process's memory.
void ForEachRegion(pid_t pid, const std::function<void(const std::string&)>& visit) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream maps(proc + "/maps");
  std::ifstream memory(proc + "/mem", std::ios::binary);
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) != 3 || mode[0] != 'r') {
      continue;
    }
    // The shadow of AddressSanitizer is terabytes of nothing.
    if (end - begin > (1UL << 30) || line.find("[v") != std::string::npos) continue;
    std::string region(end - begin, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(region.data(), static_cast<std::streamsize>(region.size()));
    region.resize(static_cast<size_t>(std::max<std::streamsize>(memory.gcount(), 0)));
    visit(region);
  }
}

int CountInMemory(pid_t pid, const std::string& needle) {
  int found = 0;
  ForEachRegion(pid, [&](const std::string& region) {
    for (size_t at = region.find(needle); at != std::string::npos;
         at = region.find(needle, at + 1)) {
      ++found;
    }
  });
  return found;
}

TEST_F(FaultsTest, NeitherKeyNorPassphraseIsInMemoryAfterLock) {
  StartDaemon();
  std::string code;
  Enrol(alice(), kPassphrase, &code);
  Unlock(alice(), kPassphrase);
  // The key itself, by the recovery code, from a copy of the store.
  MustRun({"sh", "-c",
           "mkdir " + work() + "/copy && cp " + state_dir() + "/keys.db* " + work() + "/copy/"});
  const auto store = SqliteKeyStore::Open(work() + "/copy/keys.db");
  ASSERT_TRUE(store.ok());
  const auto record = (*store)->FindKey(alice(), kDefaultKeyName);
  ASSERT_TRUE(record.ok());
  std::string key;
  for (const ProtectorRecord& protector : record->protectors) {
    if (protector.kind != ProtectorKind::kRecovery) continue;
    const auto opened = HkdfProtector(ProtectorKind::kRecovery)
                            .Unwrap({.uid = alice(), .identifier = record->identifier}, protector,
                                    *ParseRecoveryCode(code));
    ASSERT_TRUE(opened.ok());
    key = std::string(opened->text());
  }
  ASSERT_EQ(key.size(), kMasterKeySize);
  EXPECT_GT(CountInMemory(daemon_pid(), key), 0) << "the search finds nothing even when it should";
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  for (size_t at = 0; at < key.size(); at += 16) {
    EXPECT_EQ(CountInMemory(daemon_pid(), key.substr(at, 16)), 0) << "bytes from " << at;
  }
#ifndef __SANITIZE_ADDRESS__
  // gRPC's buffers have held these; AddressSanitizer keeps what is freed for a while.
  EXPECT_EQ(CountInMemory(daemon_pid(), kPassphrase), 0) << "the passphrase";
  EXPECT_EQ(CountInMemory(daemon_pid(), code), 0) << "the recovery code";
#endif
}

}  // namespace
}  // namespace ext4crypt
