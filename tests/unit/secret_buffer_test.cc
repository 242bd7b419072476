// SPDX-License-Identifier: Apache-2.0
#include "common/secret_buffer.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

namespace ext4crypt {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBuffer>);
static_assert(!std::is_copy_assignable_v<SecretBuffer>);

TEST(SecretBufferTest, MovedFromIsEmpty) {
  SecretBuffer a = SecretBuffer::CopyOf(absl::string_view("secret"));
  SecretBuffer b = std::move(a);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): the state after a move is the claim
  EXPECT_EQ(b.text(), "secret");
  b = SecretBuffer::CopyOf(absl::string_view("other"));
  EXPECT_EQ(b.text(), "other");
}

TEST(SecretBufferTest, TakeFromWipesTheSourceToItsCapacity) {
  std::string text = "a passphrase that is long enough to live on the heap";
  text.resize(10);
  const char* memory = text.data();
  const size_t capacity = text.capacity();
  const SecretBuffer buffer = SecretBuffer::TakeFrom(text);
  EXPECT_EQ(buffer.text(), "a passphra");
  for (size_t i = 0; i < capacity; ++i) EXPECT_EQ(memory[i], '\0') << i;
}

TEST(SecretBufferTest, ShrinkKeepsTheFront) {
  SecretBuffer buffer = SecretBuffer::CopyOf(absl::string_view("abcdef"));
  buffer.Shrink(3);
  EXPECT_EQ(buffer.text(), "abc");
  buffer.Shrink(9);
  EXPECT_EQ(buffer.size(), 3U);
  buffer.Shrink(0);
  EXPECT_TRUE(buffer.empty());
}

TEST(SecretBufferTest, EqualityNeedsLengthAndContents) {
  const SecretBuffer a = SecretBuffer::CopyOf(absl::string_view("abc"));
  EXPECT_TRUE(SecretsEqual(a, a.Clone()));
  EXPECT_FALSE(SecretsEqual(a, SecretBuffer::CopyOf(absl::string_view("abd"))));
  EXPECT_FALSE(SecretsEqual(a, SecretBuffer::CopyOf(absl::string_view("abcd"))));
  EXPECT_TRUE(SecretsEqual(SecretBuffer(), SecretBuffer()));
}

}  // namespace
}  // namespace ext4crypt
