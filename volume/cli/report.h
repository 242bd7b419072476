// SPDX-License-Identifier: Apache-2.0
// Reports for people and, with --json, for programs. Findings are written as they come.
#pragma once

#include <iosfwd>

#include "terminal/json_writer.h"
#include "volume/extract/extract.h"
#include "volume/map/block_map.h"
#include "volume/verify/mounted.h"
#include "volume/verify/volume_survey.h"

namespace ext4crypt::volume {

class Report {
 public:
  virtual ~Report() = default;
  virtual void AddFinding(const Finding& finding) = 0;
  virtual void EndSurvey(const Image& image, const SurveyTotals& totals, bool contents_checked,
                         int exit_code) = 0;
  virtual void EndMounted(const MountedTotals& totals, int exit_code) = 0;
  virtual void EndMap(const std::vector<GroupUse>& groups, bool colours, int exit_code) = 0;
  virtual void EndExtract(const ExtractTotals& totals, bool salvage, int exit_code) = 0;
};

// The stream outlives the report.
[[nodiscard]] std::unique_ptr<Report> MakeReport(bool json, std::ostream& out);

// One line for a refusal: why, and what to do next.
void WriteRefusal(bool json, const absl::Status& status, int exit_code, std::ostream& out,
                  std::ostream& err);

}  // namespace ext4crypt::volume
