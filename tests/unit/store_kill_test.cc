// SPDX-License-Identifier: Apache-2.0
// A service killed at any instant of a protector change leaves a usable store.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "common/error.h"
#include "daemon/store/sqlite_key_store.h"

namespace ext4crypt {
namespace {

// The n-th passphrase protector; its number is in its id.
ProtectorRecord Numbered(uint32_t n) {
  ProtectorRecord record{.kind = ProtectorKind::kPassphrase};
  for (size_t i = 0; i < 4; ++i) record.id[i] = static_cast<uint8_t>(n >> (8 * i));
  record.parameters.resize(25);
  record.nonce.resize(24);
  record.wrapped_key.resize(80, static_cast<uint8_t>(n));
  return record;
}

uint32_t NumberOf(const ProtectorRecord& record) {
  uint32_t n = 0;
  for (size_t i = 0; i < 4; ++i) n |= static_cast<uint32_t>(record.id[i]) << (8 * i);
  return n;
}

// Replaces protector after protector, telling `out` the number of each that is durable.
[[noreturn]] void ReplaceForEver(const std::string& path, uint32_t present, int out) {
  auto store = SqliteKeyStore::Open(path);
  while (store.ok()) {
    const ProtectorRecord next = Numbered(present + 1);
    if (!(*store)->ReplaceProtector(1, "default", Numbered(present).id, next).ok()) break;
    ++present;
    if (write(out, &present, sizeof(present)) != sizeof(present)) break;
  }
  _exit(1);
}

// Shares a key again and again, and makes and removes another, telling `out` the number of each
// share that is durable.
[[noreturn]] void ShareForEver(const std::string& path, uint32_t present, int out) {
  auto store = SqliteKeyStore::Open(path);
  while (store.ok()) {
    ProtectorRecord share = Numbered(present + 1);
    share.kind = ProtectorKind::kShare;
    if (!(*store)->PutShare(1, "team", 2, share).ok()) break;
    ++present;
    if (write(out, &present, sizeof(present)) != sizeof(present)) break;
    KeyRecord other{.uid = 1, .name = "other", .protectors = {Numbered(1U << 31)}};
    other.identifier.fill(7);
    const absl::Status created = (*store)->CreateKey(other);
    if (!created.ok() && ReasonOf(created) != ErrorReason::kAlreadyEnrolled) break;
    if (!(*store)->PutShare(1, "other", 3, Numbered(1U << 30)).ok()) break;
    if (!(*store)->RemoveKey(1, "other").ok()) break;
  }
  _exit(1);
}

class StoreKillTest : public testing::Test {
 protected:
  using Loop = void (*)(const std::string& path, uint32_t present, int out);

  void SetUp() override {
    char name[] = "/tmp/ext4crypt-kill-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/keys.db";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Kills a process in `loop` at a random instant; returns the number of the last change that it
  // said is durable. Every second kill comes after a first change, so that also a slow machine is
  // hit in the middle of changes and not only while it opens the store.
  uint32_t DurableAtKill(Loop loop, uint32_t present) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) loop(path_, present, ends[1]);
    close(ends[1]);
    pollfd first_change = {.fd = ends[0], .events = POLLIN, .revents = 0};
    if (++kills_ % 2 == 0) {
      EXPECT_EQ(poll(&first_change, 1, -1), 1);
    }
    usleep(std::uniform_int_distribution<unsigned>(0, 20'000)(random_));
    EXPECT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child failed by itself at kill " << kills_;
    uint32_t durable = present;
    while (read(ends[0], &durable, sizeof(durable)) == sizeof(durable)) {
    }
    close(ends[0]);
    return durable;
  }

  std::string directory_;
  std::string path_;
  unsigned kills_ = 0;
  const unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
};

TEST_F(StoreKillTest, TwoHundredKillsLoseNoProtector) {
  SCOPED_TRACE(testing::Message() << "seed " << seed_);
  uint32_t present = 1;
  {
    auto store = SqliteKeyStore::Open(path_);
    ASSERT_TRUE(store.ok());
    KeyRecord key{.uid = 1, .name = "default", .protectors = {Numbered(present)}};
    ASSERT_TRUE((*store)->CreateKey(key).ok());
  }
  for (int round = 0; round < 200; ++round) {
    const uint32_t durable = DurableAtKill(ReplaceForEver, present);
    auto store = SqliteKeyStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status() << " in round " << round;
    const auto key = (*store)->FindKey(1, "default");
    ASSERT_TRUE(key.ok());
    ASSERT_EQ(key->protectors.size(), 1U) << "round " << round;
    const uint32_t found = NumberOf(key->protectors[0]);
    // What was reported is there, or the one change after it whose report was cut off.
    EXPECT_TRUE(found == durable || found == durable + 1) << found << " after " << durable;
    EXPECT_EQ(key->protectors[0].wrapped_key, Numbered(found).wrapped_key);
    present = found;
  }
  EXPECT_GE(present, 100U) << "hardly anything was in progress when the kills came";
}

TEST_F(StoreKillTest, KillsWhileSharingLoseNoShareAndLeaveNoneBehind) {
  SCOPED_TRACE(testing::Message() << "seed " << seed_);
  uint32_t present = 1;
  {
    auto store = SqliteKeyStore::Open(path_);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->CreateKey({.uid = 1, .name = "team", .protectors = {Numbered(0)}}).ok());
    ASSERT_TRUE((*store)->PutShare(1, "team", 2, Numbered(present)).ok());
  }
  for (int round = 0; round < 100; ++round) {
    const uint32_t durable = DurableAtKill(ShareForEver, present);
    auto store = SqliteKeyStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status() << " in round " << round;
    const auto shared = (*store)->ListSharedWith(2);
    ASSERT_TRUE(shared.ok());
    ASSERT_EQ(shared->size(), 1U) << "round " << round;
    present = NumberOf(shared->at(0).protectors.at(0));
    EXPECT_TRUE(present == durable || present == durable + 1) << present << " after " << durable;
    // A share without its key would be one too many; a key removed takes its shares along.
    const auto other = (*store)->FindKey(1, "other");
    EXPECT_LE((*store)->ListSharedWith(3)->size(), other.ok() ? 1U : 0U);
    EXPECT_EQ((*store)->FindKey(1, "team")->protectors.size(), 1U);
  }
  EXPECT_GE(present, 50U) << "hardly anything was in progress when the kills came";
}

}  // namespace
}  // namespace ext4crypt
