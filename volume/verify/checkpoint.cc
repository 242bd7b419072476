// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/checkpoint.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/hex.h"
#include "common/status_macros.h"

namespace ext4crypt::volume {
namespace {

constexpr char kCheckpointMagic[] = "ext4crypt-verify-3";
constexpr uint32_t kPiece = 32768;
constexpr size_t kLongestLine = size_t{1} << 20;
constexpr size_t kMostFindings = 100000;

absl::Status Unusable(const std::string& path, absl::string_view why) {
  return Fail(Reason::kStateUnusable, absl::StrCat(path, ": ", why));
}

std::string Sealed(const std::string& line) {
  const uint32_t sum =
      ext2fs_crc32c_le(~0u, reinterpret_cast<const uint8_t*>(line.data()), line.size());
  return absl::StrFormat("%s %08x\n", line, sum);
}

// The line without its checksum; false: it is not whole.
bool Unseal(std::string& line) {
  if (line.size() < 10 || line[line.size() - 9] != ' ') return false;
  const std::string whole = line.substr(0, line.size() - 9);
  if (Sealed(whole) != line + "\n") return false;
  line = whole;
  return true;
}

// "-" stands for nothing, so that each field has a place.
std::string Field(const std::string& text) {
  return text.empty() ? "-" : absl::BytesToHexString(text);
}
std::string Unfield(absl::string_view text) {
  const std::optional<std::vector<uint8_t>> bytes = FromHex(text);  // of "-", none
  return bytes.has_value() ? std::string(bytes->begin(), bytes->end()) : "";
}

std::string CountsOf(const ScanCounts& c) {
  return absl::StrCat(c.pages_authentic, " ", c.pages_failed, " ", c.pages_unchecked, " ",
                      c.groups_authentic, " ", c.groups_failed);
}

std::string LinesOf(const Checkpoint::Result& result) {
  std::string lines;
  for (const Finding& f : result.findings) {
    lines +=
        Sealed(absl::StrCat("F ", static_cast<unsigned>(f.reason), " ", f.inode, " ", f.first_byte,
                            " ", f.byte_count, " ", Field(f.path), " ", Field(f.detail)));
  }
  return lines;
}

class Sha256 {
 public:
  Sha256() : ctx_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(ctx_, EVP_sha256(), nullptr); }
  ~Sha256() { EVP_MD_CTX_free(ctx_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Add(const void* data, size_t size) { EVP_DigestUpdate(ctx_, data, size); }
  void Add(const std::string& text) { Add(text.data(), text.size()); }
  [[nodiscard]] std::string Hex() {
    std::array<uint8_t, 32> digest = {};
    EVP_DigestFinal_ex(ctx_, digest.data(), nullptr);
    return ToHex(digest);
  }

 private:
  EVP_MD_CTX* ctx_;
};

}  // namespace

std::string BindingOf(const Image& image, const std::string& path, const KeyRing& keys) {
  Sha256 hash;
  hash.Add(image.fs()->super, sizeof(*image.fs()->super));
  hash.Add(image.fs()->group_desc, size_t{image.fs()->desc_blocks} * kBlockSize);
  if (image.replayed().has_value()) {
    hash.Add(absl::StrCat(image.replayed()->transactions, "+", image.replayed()->blocks, ";"));
  }
  struct stat st = {};
  if (::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode)) {
    hash.Add(absl::StrCat(st.st_dev, ":", st.st_ino, ":", st.st_size, ":", st.st_mtim.tv_sec, ".",
                          st.st_mtim.tv_nsec));
  }
  for (const KeyIdentifier& identifier : keys.identifiers()) {
    hash.Add(identifier.data(), identifier.size());
  }
  return hash.Hex();
}

absl::StatusOr<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& path,
                                                             const std::string& binding) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  struct stat st = {};
  if (!fd.valid() || ::fstat(fd.get(), &st) != 0) return Unusable(path, std::strerror(errno));
  // Whoever can write it can say that everything is well.
  if (!S_ISREG(st.st_mode) || st.st_uid != ::geteuid() || (st.st_mode & 022) != 0) {
    return Unusable(path, "not a file that only you can write");
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return Unusable(path, "another run uses it");
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint(path, std::move(fd)));
  RETURN_IF_ERROR(checkpoint->Load(binding));
  return checkpoint;
}

