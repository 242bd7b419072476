// SPDX-License-Identifier: Apache-2.0
#include "volume/cli/picture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/unique_fd.h"
#include "volume/reason.h"

namespace ext4crypt::volume {
namespace {

constexpr std::array<const char*, kUses> kColours = {"#8d96a5", "#f2b134", "#d64545",
                                                     "#3b8ed0", "#12315c", "#e9edf2"};
constexpr std::array<char, kUses> kLetters = {'m', 'p', 'e', 'A', 'T', '.'};
constexpr std::array<int, kUses> kTerminal = {102, 214, 160, 32, 17, 254};  // of 256 colours

constexpr double kWidth = 960;
constexpr double kMargin = 20;
constexpr size_t kMostTiles = 4096;
constexpr size_t kMostLines = 40;
constexpr size_t kLineWidth = 60;

std::string Human(uint64_t blocks) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(blocks) * (kBlockSize / 1024.0);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.4g %s", value, kUnits[unit]);
}

std::string Share(uint64_t part, uint64_t whole) {
  const double percent =
      whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return part != 0 && percent < 0.1 ? "< 0.1 %" : absl::StrFormat("%.1f %%", percent);
}

GroupUse Sum(const std::vector<GroupUse>& groups) {
  GroupUse sum;
  for (const GroupUse& group : groups) sum.Add(group);
  return sum;
}

// Lengths of the parts that add up to `whole`; none that exists is shorter than `least`. The
// longest one pays for that.
std::array<double, kUses> Parts(const GroupUse& use, double whole, double least) {
  std::array<double, kUses> parts = {};
  const auto total = static_cast<double>(std::max<uint64_t>(1, use.total()));
  double sum = 0;
  for (size_t i = 0; i < kUses; ++i) {
    if (use.blocks[i] == 0) continue;
    parts[i] = std::max(least, whole * static_cast<double>(use.blocks[i]) / total);
    sum += parts[i];
  }
  double& longest = *std::max_element(parts.begin(), parts.end());
  longest = std::max(least, longest - (sum - whole));
  return parts;
}

void Rect(std::string& out, double x, double y, double w, double h, const char* colour) {
  absl::StrAppendFormat(
      &out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", x, y, w,
      h, colour);
}

void Text(std::string& out, double x, double y, int size, const std::string& text) {
  const std::string safe =
      absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
  absl::StrAppendFormat(&out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\">%s</text>\n", x, y,
                        size, safe);
}

std::string Numbers(const GroupUse& use) {
  std::string text;
  for (size_t i = 0; i < kUses; ++i) {
    if (use.blocks[i] == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", Human(use.blocks[i]), " ",
                    UseText(static_cast<Use>(i)));
  }
  return text;
}

double Legend(std::string& out, const GroupUse& sum, double y) {
  double x = kMargin;
  const auto parts = Parts(sum, kWidth, 3);
  for (size_t i = 0; i < kUses; ++i) {
    if (parts[i] > 0) Rect(out, x, y, parts[i], 28, kColours[i]);
    x += parts[i];
  }
  y += 50;
  for (size_t i = 0; i < kUses; ++i) {
    const double column = kMargin + static_cast<double>(i % 3) * (kWidth / 3);
    Rect(out, column, y - 12, 14, 14, kColours[i]);
    Text(out, column + 20, y, 13,
         absl::StrCat(UseText(static_cast<Use>(i)), ": ", Human(sum.blocks[i]), ", ",
                      Share(sum.blocks[i], sum.total())));
    if (i % 3 == 2) y += 22;
  }
  return y;
}

}  // namespace

