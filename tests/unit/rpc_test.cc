// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <vector>

#include "common/error.h"
#include "daemon/rpc/connection_counts.h"
#include "daemon/rpc/grpc_status.h"
#include "daemon/rpc/method_table.h"
#include "daemon/rpc/worker_pool.h"
#include "ext4crypt/keyd/v1/keyd.pb.h"

namespace ext4crypt {
namespace {

const google::protobuf::ServiceDescriptor& Service() {
  return *keyd::v1::EnrolRequest::descriptor()->file()->FindServiceByName("KeyService");
}

TEST(MethodTableTest, EveryMethodHasOneRule) {
  EXPECT_TRUE(CheckMethodTable(MethodTable(), Service()).ok());
}

TEST(MethodTableTest, MissingMethodStopsTheStart) {
  for (size_t missing = 0; missing < MethodTable().size(); ++missing) {
    std::vector<MethodRule> table(MethodTable().begin(), MethodTable().end());
    const std::string name = table[missing].method;
    table.erase(table.begin() + static_cast<ptrdiff_t>(missing));
    const absl::Status status = CheckMethodTable(table, Service());
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(InfoOf(status).subject, name);
  }
}

TEST(MethodTableTest, UnknownAndDoubleRulesStopTheStart) {
  std::vector<MethodRule> table(MethodTable().begin(), MethodTable().end());
  table.push_back({"NoSuchMethod", WhoMay::kSelf});
  EXPECT_FALSE(CheckMethodTable(table, Service()).ok());
  table.back() = {"Lock", WhoMay::kSelf};
  EXPECT_FALSE(CheckMethodTable(table, Service()).ok());
}

TEST(AuthorizeTest, OnlyRootActsForOthersAndOnlyWhereAllowed) {
  const std::vector<MethodRule> table = {{"Own", WhoMay::kSelf}, {"Any", WhoMay::kSelfOrRootFor}};
  EXPECT_EQ(*Authorize(table, "Own", 1000, std::nullopt), 1000U);
  EXPECT_EQ(*Authorize(table, "Any", 1000, 1000), 1000U);
  EXPECT_EQ(*Authorize(table, "Any", 0, 1000), 1000U);
  EXPECT_EQ(ReasonOf(Authorize(table, "Any", 1000, 0).status()), ErrorReason::kNotAllowed);
  EXPECT_EQ(ReasonOf(Authorize(table, "Any", 1000, 1001).status()), ErrorReason::kNotAllowed);
  EXPECT_EQ(ReasonOf(Authorize(table, "Own", 0, 1000).status()), ErrorReason::kNotAllowed);
  EXPECT_EQ(ReasonOf(Authorize(table, "Other", 0, std::nullopt).status()),
            ErrorReason::kNotAllowed);
}

TEST(ConnectionCountsTest, PerUserAndInAll) {
  ConnectionCounts counts({.per_user = 2, .total = 3});
  EXPECT_TRUE(counts.Admit(1));
  EXPECT_TRUE(counts.Admit(1));
  EXPECT_FALSE(counts.Admit(1));
  EXPECT_TRUE(counts.Admit(2));
  EXPECT_FALSE(counts.Admit(3)) << "the total is reached";
  EXPECT_TRUE(counts.Admit(0)) << "the administrator still gets in";
  counts.Release(0);
  counts.Release(1);
  EXPECT_TRUE(counts.Admit(3));
  EXPECT_EQ(counts.Of(1), 1U);
}

TEST(ConnectionCountsTest, ReleasingAStrangerIsHarmless) {
  ConnectionCounts counts({.per_user = 1, .total = 1});
  counts.Release(5);
  EXPECT_TRUE(counts.Admit(1));
  EXPECT_FALSE(counts.Admit(2));
}

TEST(WorkerPoolTest, OneUserCannotTakeItAll) {
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::atomic<int> ran = 0;
  {
    WorkerPool pool({.threads = 1, .queued = 100, .per_user = 2});
    const auto work = [&ran, open] {
      open.wait();
      ++ran;
    };
    EXPECT_TRUE(pool.Submit(1, work));
    EXPECT_TRUE(pool.Submit(1, work));
    EXPECT_FALSE(pool.Submit(1, work));
    EXPECT_TRUE(pool.Submit(2, work));
    gate.set_value();
  }
  EXPECT_EQ(ran, 3) << "what was accepted is run before the pool ends";
}

TEST(WorkerPoolTest, SlowWorkOfOneUserHoldsOneThread) {
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::promise<void> other_ran;
  WorkerPool pool({.threads = 2, .queued = 10, .per_user = 4});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pool.Submit(1, [open] { open.wait(); }));
  EXPECT_TRUE(pool.Submit(2, [&other_ran] { other_ran.set_value(); }));
  EXPECT_EQ(other_ran.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(pool.HasWorkOf(1));
  gate.set_value();
}

TEST(WorkerPoolTest, FullQueueRefuses) {
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::promise<void> running;
  WorkerPool pool({.threads = 1, .queued = 1, .per_user = 10});
  EXPECT_TRUE(pool.Submit(1, [&running, open] {
    running.set_value();
    open.wait();
  }));
  running.get_future().wait();
  EXPECT_TRUE(pool.Submit(2, [] {}));
  EXPECT_FALSE(pool.Submit(3, [] {}));
  gate.set_value();
}

TEST(GrpcStatusTest, ReasonTravelsInTheDetails) {
  const grpc::Status status = ToGrpcStatus(Error(
      ErrorInfo{.reason = ErrorReason::kThrottled, .subject = "s", .retry_after_ms = 9}, "why"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  keyd::v1::ErrorDetail detail;
  ASSERT_TRUE(detail.ParseFromString(status.error_details()));
  EXPECT_EQ(detail.reason(), keyd::v1::THROTTLED);
  EXPECT_EQ(detail.subject(), "s");
  EXPECT_EQ(detail.retry_after_ms(), 9U);
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(GrpcStatusTest, InternalCausesStayInTheLog) {
  const grpc::Status status =
      ToGrpcStatus(Error(ErrorReason::kStoreCorrupt, "page 7 of /var/lib/x", "/var/lib/x"));
  EXPECT_EQ(status.error_message(), "STORE_CORRUPT");
  EXPECT_EQ(status.error_details().find("/var"), std::string::npos);
}

TEST(GrpcStatusTest, WhatTheKernelSaidDoesNot) {
  const grpc::Status status = ToGrpcStatus(
      ErrnoError(ErrorReason::kStoreUnwritable, ENOSPC, "writing /var/lib/x", "/var/lib/x"));
  EXPECT_EQ(status.error_message(), "No space left on device");
  EXPECT_EQ(status.error_details().find("/var"), std::string::npos);
}

TEST(GrpcStatusTest, SubjectMayBeAnyBytes) {
  const grpc::Status status = ToGrpcStatus(Error(ErrorReason::kFilesBusy, "\xff", "/mnt/\xff\xfe"));
  keyd::v1::ErrorDetail detail;
  ASSERT_TRUE(detail.ParseFromString(status.error_details()));
  EXPECT_EQ(detail.subject(), "/mnt/\xff\xfe");
}

}  // namespace
}  // namespace ext4crypt
