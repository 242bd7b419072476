// SPDX-License-Identifier: Apache-2.0
#include "contents.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"

namespace crash {
namespace {

constexpr size_t kMostFaults = 4;
constexpr Page kZeros = {};

const Page& BytesOf(const PagePtr& page) { return page ? *page : kZeros; }

// Stores through a mapping may be caught between any two of them, so each byte counts for itself.
bool MatchesBytewise(const Page& actual, const std::vector<Generation::Version>& allowed,
                     size_t length) {
  for (size_t i = 0; i < length; ++i) {
    if (std::none_of(allowed.begin(), allowed.end(),
                     [&](const auto& version) { return BytesOf(version.page)[i] == actual[i]; }))
      return false;
  }
  return true;
}

bool Matches(const Page& actual, const std::vector<Generation::Version>& allowed, size_t length) {
  for (const auto& version : allowed) {
    if (std::memcmp(actual.data(), BytesOf(version.page).data(), length) == 0) return true;
  }
  return std::any_of(allowed.begin(), allowed.end(),
                     [](const auto& version) { return version.mapped; }) &&
         MatchesBytewise(actual, allowed, length);
}

// Which runs of words a page is made of.
std::string Describe(const Page& page, size_t length) {
  std::string text, last;
  for (size_t at = 0; at + 8 <= length; at += 8) {
    std::string now = DescribeWord(page.data() + at);
    if (const size_t byte = now.find(" byte "); byte != std::string::npos) now.resize(byte);
    if (now == last) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", "+", at, " ", now);
    last = now;
  }
  return text;
}

std::string Expected(const std::vector<Generation::Version>& allowed, size_t length) {
  std::string text;
  for (const auto& version : allowed) {
    absl::StrAppend(&text, text.empty() ? "" : " | ", "op ", version.op,
                    version.mapped ? " (mapped)" : "", ": ",
                    Describe(BytesOf(version.page), length));
  }
  return text;
}

}  // namespace

std::vector<std::string> Compare(const FileOnDisk& file, const Generation& generation,
                                 int64_t started) {
  if (file.exists == generation.absent()) {
    return {generation.absent() ? "exists, though it was removed" : "does not exist"};
  }
  if (generation.absent()) return {};
  std::vector<std::string> faults;
  const auto sizes = generation.AllowedSizes(started);
  const auto [low, high] = std::minmax_element(
      sizes.begin(), sizes.end(), [](const auto& a, const auto& b) { return a.size < b.size; });
  if (file.size < low->size || file.size > high->size) {
    faults.push_back(
        absl::StrCat("size ", file.size, ", expected ", low->size, " to ", high->size));
  }
  std::set<uint64_t> pages;
  for (const auto& [page, versions] : generation.pages()) pages.insert(page);
  for (const auto& [page, bytes] : file.pages) pages.insert(page);
  for (const uint64_t page : pages) {
    if (page * kPage >= file.size) break;
    const size_t length = std::min(kPage, file.size - page * kPage);
    const auto it = file.pages.find(page);
    const Page& actual = it == file.pages.end() ? kZeros : it->second;
    const auto allowed = generation.Allowed(page, started);
    if (Matches(actual, allowed, length)) continue;
    faults.push_back(absl::StrCat("page ", page, it == file.pages.end() ? " (a hole)" : "",
                                  ": actual ", Describe(actual, length), "; expected ",
                                  Expected(allowed, length)));
    if (faults.size() >= kMostFaults) break;
  }
  return faults;
}

}  // namespace crash
