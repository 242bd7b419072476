// SPDX-License-Identifier: Apache-2.0
#include "verdict.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "contents.h"
#include "sqlite_judge.h"
#include "volume/format/head.h"
#include "volume/verify/volume_survey.h"

namespace crash {
namespace {

namespace volume = ext4crypt::volume;

class PageKeeper : public volume::PageSink {
 public:
  explicit PageKeeper(FileOnDisk& file) : file_(file) {}
  void OnPage(uint64_t page, bool, absl::Span<const uint8_t> text) override {
    std::copy(text.begin(), text.end(), file_.pages[page].begin());
  }
  void OnFailedPages(uint64_t first, uint64_t count, volume::Reason reason) override {
    file_.faults.push_back(absl::StrCat("pages ", first, " and ", count - 1,
                                        " more: ", std::string(volume::ReasonName(reason))));
  }

 private:
  FileOnDisk& file_;
};

FileOnDisk ReadFile(const volume::Image& image, const volume::KeyRing& keys,
                    const std::string& path) {
  FileOnDisk file;
  const auto number = volume::FindPath(image, keys, path);
  if (!number.ok()) return file;
  const auto node = volume::ReadNode(image, *number);
  if (!node.ok() || !node->authenticated()) {
    file.faults.push_back(absl::StrCat(path, ": not an authenticated file"));
    return file;
  }
  file.exists = true;
  file.size = node->size;
  const volume::MasterKey* master = keys.Find(node->context->identifier());
  const auto file_keys = master->KeysOf(*node->context);
  auto opener = volume::PageOpener::Create(node->context->aead(), file_keys->page());
  const volume::Layout layout = volume::LayOut(image, *node);
  const absl::Status head = volume::CheckHead(image, *node, &layout, file_keys->head());
  if (!head.ok()) {
    file.faults.push_back(
        absl::StrCat(path, ": ", std::string(volume::ReasonName(volume::ReasonOf(head)))));
  }
  volume::FindingList findings(*number);
  PageKeeper keeper(file);
  volume::Scanner scanner(image, layout, &*opener, &keeper, findings);
  for (const volume::GroupRange& range : layout.groups) scanner.ScanGroups(range.first, range.end);
  return file;
}

void Survey(const volume::Image& image, const volume::KeyRing& keys, Verdict& verdict) {
  volume::SurveyOptions options;
  options.on_finding = [&verdict](const volume::Finding& finding) {
    verdict.authentication.push_back(absl::StrCat(std::string(volume::ReasonName(finding.reason)),
                                                  " ", finding.path, " inode ", finding.inode,
                                                  " bytes ", finding.first_byte, "+",
                                                  finding.byte_count, " ", finding.detail));
  };
  volume::Survey survey(image, keys, options);
  survey.Run();
  verdict.pages = survey.totals().counts.pages_authentic;
}

void JudgeFile(const volume::Image& image, const volume::KeyRing& keys, const Session& session,
               uint32_t worker, int number, int64_t started, Verdict& verdict) {
  const std::string path = absl::StrCat("/d/w", worker, "/f", number);
  std::vector<std::string> faults;
  // An operation that moves it to another name and back may be caught between.
  for (const std::string& name : {OtherName(path), path}) {
    const FileOnDisk file = ReadFile(image, keys, name);
    if (!file.exists && name != path) continue;
    for (const std::string& fault : file.faults)
      verdict.authentication.push_back(absl::StrCat(name, ": ", fault));
    for (const Generation* generation : session.models[worker].Allowed(number, started)) {
      faults = Compare(file, *generation, started);
      if (faults.empty()) return;
    }
  }
  for (const std::string& fault : faults)
    verdict.contents.push_back(absl::StrCat(path, " in op ", started, ": ", fault));
  verdict.contents.push_back(absl::StrCat(path, ": ", session.History(worker, number, started)));
}

}  // namespace

Verdict Judge(absl::Span<const uint8_t> bytes, const Session& session,
              const std::vector<int64_t>& started, const std::string& scratch) {
  Verdict verdict;
  const auto image = volume::Image::Open(std::make_unique<volume::MemorySource>(bytes));
  if (!image.ok()) {
    verdict.authentication.push_back(
        absl::StrCat("cannot be opened: ", std::string(image.status().message())));
    return verdict;
  }
  volume::KeyRing keys;
  keys.Add(
      *volume::MasterKey::FromRaw(std::vector<uint8_t>(volume::kMasterKeySize, 7)));  // test key 7
  Survey(**image, keys, verdict);
  for (uint32_t worker = 0; worker < session.workers.size(); ++worker) {
    if (session.models.empty()) {
      JudgeDatabase(**image, keys, session, absl::StrCat("/d/w", worker), started[worker], scratch,
                    verdict);
      continue;
    }
    for (int number = 0; number < kFiles; ++number)
      JudgeFile(**image, keys, session, worker, number, started[worker], verdict);
  }
  return verdict;
}

}  // namespace crash
