// SPDX-License-Identifier: Apache-2.0
// e4c-fsx: does random operations to files and to a model of them, and compares. In the manner of fsx (A. Tevanian, NeXT, 1991).
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "options.h"
#include "rng.h"
#include "subject.h"

namespace fsx {
namespace {

class Runner {
 public:
  explicit Runner(Options options) : options_(std::move(options)), rng_(options_.seed) {
    for (int i = 0; i < options_.files; ++i) {
      files_.push_back(std::make_unique<Subject>(options_.directory + "/fsx-" + std::to_string(options_.seed) + "-" + std::to_string(i)));
    }
  }

  void run() {
    for (auto& file : files_) file->recreate(0);
    for (op_ = 1; op_ <= options_.ops; ++op_) {
      Subject& file = *files_[rng_.below(files_.size())];
      current_ = &file;
      step(file);
      if (op_ % 1000 == 0) printf("%lu operations\n", op_), fflush(stdout);
      if (!options_.remount.empty() && rng_.one_in(options_.remount_every)) remount();
      if (!options_.rekey.empty() && rng_.one_in(options_.rekey_every)) rekey();
    }
    if (!options_.remount.empty()) remount();
    verify_everything();
  }

  void tell(const Mismatch& mismatch) const {
    printf("FAILED in operation %lu of seed %lu: %s\n", op_, options_.seed, mismatch.what());
    if (current_ == nullptr) return;
    printf("the latest operations on %s:\n", current_->path().c_str());
    for (const std::string& line : current_->model().history()) printf("  %s\n", line.c_str());
  }

 private:
  struct Kind {
    const char* name;
    unsigned weight;
    void (Runner::*act)(Subject&);
  };
  static const Kind kKinds[];

  void step(Subject& file) {
    unsigned total = 0;
    for (const Kind* kind = kKinds; kind->name != nullptr; ++kind) total += chosen(*kind) ? kind->weight : 0;
    uint64_t pick = rng_.below(total);
    for (const Kind* kind = kKinds; kind->name != nullptr; ++kind) {
      if (!chosen(*kind)) continue;
      if (pick < kind->weight) {
        name_ = kind->name;
        (this->*kind->act)(file);
        return;
      }
      pick -= kind->weight;
    }
  }

  bool chosen(const Kind& kind) const {
    return options_.only.empty() || ("," + options_.only + ",").find("," + std::string(kind.name) + ",") != std::string::npos;
  }

  // Before the operation is done, so that the history of a failure ends with its cause.
  void note(Subject& file, uint64_t offset, uint64_t length, const std::string& more = "") {
    std::string line = "#" + std::to_string(op_) + " " + name_ + " [" + std::to_string(offset) + ", " + std::to_string(offset + length) +
                       ") pages " + std::to_string(offset / kPage) + ".." + std::to_string((offset + (length ? length - 1 : 0)) / kPage) + " size " +
                       std::to_string(file.model().size()) + more;
    if (options_.verbose) printf("%s %s\n", file.path().c_str(), line.c_str()), fflush(stdout);
    file.model().remember(std::move(line));
  }

