// SPDX-License-Identifier: Apache-2.0
#include "common/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "ext4crypt/keyd/v1/keyd.pb.h"

namespace ext4crypt {
namespace {

TEST(ErrorReasonTest, NamesAndNumbersEqualTheProtos) {
  const auto* proto_enum = keyd::v1::ErrorReason_descriptor();
  ASSERT_EQ(proto_enum->value_count(), static_cast<int>(kErrorReasonLimit));
  for (uint32_t i = 0; i < kErrorReasonLimit; ++i) {
    const auto* value = proto_enum->FindValueByNumber(static_cast<int>(i));
    ASSERT_NE(value, nullptr) << i;
    EXPECT_EQ(std::string(ReasonName(static_cast<ErrorReason>(i))), value->name());
  }
}

TEST(ErrorTest, CarriesReasonSubjectAndDelay) {
  const absl::Status status = Error(
      ErrorInfo{.reason = ErrorReason::kThrottled, .subject = "a,b", .retry_after_ms = 7}, "why");
  const ErrorInfo info = InfoOf(status);
  EXPECT_EQ(info.reason, ErrorReason::kThrottled);
  EXPECT_EQ(info.subject, "a,b");
  EXPECT_EQ(info.retry_after_ms, 7U);
}

TEST(ErrorTest, ForeignStatusIsInternal) {
  EXPECT_EQ(ReasonOf(absl::AbortedError("x")), ErrorReason::kInternal);
  EXPECT_EQ(ReasonOf(absl::OkStatus()), ErrorReason::kUnspecified);
}

TEST(ErrorTest, EveryReasonMakesAFailure) {
  for (uint32_t i = 1; i < kErrorReasonLimit; ++i) {
    EXPECT_FALSE(Error(static_cast<ErrorReason>(i), "x").ok());
  }
}

}  // namespace
}  // namespace ext4crypt
