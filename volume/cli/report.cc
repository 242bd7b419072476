// SPDX-License-Identifier: Apache-2.0
#include "volume/cli/report.h"

#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/hex.h"
#include "common/printable.h"
#include "volume/map/picture.h"

namespace ext4crypt::volume {
namespace {

constexpr char kSeverityNames[][16] = {"refusal", "key", "authentication", "structure"};

absl::string_view SeverityName(Reason reason) {
  return kSeverityNames[static_cast<size_t>(SeverityOf(reason))];
}

Context ContextFor(const Policy& policy) {
  Context context;
  std::copy(policy.begin(), policy.end(), context.raw.begin());
  return context;
}

std::string Size(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return unit == 0 ? absl::StrCat(bytes, " bytes")
                   : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

class TextReport : public Report {
 public:
  explicit TextReport(std::ostream& out) : out_(out) {}

  void AddFinding(const Finding& f) override {
    out_ << (f.path.empty() ? "(volume)" : Printable(f.path));
    if (f.byte_count != 0) {
      out_ << ": bytes " << f.first_byte << " to " << f.first_byte + f.byte_count - 1;
    }
    out_ << ": " << ReasonText(f.reason) << " [" << ReasonName(f.reason) << "]";
    if (!f.detail.empty()) out_ << " (" << Printable(f.detail) << ")";
    out_ << "\n";
  }

  void EndSurvey(const Image& image, const SurveyTotals& totals, bool contents_checked,
                 int /*exit_code*/) override {
    out_ << "Volume of " << Size(image.block_count() * kBlockSize) << ", "
         << (image.HasEncryptFeature() ? "with" : "without") << " the encrypt feature; "
         << totals.directories << " directories, " << totals.plain_files << " unencrypted files of "
         << Size(totals.plain_bytes) << "\n";
    if (image.replayed().has_value()) WriteReplayed(*image.replayed());
    for (const std::string& path : totals.per_user_paths) {
      out_ << "Per user: " << Printable(path) << "\n";
    }
    if (totals.per_user_count > totals.per_user_paths.size()) {
      out_ << "Per user: " << totals.per_user_count << " directories in all\n";
    }
    for (const auto& [policy, p] : totals.policies) WritePolicy(ContextFor(policy), p);
    WriteStock(totals);
    const ScanCounts& c = totals.counts;
    if (contents_checked) {
      out_ << "Checked: " << c.pages_authentic << " pages authentic, " << c.pages_failed << " not; "
           << c.groups_authentic << " groups authentic, " << c.groups_failed << " not; "
           << c.pages_unchecked << " pages without a key\n";
    }
    out_ << "Findings: " << totals.authentication_findings << " of authentication, "
         << totals.structure_findings << " of structure\n";
  }

  void EndMounted(const MountedTotals& t, int /*exit_code*/) override {
    out_ << "Read through the kernel: " << t.files << " authenticated files of " << Size(t.bytes)
         << " in " << t.directories << " directories; " << t.unauthenticated
         << " files carry no tags and were not read\n"
         << "Findings: " << t.authentication_findings << " of authentication, "
         << t.structure_findings << " of structure, " << t.key_findings
         << " that could not be opened\n";
  }

  void EndMap(const std::vector<GroupUse>& groups, bool colours, int /*exit_code*/) override {
    out_ << DrawText(groups, colours);
  }

  void EndExtract(const ExtractTotals& t, bool salvage, int /*exit_code*/) override {
    out_ << "Extracted " << t.files << " files of " << Size(t.bytes) << ", " << t.directories
         << " directories, " << t.symlinks << " symbolic links\n";
    if (t.incomplete != 0 && salvage) {
      out_ << t.incomplete
           << " are incomplete or not proved: nothing vouches for the byte ranges named above, "
           << "where zeros stand in place of what cannot be trusted\n";
    } else if (t.incomplete != 0) {
      out_ << t.incomplete
           << " were left out for the reasons above; --salvage keeps what can be kept\n";
    }
    if (t.unauthenticated != 0) {
      out_ << t.unauthenticated << " files carry no tags: nothing vouches for their contents\n";
    }
    if (t.hard_links + t.special != 0) {
      out_ << t.hard_links << " further names and " << t.special << " pipes, sockets or devices\n";
    }
    if (t.metadata.privileges != 0) {
      out_ << t.metadata.privileges << " set-id bits, security attributes and devices were left "
           << "out: nothing vouches for them; --trust-metadata keeps them\n";
    }
    if (t.metadata.not_kept != 0) {
      out_ << t.metadata.not_kept << " owners or attributes could not be kept at the destination\n";
    }
  }

 private:
  void WriteReplayed(const Image::Replayed& r) {
    out_ << "Journal: " << r.transactions << " transactions with " << r.blocks
         << " blocks were replayed in memory; the volume itself is as it was";
    if (!r.remark.empty()) out_ << " (" << r.remark << ")";
    out_ << "\n";
  }
  // What somebody meets who mounts the volume with ext4 as it comes with the kernel.
  void WriteStock(const SurveyTotals& totals) {
    uint64_t directories = 0;
    uint64_t files = 0;
    for (const auto& [policy, p] : totals.policies) {
      if (!ContextFor(policy).authenticated()) continue;
      directories += p.directories;
      files += p.files + p.symlinks;
    }
    if (directories + files == 0) return;
    out_ << "Stock ext4 refuses to open " << files << " files and links of these, and to create "
         << "anything in " << directories << " directories; it lists and deletes there\n";
  }
  void WritePolicy(const Context& context, const PolicyTotals& p) {
    out_ << (context.authenticated() ? "Authenticated" : "Not authenticated") << ", key "
         << ToHex(context.identifier()) << (p.key_given ? " (given)" : "") << ", "
         << ContentsModeName(context) << ", names " << NamesModeName(context) << " padded to "
         << context.name_padding() << ", first at " << Printable(p.first_directory) << ":\n  "
         << p.directories << " directories, " << p.files << " files of " << Size(p.bytes) << ", "
         << p.symlinks << " symbolic links\n";
    for (const std::string& root : p.roots) out_ << "  all below " << Printable(root) << "\n";
    if (p.root_count > p.roots.size()) out_ << "  " << p.root_count << " such directories\n";
    if (!context.authenticated()) return;
    const double overhead = p.written_pages == 0 ? 0
                                                 : 100.0 * static_cast<double>(p.tag_blocks) /
                                                       static_cast<double>(p.written_pages);
    out_ << absl::StrFormat("  %u pages written, %u tag blocks: %.2f%% on top\n", p.written_pages,
                            p.tag_blocks, overhead);
  }

  std::ostream& out_;
};

class JsonReport : public Report {
 public:
  explicit JsonReport(std::ostream& out) : out_(out), json_(out) {
    json_.OpenObject();
    json_.Key("findings");
    json_.OpenArray();
  }

  void AddFinding(const Finding& f) override {
    out_ << "\n";
    json_.OpenObject();
    json_.Field("reason", ReasonName(f.reason));
    json_.Field("severity", SeverityName(f.reason));
    json_.Field("path", Printable(f.path));
    json_.Field("inode", f.inode);
    json_.Field("first_byte", f.first_byte);
    json_.Field("byte_count", f.byte_count);
    json_.Field("detail", Printable(f.detail));
    json_.CloseObject();
  }

  void EndSurvey(const Image& image, const SurveyTotals& totals, bool contents_checked,
                 int exit_code) override {
    json_.CloseArray();
    json_.Field("volume_bytes", image.block_count() * kBlockSize);
    json_.Flag("encrypt_feature", image.HasEncryptFeature());
    if (const auto& replayed = image.replayed(); replayed.has_value()) {
      json_.Key("journal_replayed");
      json_.OpenObject();
      json_.Field("transactions", replayed->transactions);
      json_.Field("blocks", replayed->blocks);
      json_.Field("remark", replayed->remark);
      json_.CloseObject();
    }
    json_.Field("directories", totals.directories);
    json_.Field("plain_files", totals.plain_files);
    json_.Field("plain_bytes", totals.plain_bytes);
    json_.Field("per_user_directories", totals.per_user_count);
    json_.Key("per_user_paths");
    json_.OpenArray();
    for (const std::string& path : totals.per_user_paths) json_.String(Printable(path));
    json_.CloseArray();
    json_.Key("policies");
    json_.OpenArray();
    for (const auto& [policy, p] : totals.policies) WritePolicy(ContextFor(policy), p);
    json_.CloseArray();
    if (contents_checked) WriteCounts(totals.counts);
    WriteFindingCounts(totals);
    End(exit_code);
  }

  void EndMounted(const MountedTotals& t, int exit_code) override {
    json_.CloseArray();
    json_.Field("directories", t.directories);
    json_.Field("files", t.files);
    json_.Field("bytes", t.bytes);
    json_.Field("unauthenticated", t.unauthenticated);
    WriteFindingCounts(t);
    End(exit_code);
  }

  void EndMap(const std::vector<GroupUse>& groups, bool /*colours*/, int exit_code) override {
    json_.CloseArray();
    json_.Key("groups");
    json_.OpenArray();
    for (const GroupUse& group : groups) {
      json_.OpenObject();
      for (size_t i = 0; i < kUses; ++i) {
        json_.Field(UseName(static_cast<Use>(i)), group.blocks[i]);
      }
      json_.CloseObject();
    }
    json_.CloseArray();
    End(exit_code);
  }

  void EndExtract(const ExtractTotals& t, bool salvage, int exit_code) override {
    json_.CloseArray();
    json_.Flag("salvage", salvage);
    json_.Field("files", t.files);
    json_.Field("directories", t.directories);
    json_.Field("symlinks", t.symlinks);
    json_.Field("bytes", t.bytes);
    json_.Field("incomplete", t.incomplete);
    json_.Field("unauthenticated", t.unauthenticated);
    json_.Field("special", t.special);
    json_.Field("hard_links", t.hard_links);
    json_.Field("privileges_left_out", t.metadata.privileges);
    json_.Field("metadata_not_kept", t.metadata.not_kept);
    End(exit_code);
  }

 private:
  void WritePolicy(const Context& context, const PolicyTotals& p) {
    json_.OpenObject();
    json_.Flag("authenticated", context.authenticated());
    json_.Field("key_identifier", ToHex(context.identifier()));
    json_.Flag("key_given", p.key_given);
    json_.Field("contents_mode", ContentsModeName(context));
    json_.Field("names_mode", NamesModeName(context));
    json_.Field("name_padding", context.name_padding());
    json_.Field("first_path", Printable(p.first_directory));
    json_.Key("roots");
    json_.OpenArray();
    for (const std::string& root : p.roots) json_.String(Printable(root));
    json_.CloseArray();
    json_.Field("root_count", p.root_count);
    json_.Field("directories", p.directories);
    json_.Field("files", p.files);
    json_.Field("symlinks", p.symlinks);
    json_.Field("bytes", p.bytes);
    json_.Field("written_pages", p.written_pages);
    json_.Field("tag_blocks", p.tag_blocks);
    json_.CloseObject();
  }

  void WriteFindingCounts(const FindingCounts& counts) {
    json_.Field("authentication_findings", counts.authentication_findings);
    json_.Field("structure_findings", counts.structure_findings);
    json_.Field("key_findings", counts.key_findings);
  }

  void WriteCounts(const ScanCounts& c) {
    json_.Field("pages_authentic", c.pages_authentic);
    json_.Field("pages_failed", c.pages_failed);
    json_.Field("pages_unchecked", c.pages_unchecked);
    json_.Field("groups_authentic", c.groups_authentic);
    json_.Field("groups_failed", c.groups_failed);
  }

  void End(int exit_code) {
    json_.Field("exit_code", static_cast<uint64_t>(exit_code));
    json_.CloseObject();
    out_ << "\n";
  }

  std::ostream& out_;
  JsonWriter json_;
};

absl::string_view WayOut(Reason reason) {
  switch (reason) {
    case Reason::kNeedsRecovery:
      return "Replay it on a copy (e2fsck -p COPY), or mount and unmount the volume.";
    case Reason::kJournalMalformed:
      return "Let e2fsck -fy repair a copy, and look at the copy.";
    case Reason::kVolumeInUse:
      return "Name the directory where it is mounted, or a read-only snapshot; or unmount it "
             "first.";
    case Reason::kNotExt4:
    case Reason::kSuperblockMalformed:
      return "Look for a backup superblock with e2fsck -b on a copy.";
    case Reason::kBlockSizeUnsupported:
      return "ext4crypt volumes have blocks of 4096 bytes.";
    case Reason::kFeatureUnsupported:
      return "Use a newer ext4crypt.";
    case Reason::kStateUnusable:
      return "Begin anew with another name, or remove the file.";
    case Reason::kKeyFileUnusable:
      return "Name a file with the 64 bytes of the master key, or their 128 hexadecimal digits.";
    case Reason::kExportUnusable:
      return "Name a file that ext4crypt export has written.";
    case Reason::kCredentialUnusable:
      return "Run it in a terminal, or hand it over with --passphrase-fd N; compare a code with "
             "what was written down.";
    case Reason::kWrongCredential:
      return "Try again, or with --recovery. What counts is what was valid when the keys were "
             "exported.";
    case Reason::kDestinationUnusable:
      return "Name a destination that does not exist in a directory you can write.";
    default:
      return "";
  }
}

}  // namespace

std::unique_ptr<Report> MakeReport(bool json, std::ostream& out) {
  if (json) return std::make_unique<JsonReport>(out);
  return std::make_unique<TextReport>(out);
}

void WriteRefusal(bool json, const absl::Status& status, int exit_code, std::ostream& out,
                  std::ostream& err) {
  const Reason reason = ReasonOf(status);
  if (json) {
    JsonWriter writer(out);
    writer.OpenObject();
    writer.Key("error");
    writer.OpenObject();
    writer.Field("reason", ReasonName(reason));
    writer.Field("message", status.message());
    writer.CloseObject();
    writer.Field("exit_code", static_cast<uint64_t>(exit_code));
    writer.CloseObject();
    out << "\n";
    return;
  }
  err << "ext4crypt volume: " << ReasonText(reason) << ": " << status.message() << ". "
      << WayOut(reason) << "\n";
}

}  // namespace ext4crypt::volume