  uint64_t any_offset() {
    if (rng_.one_in(100)) return kFar[rng_.below(2)] + rng_.below(300'000);
    return rng_.below(kNear);
  }
  uint64_t any_length() {
    if (rng_.one_in(options_.large_every)) return rng_.between(1, 700'000);  // crosses a whole tag group at times
    switch (rng_.below(7)) {
      case 0: return rng_.between(1, 100);
      case 1: return kPage * rng_.between(1, 16);
      default: return rng_.between(1, 40'000);
    }
  }
  // A range, on page boundaries one time in three. Its length is at least 1.
  std::pair<uint64_t, uint64_t> any_range() {
    uint64_t offset = any_offset();
    uint64_t length = any_length();
    if (rng_.one_in(3)) {
      offset -= offset % kPage;
      length = std::max(kPage, length - length % kPage);
    }
    return {offset, length};
  }
  // A range within the file, of length 0 if the file is empty.
  std::pair<uint64_t, uint64_t> range_within(const Model& model) {
    if (model.size() == 0) return {0, 0};
    const std::vector<uint64_t> pages = model.pages();
    uint64_t offset = rng_.below(model.size());
    // In a sparse file, mostly where something is.
    if (!pages.empty() && !rng_.one_in(4)) offset = std::min(model.size() - 1, pages[rng_.below(pages.size())] + rng_.below(kPage));
    return {offset, std::min(any_length(), model.size() - offset)};
  }
  std::vector<uint8_t> bytes(uint64_t length) {
    std::vector<uint8_t> data(length);
    rng_.fill(data.data(), length);
    return data;
  }

  void write(Subject& file) {
    const auto [offset, length] = any_range();
    note(file, offset, length);
    file.write(op_, offset, bytes(length));
  }
  void overwrite(Subject& file) {
    const auto [offset, length] = range_within(file.model());
    if (length == 0) return;
    note(file, offset, length);
    file.write(op_, offset, bytes(length));
  }
  void append(Subject& file) {
    const uint64_t length = any_length();
    // Far beyond the playground appending would only make every comparison slow.
    if (file.model().size() > 2 * kNear && !rng_.one_in(4)) return;
    note(file, file.model().size(), length);
    file.write(op_, file.model().size(), bytes(length));
  }
  void direct_write(Subject& file) {
    const uint64_t offset = any_offset() / kPage * kPage;
    const uint64_t length = kPage * rng_.between(1, 40);
    note(file, offset, length);
    file.write_direct(op_, offset, bytes(length));
  }
  void synced_write(Subject& file) {
    const auto [offset, length] = any_range();
    note(file, offset, length);
    file.write_synced(op_, offset, bytes(length), rng_.one_in(2));
  }
  void copy(Subject& file) {
    Subject& source = *files_[rng_.below(files_.size())];
    const auto [from, length] = range_within(source.model());
    const uint64_t offset = any_offset();
    if (length == 0 || (&source == &file && offset < from + length && from < offset + length)) return;
    const bool by_sendfile = rng_.one_in(3);
    note(file, offset, length, (by_sendfile ? " by sendfile from " : " from ") + source.path() + " " + std::to_string(from));
    file.copy_from(op_, source, from, offset, length, by_sendfile);
  }
  void private_write(Subject& file) {
    const auto [offset, length] = range_within(file.model());
    if (length == 0) return;
    note(file, offset, length);
    file.write_private(offset, bytes(length));
  }
  void mapped_write(Subject& file) {
    const auto [offset, length] = range_within(file.model());
    if (length == 0) return;
    const bool sync = rng_.one_in(4);
    note(file, offset, length, sync ? " msync" : "");
    file.write_mapped(op_, offset, bytes(length), sync);
  }
  void truncate(Subject& file) {
    uint64_t size = rng_.one_in(3) && file.model().size() > 0 ? rng_.below(file.model().size()) : any_offset();
    if (rng_.one_in(3)) size -= size % kPage;
    if (rng_.one_in(20)) size = 0;
    note(file, size, 0);
    file.truncate(op_, size);
  }
  void allocate(Subject& file, int mode) {
    const auto [offset, length] = any_range();
    note(file, offset, length);
    file.allocate(op_, mode, offset, length);
  }
  void punch(Subject& file) { allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE); }
  void zero_range(Subject& file) { allocate(file, FALLOC_FL_ZERO_RANGE); }
  void zero_keep(Subject& file) { allocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE); }
  void falloc(Subject& file) { allocate(file, 0); }
  void falloc_keep(Subject& file) { allocate(file, FALLOC_FL_KEEP_SIZE); }

  void read(Subject& file) {
    const auto [offset, length] = range_within(file.model());
    if (length > 0) file.verify(offset, length);
  }
  void mapped_read(Subject& file) {
    const auto [offset, length] = range_within(file.model());
    if (length > 0) file.verify_mapped(offset, length);
  }
  void direct_read(Subject& file) {
    auto [offset, length] = range_within(file.model());
    if (length == 0) return;
    length += offset % kPage;
    offset -= offset % kPage;
    file.verify_direct(offset, length);
  }
  void sync(Subject& file) {
    note(file, 0, 0);
    file.sync(rng_.one_in(2));
  }
  void forget(Subject& file) {
    note(file, 0, 0);
    file.forget_cache();
    const auto [offset, length] = range_within(file.model());
    if (length > 0) file.verify(offset, length);
  }
  void drop_caches(Subject& file) {
    note(file, 0, 0);
    ::sync();
    // As another user than root, or in a container, this file cannot be written; forget() is there too.
    if (const int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC); fd >= 0) {
      [[maybe_unused]] const ssize_t written = ::write(fd, rng_.one_in(2) ? "1" : "3", 1);
      close(fd);
    }
    file.verify_all();
  }
  void reopen(Subject& file) {
    note(file, 0, 0);
    file.open();
    file.verify_holes();
  }
  void recreate(Subject& file) {
    note(file, 0, 0);
    file.recreate(op_);
  }