absl::Status Checkpoint::Load(const std::string& binding) {
  std::string held;
  std::array<char, 65536> buffer;
  off_t good = 0;  // the end of the last record that is whole
  off_t at = 0;    // of the line
  bool first = true;
  bool more = true;
  while (more) {
    const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n < 0) return Unusable(path_, std::strerror(errno));
    if (n == 0 || held.size() > kLongestLine) break;
    held.append(buffer.data(), static_cast<size_t>(n));
    size_t begin = 0;
    for (size_t end; more && (end = held.find('\n', begin)) != std::string::npos; begin = end + 1) {
      std::string line = held.substr(begin, end - begin);
      at += static_cast<off_t>(line.size()) + 1;
      if (!Unseal(line)) {
        if (first) return Unusable(path_, "not a file of this program");
        more = false;
        break;
      }
      if (first) {
        if (line != absl::StrCat(kCheckpointMagic, " ", binding)) {
          return Unusable(path_,
                          "it was made for another volume, other keys, or the volume has changed "
                          "since; remove it to begin anew");
        }
        first = false;
        good = at;
        continue;
      }
      if (ApplyLine(line)) good = at;
    }
    held.erase(0, begin);
  }
  if (first && !held.empty()) return Unusable(path_, "not a file of this program");
  pending_.clear();
  if (::ftruncate(fd_.get(), good) != 0 || ::lseek(fd_.get(), good, SEEK_SET) != good) {
    return Unusable(path_, std::strerror(errno));
  }
  if (first) Append(Sealed(absl::StrCat(kCheckpointMagic, " ", binding)));
  return status_;
}

// True: the line ends a record.
bool Checkpoint::ApplyLine(const std::string& line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
  const auto number = [&fields](size_t i) {
    uint64_t value = 0;
    return i < fields.size() && absl::SimpleAtoi(fields[i], &value) ? value : 0;
  };
  if (fields[0] == "F" && fields.size() == 7) {
    const uint64_t reason = number(1);
    if (reason > static_cast<uint64_t>(Reason::kLast)) return false;
    pending_.push_back({.reason = static_cast<Reason>(reason),
                        .inode = static_cast<uint32_t>(number(2)),
                        .path = Unfield(fields[5]),
                        .first_byte = number(3),
                        .byte_count = number(4),
                        .detail = Unfield(fields[6])});
    return false;
  }
  const bool part = fields[0] == "P";
  const size_t base = part ? 3 : 2;
  if (fields.size() != base + 5) return false;
  const auto inode = static_cast<uint32_t>(number(1));
  Result result;
  result.counts = {.pages_authentic = number(base),
                   .pages_failed = number(base + 1),
                   .pages_unchecked = number(base + 2),
                   .groups_authentic = number(base + 3),
                   .groups_failed = number(base + 4)};
  result.findings.swap(pending_);
  if (part) {
    parts_[{inode, static_cast<uint32_t>(number(2))}] = std::move(result);
    return true;
  }
  std::vector<bool>& piece = done_[inode / kPiece];
  if (piece.empty()) piece.resize(kPiece);
  piece[inode % kPiece] = true;
  parts_.erase(parts_.lower_bound({inode, 0}), parts_.upper_bound({inode, UINT32_MAX}));
  counts_.Add(result.counts);
  for (Finding& f : result.findings) {
    if (findings_.size() < kMostFindings) findings_.push_back(std::move(f));
  }
  return true;
}

bool Checkpoint::IsDone(uint32_t inode) const {
  const auto it = done_.find(inode / kPiece);
  return it != done_.end() && it->second[inode % kPiece];
}

const Checkpoint::Result* Checkpoint::PartOf(uint32_t inode, uint32_t first_group) const {
  const auto it = parts_.find({inode, first_group});
  return it == parts_.end() ? nullptr : &it->second;
}

void Checkpoint::TakeFindings(const std::function<void(const Finding&)>& take) {
  for (const Finding& finding : findings_) take(finding);
  findings_.clear();
}

void Checkpoint::AddFile(uint32_t inode, const Result& result) {
  Append(LinesOf(result) + Sealed(absl::StrCat("D ", inode, " ", CountsOf(result.counts))));
}

void Checkpoint::AddPart(uint32_t inode, uint32_t first_group, const Result& result) {
  Append(LinesOf(result) +
         Sealed(absl::StrCat("P ", inode, " ", first_group, " ", CountsOf(result.counts))));
}

// One write: a kill leaves all of a record or the beginning of one. After a power failure the end
// may be missing, which costs work and nothing else.
void Checkpoint::Append(const std::string& lines) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!status_.ok()) return;
  for (size_t done = 0; done < lines.size();) {
    const ssize_t n = ::write(fd_.get(), lines.data() + done, lines.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      status_ = Unusable(path_, std::strerror(errno));
      return;
    }
    done += static_cast<size_t>(n);
  }
}

absl::Status Checkpoint::status() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

void Checkpoint::Remove() { (void)!::unlink(path_.c_str()); }

}  // namespace ext4crypt::volume
