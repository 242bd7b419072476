// SPDX-License-Identifier: Apache-2.0
// Checks the pages and groups of one authenticated file: docs/on-disk-format.md sections 4, 5
// and 8.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "volume/ext4/image.h"
#include "volume/finding.h"
#include "volume/format/page_opener.h"
#include "volume/format/slot_tree.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {

struct ScanCounts {
  uint64_t pages_authentic = 0;
  uint64_t pages_failed = 0;      // those in a group that is not authentic included
  uint64_t pages_unchecked = 0;   // no key
  uint64_t groups_authentic = 0;  // a tail counts as one
  uint64_t groups_failed = 0;

  void Add(const ScanCounts& other);
};

class PageSink {
 public:
  virtual ~PageSink() = default;
  // A page that is written and whose tag is good, in a group that is authentic and the newest or
  // (with `proved` false) in one that is not known to be. `text` is the page. Called with a key
  // only.
  virtual void OnPage(uint64_t page, bool proved, absl::Span<const uint8_t> text) = 0;
  // Pages that must not be believed.
  virtual void OnFailedPages(uint64_t first, uint64_t count, Reason reason) = 0;
};

struct ScanOptions {
  // The head of the file is not what the key wrote, or cannot be checked for damage: no page is
  // proved. Means nothing without a key.
  bool head_failed = false;
  // Open pages that are not proved, too, as far as their own tags go, and name them.
  bool salvage = false;
};

class Scanner {
 public:
  // `opener` nullptr: no key, structure only. `sink` may be nullptr. All outlive the scanner.
  Scanner(const Image& image, const Layout& layout, PageOpener* opener, PageSink* sink,
          FindingList& findings, const ScanOptions& options = {});

  // Groups [first, end), which lie in layout.groups.
  void ScanGroups(uint32_t first, uint32_t end);
  // What concerns the file as a whole, nodes included. After a failed head only what the extents
  // say: nothing else means what it seems to.
  void ScanFile();
  [[nodiscard]] const ScanCounts& counts() const { return counts_; }

 private:
  struct Group;
  void ScanGroup(uint32_t group);
  void ScanExisting(uint32_t group, const e4c_slot* named);
  void ScanUnproved(uint32_t group);
  void ScanTail();
  void ScanNodes();
  template <typename Visit>
  void ForEachWrittenRun(uint64_t first, uint64_t end, const Visit& visit);
  void FailWritten(uint32_t group, Reason reason, bool report);
  [[nodiscard]] uint64_t PagesFrom(uint64_t first, uint64_t end) const;
  void CheckSlots(const Group& group, bool proved);
  void CheckPages(const e4c_slot* slots, uint64_t first, uint64_t end, const Extent& extent,
                  bool proved, uint64_t tail_page);
  void FailPages(Reason reason, uint64_t first, uint64_t count, absl::string_view detail = {});
  [[nodiscard]] uint64_t EndOfRun(uint64_t page, uint64_t end, const Extent*& extent) const;

  const Image& image_;
  const Layout& layout_;
  PageOpener* opener_;
  PageSink* sink_;
  FindingList& findings_;
  ScanOptions options_;
  SlotTree tree_;
  ScanCounts counts_;
  std::vector<uint8_t> ciphertext_;
};

}  // namespace ext4crypt::volume
