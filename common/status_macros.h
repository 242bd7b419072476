// SPDX-License-Identifier: Apache-2.0
// The two macros that pass errors up.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define E4C_CONCAT_INNER(a, b) a##b
#define E4C_CONCAT(a, b) E4C_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)                                                  \
  do {                                                                         \
    if (absl::Status e4c_status = (expr); !e4c_status.ok()) return e4c_status; \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) \
  E4C_ASSIGN_OR_RETURN(E4C_CONCAT(e4c_result_, __LINE__), lhs, expr)

#define E4C_ASSIGN_OR_RETURN(result, lhs, expr)        \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)
