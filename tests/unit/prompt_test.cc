// SPDX-License-Identifier: Apache-2.0
#include "terminal/prompt.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "common/error.h"

namespace ext4crypt {
namespace {

TEST(SecretReaderTest, ReadsOneLineEachAndLeavesTheNext) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text = "first\nsecond\r\n\nno newline";
  ASSERT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);
  const SecretReader reader(ends[0]);
  EXPECT_EQ(reader.Read("p")->text(), "first");
  EXPECT_EQ(reader.ReadNew("p")->text(), "second\r");
  EXPECT_TRUE(reader.Read("p")->empty());
  EXPECT_EQ(reader.Read("p")->text(), "no newline");
  EXPECT_EQ(ReasonOf(reader.Read("p").status()), ErrorReason::kPassphraseUnreadable);
  close(ends[0]);
}

}  // namespace
}  // namespace ext4crypt
