// SPDX-License-Identifier: Apache-2.0
#include "volume/cli/verbs.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/printable.h"
#include "common/status_macros.h"
#include "terminal/progress.h"
#include "volume/cli/exit_code.h"
#include "volume/cli/exported_keys.h"
#include "volume/cli/report.h"
#include "volume/extract/extract.h"
#include "volume/map/block_map.h"
#include "volume/map/picture.h"
#include "volume/verify/checkpoint.h"
#include "volume/verify/mounted.h"
#include "volume/verify/volume_survey.h"

namespace ext4crypt::volume {
namespace {

struct Options {
  std::string image;
  std::vector<std::string> master_keys;
  ExportedKeyOptions exported;
  unsigned threads = 0;  // 0: one for each processor
  std::string path;
  std::string destination;
  bool salvage = false;
  bool trust_metadata = false;
  std::string state;
  std::string picture;
};

absl::StatusOr<KeyRing> ReadKeys(const Options& options) {
  KeyRing keys;
  for (const std::string& file : options.master_keys) {
    ASSIGN_OR_RETURN(MasterKey key, MasterKey::FromFile(file));
    keys.Add(std::move(key));
  }
  RETURN_IF_ERROR(AddExportedKeys(options.exported, keys));
  return keys;
}

absl::StatusOr<std::unique_ptr<Image>> OpenImage(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<BlockSource> source, FileSource::Open(path));
  return Image::Open(std::move(source));
}

// Nobody must take a report cut short by a full disk for a clean one.
int Written(int exit_code) {
  std::cout.flush();
  if (std::cout.good()) return exit_code;
  std::cerr << "ext4crypt volume: the report could not be written\n";
  return kExitError;
}

int Refuse(bool json, const absl::Status& status) {
  const int code = ExitCodeOf(status);
  WriteRefusal(json, status, code, std::cout, std::cerr);
  return Written(code);
}

unsigned ThreadsOf(const Options& options) {
  return options.threads != 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
}

// `keys` empty: inspect.
int RunSurvey(const Options& options, bool json, const KeyRing& keys) {
  auto image = OpenImage(options.image);
  if (!image.ok()) return Refuse(json, image.status());
  std::unique_ptr<Checkpoint> checkpoint;
  if (!options.state.empty()) {
    auto opened = Checkpoint::Open(options.state, BindingOf(**image, options.image, keys));
    if (!opened.ok()) return Refuse(json, opened.status());
    checkpoint = *std::move(opened);
  }
  const auto report = MakeReport(json, std::cout);
  ext2_super_block* super = (*image)->fs()->super;
  Progress progress;
  progress.Begin(
      {.bytes = ((*image)->block_count() - ext2fs_free_blocks_count(super)) * kBlockSize});
  SurveyOptions survey_options;
  survey_options.threads = ThreadsOf(options);
  survey_options.checkpoint = checkpoint.get();
  survey_options.on_finding = [&](const Finding& finding) {
    progress.Clear();
    report->AddFinding(finding);
  };
  survey_options.on_progress = [&](uint64_t pages) {
    progress.Update({.bytes = pages * kBlockSize});
  };
  Survey survey(**image, keys, survey_options);
  survey.Run();
  progress.Clear();
  const SurveyTotals& totals = survey.totals();
  const int code =
      ExitCodeOf(totals.authentication_findings, totals.structure_findings, totals.key_findings);
  report->EndSurvey(**image, totals, !keys.empty(), code);
  // The report is whole either way; only going on from here would not work.
  if (checkpoint != nullptr && !checkpoint->status().ok()) {
    WriteRefusal(false, checkpoint->status(), code, std::cout, std::cerr);
  }
  const int written = Written(code);
  if (checkpoint != nullptr && written == code) checkpoint->Remove();
  return written;
}

int RunMounted(const Options& options, bool json) {
  if (!options.master_keys.empty() || !options.exported.files.empty() || !options.state.empty()) {
    return Refuse(json, Fail(Reason::kInvalidRequest,
                             "below a mounted directory the kernel has the keys, and files change: "
                             "no --master-key, no --key-from, no --resume"));
  }
  std::unique_ptr<Report> report;
  const auto begin = [&] {
    if (report == nullptr) report = MakeReport(json, std::cout);
  };
  Progress progress;
  MountedOptions mounted;
  mounted.threads = ThreadsOf(options);
  mounted.on_finding = [&](const Finding& finding) {
    begin();
    progress.Clear();
    report->AddFinding(finding);
  };
  mounted.on_progress = [&](uint64_t bytes) { progress.Update({.bytes = bytes}); };
  if (progress.shown())
    mounted.on_total = [&](uint64_t bytes) { progress.Begin({.bytes = bytes}); };
  MountedTotals totals;
  const absl::Status status = VerifyMounted(options.image, mounted, totals);
  progress.Clear();
  if (!status.ok()) return Refuse(json, status);
  begin();
  const int code =
      ExitCodeOf(totals.authentication_findings, totals.structure_findings, totals.key_findings);
  report->EndMounted(totals, code);
  return Written(code);
}

int RunMap(const Options& options, bool json) {
  auto image = OpenImage(options.image);
  if (!image.ok()) return Refuse(json, image.status());
  const std::vector<GroupUse> groups = MapBlocks(**image);
  if (!options.picture.empty()) {
    const size_t slash = options.image.rfind('/');
    const std::string name =
        slash == std::string::npos ? options.image : options.image.substr(slash + 1);
    const std::string title = Printable(name) + ", " + std::to_string(groups.size()) +
                              (groups.size() == 1 ? " block group" : " block groups");
    const absl::Status status =
        WritePicture(options.picture, options.image, DrawSvg(groups, title));
    if (!status.ok()) return Refuse(json, status);
  }
  const auto report = MakeReport(json, std::cout);
  report->EndMap(groups, ::isatty(STDOUT_FILENO) != 0, kExitClean);
  return Written(kExitClean);
}

int RunVerify(const Options& options, bool json) {
  std::error_code error;
  if (std::filesystem::is_directory(options.image, error)) return RunMounted(options, json);
  if (options.master_keys.empty() && options.exported.files.empty()) {
    return Refuse(json,
                  Fail(Reason::kInvalidRequest,
                       "an image or a device needs its keys: --key-from with a file that "
                       "ext4crypt export wrote, or --master-key. With an unlocked key service "
                       "mount the volume, and give the directory"));
  }
  const auto keys = ReadKeys(options);
  if (!keys.ok()) return Refuse(json, keys.status());
  return RunSurvey(options, json, *keys);
}

int RunExtract(const Options& options, bool json) {
  const auto keys = ReadKeys(options);
  if (!keys.ok()) return Refuse(json, keys.status());
  auto image = OpenImage(options.image);
  if (!image.ok()) return Refuse(json, image.status());
  // A refusal is an object of its own in JSON, so the report begins with the first finding.
  std::unique_ptr<Report> report;
  const auto begin = [&] {
    if (report == nullptr) report = MakeReport(json, std::cout);
  };
  Progress progress;
  uint64_t authentication = 0;
  uint64_t structure = 0;
  uint64_t key = 0;
  ExtractOptions extract_options;
  extract_options.salvage = options.salvage;
  extract_options.metadata = {.keep_owner = ::geteuid() == 0, .trust = options.trust_metadata};
  extract_options.on_finding = [&](const Finding& finding) {
    const Severity severity = SeverityOf(finding.reason);
    ++(severity == Severity::kAuthentication ? authentication
       : severity == Severity::kKey          ? key
                                             : structure);
    begin();
    progress.Clear();
    report->AddFinding(finding);
  };
  extract_options.on_progress = [&](uint64_t bytes) { progress.Update({.bytes = bytes}); };
  ExtractTotals totals;
  const absl::Status status =
      Extract(**image, *keys, options.path, options.destination, extract_options, totals);
  progress.Clear();
  if (!status.ok() && report == nullptr) return Refuse(json, status);
  begin();
  const int code = status.ok() ? ExitCodeOf(authentication, structure, key) : kExitError;
  report->EndExtract(totals, options.salvage, code);
  if (!status.ok()) WriteRefusal(false, status, code, std::cout, std::cerr);
  return Written(code);
}

void AddImage(CLI::App& verb, Options& options) {
  verb.add_option("image", options.image, "An image or a block device; never written to")
      ->type_name("IMAGE|DEVICE")
      ->required();
}

void AddKeys(CLI::App& verb, Options& options) {
  verb.add_option("--master-key", options.master_keys,
                  "A file with a master key itself: 64 bytes or 128 hexadecimal digits. May be "
                  "repeated")
      ->type_name("FILE")
      ->expected(1)
      ->take_all();
  CLI::Option* from =
      verb.add_option("--key-from", options.exported.files,
                      "A file that ext4crypt export wrote; its passphrase is asked for. May be "
                      "repeated")
          ->type_name("FILE")
          ->expected(1)
          ->take_all();
  verb.add_option("--passphrase-fd", options.exported.secrets_fd,
                  "Read passphrases and codes from descriptor N, one a line")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->needs(from);
  CLI::Option* recovery = verb.add_flag("--recovery", options.exported.recovery,
                                        "Open it with the recovery code, not the passphrase")
                              ->needs(from);
  verb.add_option("--key-file", options.exported.key_file,
                  "Open it with a key file of protectors add-key-file, not the passphrase")
      ->type_name("PATH")
      ->needs(from)
      ->excludes(recovery);
  verb.add_flag("--fido2", options.exported.fido2, "Open it with a security key that is plugged in")
      ->needs(from)
      ->excludes(recovery)
      ->excludes("--key-file");
}

void AddThreads(CLI::App& verb, Options& options) {
  verb.add_option("--threads", options.threads, "Threads; one for each processor if not given")
      ->type_name("N")
      ->check(CLI::Range(1, 256));
}

}  // namespace

