// SPDX-License-Identifier: Apache-2.0
#include "client/ui/errors.h"

#include <gmock/gmock.h>

#include <set>
#include <string>

#include "common/error.h"

namespace ext4crypt {
namespace {

TEST(ErrorsTest, EveryReasonHasAWordAnExitCodeAndAWayOut) {
  std::set<std::string> sentences;
  for (uint32_t i = 1; i < kErrorReasonLimit; ++i) {
    const absl::Status status = Error(static_cast<ErrorReason>(i), "cause", "/object");
    const std::string sentence = Explain("verb", status);
    EXPECT_TRUE(sentences.insert(sentence).second) << "the same words twice: " << sentence;
    EXPECT_THAT(sentence, testing::StartsWith("ext4crypt verb: /object: "));
    EXPECT_EQ(sentence.find('\n'), std::string::npos);
    EXPECT_EQ(sentence.find("cause"), std::string::npos) << "causes are for logs";
    EXPECT_GT(ExitCodeOf(status), 0);
    EXPECT_LT(ExitCodeOf(status), 64);
    EXPECT_NE(ExitCodeOf(status), kExitUsage);
  }
}

TEST(ErrorsTest, WaitIsRoundedUp) {
  const absl::Status status =
      Error(ErrorInfo{.reason = ErrorReason::kThrottled, .retry_after_ms = 1001}, "x");
  EXPECT_THAT(Explain("unlock", status), testing::HasSubstr("Try again in 2 s."));
}

}  // namespace
}  // namespace ext4crypt
