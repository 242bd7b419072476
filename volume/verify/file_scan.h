// SPDX-License-Identifier: Apache-2.0
// Checks the pages and groups of one authenticated file: docs/on-disk-format.md section 6.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "volume/ext4/image.h"
#include "volume/finding.h"
#include "volume/format/page_opener.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {

struct ScanCounts {
  uint64_t pages_authentic = 0;
  uint64_t pages_failed = 0;     // those in a group that is not authentic included
  uint64_t pages_unchecked = 0;  // no key
  uint64_t groups_authentic = 0;
  uint64_t groups_failed = 0;

  void Add(const ScanCounts& other);
};

class PageSink {
 public:
  virtual ~PageSink() = default;
  // A page that is written and authentic, sealed in a group that is authentic too or (with
  // `sealed` false) in one that is not. `text` is the page. Called with a key only.
  virtual void OnPage(uint64_t page, bool sealed, absl::Span<const uint8_t> text) = 0;
  // Pages that must not be believed.
  virtual void OnFailedPages(uint64_t first, uint64_t count, Reason reason) = 0;
};

class Scanner {
 public:
  // `opener` nullptr: no key, structure only. `sink` may be nullptr. All outlive the scanner.
  Scanner(const Image& image, const Layout& layout, PageOpener* opener, PageSink* sink,
          FindingList& findings);

  // Groups [first, end), which lie in layout.groups.
  void ScanGroups(uint32_t first, uint32_t end);
  // What concerns the file as a whole.
  void ScanFile();
  [[nodiscard]] const ScanCounts& counts() const { return counts_; }

 private:
  struct Group;
  void ScanGroup(uint32_t group);
  void ScanMissingGroup(uint32_t group);
  [[nodiscard]] uint64_t PagesOf(uint32_t group) const;
  bool CheckSeal(const Group& group);
  void CheckSlots(const Group& group, bool sealed);
  void CheckPages(const Group& group, uint64_t first, uint64_t end, const Extent& extent,
                  bool sealed);
  void FailPages(Reason reason, uint64_t first, uint64_t count, absl::string_view detail = {});
  [[nodiscard]] uint64_t EndOfRun(uint64_t page, uint64_t end, const Extent*& extent) const;

  const Image& image_;
  const Layout& layout_;
  PageOpener* opener_;
  PageSink* sink_;
  FindingList& findings_;
  ScanCounts counts_;
  std::vector<uint8_t> ciphertext_;
};

}  // namespace ext4crypt::volume