  void remount() {
    for (auto& file : files_) file->close();
    run_command("remount", options_.remount);
    for (auto& file : files_) file->open();
    verify_everything();
  }

  // With open files the key is only half gone, and dirty pages are written by what is left of it.
  void rekey() {
    const bool open = rng_.one_in(2);
    for (auto& file : files_) {
      if (!open) file->close();
    }
    run_command(open ? "rekey, with open files" : "rekey", options_.rekey);
    for (auto& file : files_) {
      if (!open) file->open();
    }
    verify_everything();
  }

  void run_command(const std::string& name, const std::string& command) {
    for (auto& file : files_) file->model().remember("#" + std::to_string(op_) + " " + name);
    if (const int status = system(command.c_str()); status != 0) throw Mismatch("the command for " + name + " ended with status " + std::to_string(status));
  }

  void verify_everything() {
    for (auto& file : files_) {
      current_ = file.get();
      file->verify_all();
    }
  }

  Options options_;
  Rng rng_;
  std::vector<std::unique_ptr<Subject>> files_;
  uint64_t op_ = 0;
  const char* name_ = "";
  Subject* current_ = nullptr;
};

// The weights make a run spend most of its time on changes, and leave enough of a file alone between them for stale state to show.
const Runner::Kind Runner::kKinds[] = {
    {"write", 12, &Runner::write},
    {"overwrite", 12, &Runner::overwrite},
    {"append", 6, &Runner::append},
    {"direct-write", 4, &Runner::direct_write},
    {"synced-write", 2, &Runner::synced_write},
    {"copy", 4, &Runner::copy},
    {"private-write", 3, &Runner::private_write},
    {"mapped-write", 10, &Runner::mapped_write},
    {"truncate", 8, &Runner::truncate},
    {"punch", 8, &Runner::punch},
    {"zero-range", 4, &Runner::zero_range},
    {"zero-keep", 3, &Runner::zero_keep},
    {"falloc", 4, &Runner::falloc},
    {"falloc-keep", 4, &Runner::falloc_keep},
    {"read", 12, &Runner::read},
    {"mapped-read", 5, &Runner::mapped_read},
    {"direct-read", 3, &Runner::direct_read},
    {"sync", 3, &Runner::sync},
    {"forget", 4, &Runner::forget},
    {"drop-caches", 1, &Runner::drop_caches},
    {"reopen", 2, &Runner::reopen},
    {"recreate", 1, &Runner::recreate},
    {nullptr, 0, nullptr},
};

int usage() {
  fputs("usage: e4c-fsx DIR [--ops N] [--seed S] [--files K] [--remount COMMAND] [--remount-every N] "
        "[--rekey COMMAND] [--rekey-every N] [--large-every N] [--only OP,OP...] [--verbose]\n", stderr);
  return 2;
}

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--verbose") {
      options->verbose = true;
    } else if (argument.rfind("--", 0) != 0 && options->directory.empty()) {
      options->directory = argument;
    } else if (i + 1 == argc) {
      return false;
    } else if (const char* value = argv[++i]; argument == "--ops") {
      options->ops = strtoull(value, nullptr, 10);
    } else if (argument == "--seed") {
      options->seed = strtoull(value, nullptr, 10);
    } else if (argument == "--files") {
      options->files = atoi(value);
    } else if (argument == "--remount") {
      options->remount = value;
    } else if (argument == "--remount-every") {
      options->remount_every = strtoull(value, nullptr, 10);
    } else if (argument == "--rekey") {
      options->rekey = value;
    } else if (argument == "--rekey-every") {
      options->rekey_every = strtoull(value, nullptr, 10);
    } else if (argument == "--large-every") {
      options->large_every = strtoull(value, nullptr, 10);
    } else if (argument == "--only") {
      options->only = value;
    } else {
      return false;
    }
  }
  return !options->directory.empty() && options->files > 0 && options->remount_every > 0 && options->rekey_every > 0 && options->large_every > 0;
}

int run(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) return usage();
  printf("e4c-fsx: %lu operations on %d files, seed %lu\n", options.ops, options.files, options.seed);
  const uint64_t ops = options.ops;
  Runner runner(std::move(options));
  try {
    runner.run();
  } catch (const Mismatch& mismatch) {
    runner.tell(mismatch);
    return 1;
  }
  printf("e4c-fsx: %lu operations, no difference\n", ops);
  return 0;
}

}  // namespace
}  // namespace fsx

int main(int argc, char** argv) { return fsx::run(argc, argv); }
