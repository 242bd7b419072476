// SPDX-License-Identifier: Apache-2.0
#include "volume/map/picture.h"

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
// Of UseText(), what fits under the bar.
constexpr std::array<const char*, kUses> kShort = {"ext4 itself",   "plain files", "only encrypted",
                                                   "authenticated", "their tags",  "free"};
constexpr std::array<char, kUses> kLetters = {'m', 'p', 'e', 'A', 'T', '.'};
constexpr std::array<int, kUses> kTerminal = {102, 214, 160, 32, 17, 254};  // of 256 colours

constexpr double kWidth = 960;
constexpr double kMargin = 20;
constexpr double kLabels = 48;  // room for group numbers
constexpr size_t kMostBars = 24;
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

// The number of a group, left of its row.
void Label(std::string& out, double y, const std::string& text) {
  absl::StrAppendFormat(&out,
                        "<text x=\"%.1f\" y=\"%.1f\" font-size=\"11\" text-anchor=\"end\" "
                        "fill=\"#5b6472\">%s</text>\n",
                        kMargin + kLabels - 8, y, text);
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

// What most people look for, in words.
std::string Headline(const GroupUse& sum) {
  const uint64_t good = sum[Use::kAuthenticated];
  const uint64_t files = good + sum[Use::kPlain] + sum[Use::kUnauthenticated];
  if (files == 0) return "No file has contents.";
  return absl::StrCat("Of ", Human(files), " in files, ", Share(good, files),
                      " are encrypted and authenticated.");
}

double Legend(std::string& out, const GroupUse& sum, double y) {
  double x = kMargin;
  const auto parts = Parts(sum, kWidth, 3);
  for (size_t i = 0; i < kUses; ++i) {
    if (parts[i] > 0) Rect(out, x, y, parts[i], 36, kColours[i]);
    x += parts[i];
  }
  y += 58;
  constexpr double kColumn = kWidth / kUses;
  for (size_t i = 0; i < kUses; ++i) {
    const double column = kMargin + static_cast<double>(i) * kColumn;
    Rect(out, column, y - 12, 14, 14, kColours[i]);
    // A colour that the picture does not have is paler here.
    out += sum.blocks[i] == 0 ? "<g fill=\"#8a929e\">\n" : "<g>\n";
    Text(out, column + 20, y, 13, kShort[i]);
    Text(out, column + 20, y + 18, 13,
         sum.blocks[i] == 0
             ? "none"
             : absl::StrCat(Human(sum.blocks[i]), ", ", Share(sum.blocks[i], sum.total())));
    out += "</g>\n";
  }
  return y + 18;
}

// The parts of one entry, side by side or from below upwards.
void Stack(std::string& out, const GroupUse& use, double x, double y, double w, double h,
           bool upright) {
  const double whole = upright ? h : w;
  const auto parts = Parts(use, whole, std::min(upright ? 2.0 : 3.0, whole / 8));
  double at = 0;
  for (size_t i = 0; i < kUses; ++i) {
    if (parts[i] <= 0) continue;
    if (upright) {
      Rect(out, x, y + h - at - parts[i], w, parts[i], kColours[i]);
    } else {
      Rect(out, x + at, y, parts[i], h, kColours[i]);
    }
    at += parts[i];
  }
}

}  // namespace

std::string DrawSvg(const std::vector<GroupUse>& groups, const std::string& title) {
  size_t each = 1;
  const std::vector<GroupUse> tiles = Coarser(groups, kMostTiles, each);
  const size_t count = std::max<size_t>(1, tiles.size());
  // Few groups are bars, as in the terminal; many are tiles, as many in a row as makes a picture
  // twice as wide as high.
  const bool bars = count <= kMostBars;
  const size_t columns =
      bars ? 1
           : std::min<size_t>(
                 96, static_cast<size_t>(std::ceil(std::sqrt(static_cast<double>(count) * 2))));
  const double wide = (kWidth - kLabels) / static_cast<double>(columns);
  const double high = bars ? std::clamp(400.0 / static_cast<double>(count), 16.0, 40.0) : wide;
  const double gap = high > 20 ? 3 : high > 12 ? 1.5 : 0.5;
  const GroupUse sum = Sum(groups);
  std::string body;
  Text(body, kMargin, 36, 22, title);
  Text(body, kMargin, 60, 15, Headline(sum));
  double y = Legend(body, sum, 76) + 32;
  const std::string unit = each == 1 ? "one block group" : absl::StrCat(each, " block groups");
  Text(body, kMargin, y, 13,
       absl::StrCat(bars ? absl::StrCat("A bar is ", unit, ". ")
                         : absl::StrCat("A tile is ", unit, ", filled from below. "),
                    "On the left is the first group of each row. The least is drawn as a line."));
  y += 14;
  for (size_t i = 0; i < tiles.size(); ++i) {
    const double x = kMargin + kLabels + wide * static_cast<double>(i % columns);
    const double top = y + high * static_cast<double>(i / columns);
    // Low rows have room for every second number.
    const size_t labelled = high < 13 ? 2 * columns : columns;
    if (i % labelled == 0) Label(body, top + std::min(high / 2 + 4, 16.0), absl::StrCat(i * each));
    const size_t last = std::min(groups.size(), (i + 1) * each) - 1;
    absl::StrAppendFormat(
        &body, "<g><title>%s: %s</title>\n",
        each == 1 ? absl::StrCat("group ", i) : absl::StrCat("groups ", i * each, " to ", last),
        Numbers(tiles[i]));
    Stack(body, tiles[i], x, top, wide - (bars ? 0 : gap), high - gap, !bars);
    body += "</g>\n";
  }
  const double height = y + high * static_cast<double>((count + columns - 1) / columns) + kMargin;
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
                          sum.blocks[i] == 0 ? "none" : Human(sum.blocks[i]),
                          sum.blocks[i] == 0 ? "" : Share(sum.blocks[i], sum.total()));
  }
  absl::StrAppend(&out, Headline(sum), "\n");
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
