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

TEST(StoreKillTest, TwoHundredKillsLoseNoProtector) {
  char name[] = "/tmp/ext4crypt-kill-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string path = std::string(name) + "/keys.db";
  uint32_t present = 1;
  {
    auto store = SqliteKeyStore::Open(path);
    ASSERT_TRUE(store.ok());
    KeyRecord key{.uid = 1, .name = "default", .protectors = {Numbered(present)}};
    ASSERT_TRUE((*store)->CreateKey(key).ok());
  }
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  uint32_t changes = 0;
  for (int round = 0; round < 200; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) ReplaceForEver(path, present, ends[1]);
    close(ends[1]);
    // Every second kill comes after a first change, so that also a slow machine is hit in the
    // middle of changes and not only while it opens the store.
    pollfd first_change = {.fd = ends[0], .events = POLLIN, .revents = 0};
    if (round % 2 == 1) {
      ASSERT_EQ(poll(&first_change, 1, -1), 1);
    }
    usleep(std::uniform_int_distribution<unsigned>(0, 20'000)(random));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself in round " << round;
    uint32_t durable = present;
    while (read(ends[0], &durable, sizeof(durable)) == sizeof(durable)) {
    }
    close(ends[0]);

    auto store = SqliteKeyStore::Open(path);
    ASSERT_TRUE(store.ok()) << store.status() << " in round " << round;
    const auto key = (*store)->FindKey(1, "default");
    ASSERT_TRUE(key.ok());
    ASSERT_EQ(key->protectors.size(), 1U) << "round " << round;
    const uint32_t found = NumberOf(key->protectors[0]);
    // What was reported is there, or the one change after it whose report was cut off.
    EXPECT_TRUE(found == durable || found == durable + 1) << found << " after " << durable;
    EXPECT_EQ(key->protectors[0].wrapped_key, Numbered(found).wrapped_key);
    changes += found - present;
    present = found;
  }
  EXPECT_GE(changes, 100U) << "hardly anything was in progress when the kills came";
  std::filesystem::remove_all(name);
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

TEST(StoreKillTest, KillsWhileSharingLoseNoShareAndLeaveNoneBehind) {
  char name[] = "/tmp/ext4crypt-kill-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string path = std::string(name) + "/keys.db";
  uint32_t present = 1;
  {
    auto store = SqliteKeyStore::Open(path);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->CreateKey({.uid = 1, .name = "team", .protectors = {Numbered(0)}}).ok());
    ASSERT_TRUE((*store)->PutShare(1, "team", 2, Numbered(present)).ok());
  }
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 100; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) ShareForEver(path, present, ends[1]);
    close(ends[1]);
    usleep(std::uniform_int_distribution<unsigned>(0, 20'000)(random));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself in round " << round;
    uint32_t durable = present;
    while (read(ends[0], &durable, sizeof(durable)) == sizeof(durable)) {
    }
    close(ends[0]);

    auto store = SqliteKeyStore::Open(path);
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
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace ext4crypt
