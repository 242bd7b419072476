// SPDX-License-Identifier: Apache-2.0
// Checks the pages and groups of one authenticated file: docs/on-disk-format.md section 6.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "volume/aead.h"
#include "volume/image.h"
#include "volume/layout.h"

namespace ext4crypt::volume {

// The findings of one inode: neighbours with the same reason become one, and there is a limit, so
// that a volume damaged everywhere does not fill the memory.
class FindingList {
 public:
  explicit FindingList(uint32_t inode) : inode_(inode) { last_.fill(kNowhere); }

  void Add(Reason reason, absl::string_view detail = {}) { AddBytes(reason, 0, 0, detail); }
  void AddPages(Reason reason, uint64_t first, uint64_t count, absl::string_view detail = {});
  void AddAll(const std::vector<Finding>& findings);
  [[nodiscard]] std::vector<Finding>& findings() { return findings_; }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;
  static constexpr size_t kLimit = 1000;
  void AddBytes(Reason reason, uint64_t first, uint64_t count, absl::string_view detail);

  uint32_t inode_;
  std::vector<Finding> findings_;
  std::array<size_t, static_cast<size_t>(Reason::kLast) + 1> last_;
};

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

// Nonces that stand in more than one slot or seal of the file. Goes over the tag blocks as often as
// a fixed amount of memory asks for.
void FindReusedNonces(const Image& image, const Layout& layout, FindingList& findings);

}  // namespace ext4crypt::volume
