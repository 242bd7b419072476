// SPDX-License-Identifier: Apache-2.0
#include "client/ui/errors.h"

#include <gmock/gmock.h>

#include <cerrno>
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
    // What the kernel said is said whatever the words are.
    const absl::Status by_kernel =
        ErrnoError(static_cast<ErrorReason>(i), EIO, "reading", "/object");
    EXPECT_THAT(Explain("verb", by_kernel), testing::HasSubstr("(reading: Input/output error). "));
    EXPECT_THAT(ErrorJson("verb", by_kernel).ToText(), testing::HasSubstr("\"errno\": \"EIO\""));
    EXPECT_THAT(ErrorJson("verb", status).ToText(), testing::HasSubstr("\"cause\": \"cause\""));
    EXPECT_GT(ExitCodeOf(status), 0);
    EXPECT_LT(ExitCodeOf(status), 64);
    EXPECT_NE(ExitCodeOf(status), kExitUsage);
  }
}

TEST(ErrorsTest, NamesAreMadePrintable) {
  const absl::Status status = Error(ErrorReason::kFilesBusy, "", "/mnt/\x1b[31m\n\xff\xc2\x9b");
  EXPECT_THAT(Explain("lock", status),
              testing::StartsWith("ext4crypt lock: /mnt/\\x1b[31m\\x0a\\xff\\xc2\\x9b: "));
}

TEST(ErrorsTest, WaitIsRoundedUp) {
  const absl::Status status =
      Error(ErrorInfo{.reason = ErrorReason::kThrottled, .retry_after_ms = 1001}, "x");
  EXPECT_THAT(Explain("unlock", status), testing::HasSubstr("Try again in 2 s."));
}

}  // namespace
}  // namespace ext4crypt
