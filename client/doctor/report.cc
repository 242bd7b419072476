// SPDX-License-Identifier: Apache-2.0
#include "client/doctor/report.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "common/printable.h"

namespace ext4crypt::doctor {
namespace {

constexpr std::array kWorstFirst = {Severity::kProblem, Severity::kWarning, Severity::kNote,
                                    Severity::kOk};

// "PROBLEM  module.built (6.12.30): ...\n         -> ...\n"
std::string FindingText(const Finding& finding) {
  std::string word(SeverityWord(finding.severity));
  if (finding.severity == Severity::kProblem) word = "PROBLEM";
  word.resize(9, ' ');
  std::string text = absl::StrCat(word, finding.name);
  if (!finding.subject.empty()) absl::StrAppend(&text, " (", Printable(finding.subject), ")");
  absl::StrAppend(&text, ": ", Printable(finding.text), "\n");
  if (!finding.remedy.empty()) {
    absl::StrAppend(&text, std::string(9, ' '), "-> ", Printable(finding.remedy), "\n");
  }
  return text;
}

}  // namespace

int ExitCodeFor(Severity worst) {
  if (worst == Severity::kProblem) return kExitProblem;
  return worst == Severity::kWarning ? kExitWarning : 0;
}

const char* SeverityWord(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kProblem:
      return "problem";
  }
  return "";
}

std::string FindingsText(const Findings& findings, bool all) {
  std::string text;
  size_t fine = 0;
  for (const Severity severity : kWorstFirst) {
    for (const Finding& finding : findings.all()) {
      if (finding.severity != severity) continue;
      if (severity == Severity::kOk) ++fine;
      if (severity != Severity::kOk || all) text += FindingText(finding);
    }
  }
  absl::StrAppend(&text, "As it should be: ", fine, " of ", findings.all().size(),
                  all || fine == 0 ? "" : " (--all lists them)", "\n");
  return text;
}

Json FindingsJson(const Findings& findings) {
  Json json = Json::Object();
  json.Set("worst", SeverityWord(findings.worst()));
  json.SetInt("exit_code", ExitCodeFor(findings.worst()));
  Json list = Json::Array();
  for (const Finding& finding : findings.all()) {
    Json item = Json::Object();
    item.Set("name", finding.name);
    item.Set("severity", SeverityWord(finding.severity));
    if (!finding.subject.empty()) item.Set("subject", finding.subject);
    item.Set("text", finding.text);
    if (!finding.remedy.empty()) item.Set("remedy", finding.remedy);
    list.Append(std::move(item));
  }
  json.Set("findings", std::move(list));
  return json;
}

}  // namespace ext4crypt::doctor
