// SPDX-License-Identifier: Apache-2.0
// The parts of a log: one session is one file system with one workload. What its operations came to
// is read from the markers.
#pragma once

#include <string>
#include <vector>

#include "log.h"
#include "tests/crash/model/model.h"

namespace crash {

struct Session {
  uint32_t number = 0;
  std::string workload;
  uint64_t seed = 0;
  uint64_t ops = 0;
  uint64_t bytes = 0;
  size_t first = 0;  // entries: the marker that begins it ...
  size_t end = 0;    // ... and the one that ends it
  std::vector<std::string> workers;
  std::vector<Model> models;  // one for each worker; none for SQLite
  struct Done {
    Op op;
    Outcome outcome;
  };
  std::vector<std::vector<Done>> done;  // by worker and operation; for reports

  // Entries below `end` at which the session's workers went on.
  struct Step {
    size_t entry;
    uint32_t worker;
    int64_t started;
  };
  std::vector<Step> steps;

  [[nodiscard]] std::string name() const { return workload + ", seed " + std::to_string(seed); }
  // For each worker the operation under way when the first `position` entries of the log had been
  // issued; -1: none yet.
  [[nodiscard]] std::vector<int64_t> Started(size_t position) const;
  // The last operations of a worker on a file, up to `started`, in words.
  [[nodiscard]] std::string History(uint32_t worker, int file, int64_t started) const;
};

// Errors: a session without an end, or without all markers (the load failed).
[[nodiscard]] absl::StatusOr<std::vector<Session>> FindSessions(const Log& log);

}  // namespace crash