void AddVolumeVerbs(CLI::App& app, const bool& json, std::function<int()>& selected) {
  const auto options = std::make_shared<Options>();
  CLI::App& inspect = *app.add_subcommand(
      "inspect", "Policies, counts and structural faults of a volume, without any key");
  AddImage(inspect, *options);
  AddThreads(inspect, *options);
  inspect.callback([options, &json, &selected] {
    selected = [options, &json] { return RunSurvey(*options, json, KeyRing()); };
  });

  CLI::App& verify = *app.add_subcommand(
      "verify", "Authenticate every page, tag block, head and place of a volume");
  verify
      .add_option(
          "image", options->image,
          "An image or a block device, never written to; or a directory of a mounted volume, "
          "read through the kernel")
      ->type_name("IMAGE|DEVICE|DIRECTORY")
      ->required();
  AddKeys(verify, *options);
  AddThreads(verify, *options);
  verify
      .add_option("--resume", options->state,
                  "Keep what is done in FILE, and go on from there if it exists; it is removed at "
                  "the end")
      ->type_name("FILE");
  verify.callback([options, &json, &selected] {
    selected = [options, &json] { return RunVerify(*options, json); };
  });

  CLI::App& map = *app.add_subcommand(
      "map", "A picture of what the blocks of a volume are used for, without any key");
  AddImage(map, *options);
  map.add_option("picture", options->picture, "An SVG file to write; as text in any case")
      ->type_name("FILE.svg");
  map.callback([options, &json, &selected] {
    selected = [options, &json] { return RunMap(*options, json); };
  });

  CLI::App& extract = *app.add_subcommand("extract", "Copy files out of a volume in clear");
  AddImage(extract, *options);
  extract.add_option("path", options->path, "A file or directory in the volume; / is all of it")
      ->type_name("PATH")
      ->required();
  extract.add_option("destination", options->destination, "Where to; must not exist")
      ->type_name("DEST")
      ->required();
  AddKeys(extract, *options);
  extract.add_flag("--salvage", options->salvage,
                   "Keep damaged files too, with zeros where nothing can be trusted");
  extract.add_flag("--trust-metadata", options->trust_metadata,
                   "Keep set-id bits, security attributes and devices too");
  extract.callback([options, &json, &selected] {
    selected = [options, &json] { return RunExtract(*options, json); };
  });
}

}  // namespace ext4crypt::volume