std::string DrawSvg(const std::vector<GroupUse>& groups, const std::string& title) {
  size_t each = 1;
  const std::vector<GroupUse> tiles = Coarser(groups, kMostTiles, each);
  const auto count = static_cast<double>(std::max<size_t>(1, tiles.size()));
  const double columns = std::clamp(std::ceil(std::sqrt(count * 2)), 1.0, 96.0);
  const double side = std::min(160.0, kWidth / columns);
  const double gap = side > 20 ? 3 : side > 12 ? 1.5 : 0.5;
  std::string body;
  Text(body, kMargin, 34, 20, title);
  double y = Legend(body, Sum(groups), 50) + 16;
  Text(body, kMargin, y, 13,
       absl::StrCat("Each tile is ",
                    each == 1 ? "one block group" : absl::StrCat(each, " block groups"),
                    ", in the order of the disk, filled from below in the order of the legend. "
                    "What there is at all is drawn."));
  y += 12;
  for (size_t i = 0; i < tiles.size(); ++i) {
    const double x = kMargin + side * std::fmod(static_cast<double>(i), columns);
    const double top = y + side * std::floor(static_cast<double>(i) / columns);
    const double size = side - gap;
    absl::StrAppendFormat(&body, "<g><title>group %u%s: %s</title>\n", i * each,
                          each == 1 ? "" : " and following", Numbers(tiles[i]));
    double bottom = top + size;
    const auto parts = Parts(tiles[i], size, std::min(2.0, size / 8));
    for (size_t use = 0; use < kUses; ++use) {
      if (parts[use] <= 0) continue;
      bottom -= parts[use];
      Rect(body, x, bottom, size, parts[use], kColours[use]);
    }
    body += "</g>\n";
  }
  const double height = y + side * std::ceil(count / columns) + kMargin;
  return absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" fill=\"#1c2430\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n%s</svg>\n",
      kWidth + 2 * kMargin, height, kWidth + 2 * kMargin, height, body);
}

std::string DrawText(const std::vector<GroupUse>& groups, bool colours) {
  size_t each = 1;
  const std::vector<GroupUse> lines = Coarser(groups, kMostLines, each);
  const auto cells = [&](size_t use, size_t n) {
    const std::string letters(n, kLetters[use]);
    if (!colours || n == 0) return letters;
    return absl::StrFormat("\x1b[48;5;%dm\x1b[38;5;%dm%s\x1b[0m", kTerminal[use],
                           use == 4 ? 255 : 16, letters);
  };
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t last = std::min(groups.size(), (i + 1) * each) - 1;
    absl::StrAppendFormat(
        &out, "%15s |",
        each == 1 ? absl::StrCat("group ", i) : absl::StrCat("groups ", i * each, "-", last));
    const auto parts = Parts(lines[i], kLineWidth, 1);
    double end = 0;
    size_t drawn = 0;
    for (size_t use = 0; use < kUses; ++use) {
      end += parts[use];
      const auto to = std::min(kLineWidth, static_cast<size_t>(std::lround(end)));
      out += cells(use, to - std::min(to, drawn));
      drawn = std::max(drawn, to);
    }
    out += "|\n";
  }
  const GroupUse sum = Sum(groups);
  for (size_t i = 0; i < kUses; ++i) {
    out += "  ";
    out += cells(i, 1);
    absl::StrAppendFormat(&out, " %-29s %10s  %s\n", UseText(static_cast<Use>(i)),
                          Human(sum.blocks[i]), Share(sum.blocks[i], sum.total()));
  }
  return out;
}

absl::Status WritePicture(const std::string& path, const std::string& image,
                          const std::string& svg) {
  const auto unusable = [&path](absl::string_view why) {
    return Fail(Reason::kDestinationUnusable, absl::StrCat(path, ": ", why));
  };
  if (!absl::EndsWith(path, ".svg")) return unusable("the name of the picture must end in .svg");
  struct stat st = {};
  struct stat volume = {};
  if (::stat(path.c_str(), &st) == 0) {
    const bool same = ::stat(image.c_str(), &volume) == 0 && st.st_dev == volume.st_dev &&
                      st.st_ino == volume.st_ino;
    if (!S_ISREG(st.st_mode) || same) return unusable("it is no picture that could be replaced");
  }
  std::string temporary = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return unusable(std::strerror(errno));
  const bool written =
      ::write(fd.get(), svg.data(), svg.size()) == static_cast<ssize_t>(svg.size()) &&
      ::fchmod(fd.get(), 0644) == 0 && ::fsync(fd.get()) == 0 &&
      ::rename(temporary.c_str(), path.c_str()) == 0;
  if (written) return absl::OkStatus();
  const int error = errno;
  ::unlink(temporary.c_str());
  return unusable(std::strerror(error));
}

}  // namespace ext4crypt::volume
