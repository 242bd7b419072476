// SPDX-License-Identifier: Apache-2.0
// What a check has to say: one sentence, how bad it is, and what to do.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace ext4crypt::doctor {

// From kWarning on a monitor is told.
enum class Severity {
  kOk,
  kNote,     // good to know; nothing has to be done
  kWarning,  // works, and is weaker or more fragile than it looks
  kProblem,  // does not work, or will not after the next boot
};

struct Finding {
  Severity severity = Severity::kOk;
  const char* name = "";  // stable: "module.built"
  std::string subject;    // a path, a device, a kernel; empty: the machine
  std::string text;       // one sentence
  std::string remedy;     // what to do; empty with kOk
};

class Findings {
 public:
  void Ok(const char* name, std::string subject, std::string text) {
    Add({Severity::kOk, name, std::move(subject), std::move(text), ""});
  }
  void Note(const char* name, std::string subject, std::string text, std::string remedy) {
    Add({Severity::kNote, name, std::move(subject), std::move(text), std::move(remedy)});
  }
  void Warn(const char* name, std::string subject, std::string text, std::string remedy) {
    Add({Severity::kWarning, name, std::move(subject), std::move(text), std::move(remedy)});
  }
  void Problem(const char* name, std::string subject, std::string text, std::string remedy) {
    Add({Severity::kProblem, name, std::move(subject), std::move(text), std::move(remedy)});
  }

  [[nodiscard]] const std::vector<Finding>& all() const { return all_; }
  [[nodiscard]] Severity worst() const { return worst_; }

 private:
  void Add(Finding finding) {
    worst_ = std::max(worst_, finding.severity);
    all_.push_back(std::move(finding));
  }

  std::vector<Finding> all_;
  Severity worst_ = Severity::kOk;
};

}  // namespace ext4crypt::doctor
