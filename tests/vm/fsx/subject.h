// SPDX-License-Identifier: Apache-2.0
// A real file beside its model. Each operation is done to both; whatever the file then says is compared with the model.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "model.h"

namespace fsx {

// The file system under test did something wrong; the text says what, where, expected and actual.
class Mismatch : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Subject {
 public:
  explicit Subject(std::string path);
  ~Subject();
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  void open();
  void close();
  // Removes the file and makes it anew, empty.
  void recreate(uint64_t op);

  void write(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data);
  // With O_DIRECT; a file system may refuse that with EINVAL, then nothing happens. Returns whether it was done.
  bool write_direct(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data);
  // With O_SYNC, or O_DSYNC: data_only.
  void write_synced(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data, bool data_only);
  // From another file, or from a part of this one that does not overlap; by sendfile(2) or copy_file_range(2).
  void copy_from(uint64_t op, const Subject& source, uint64_t from, uint64_t offset, uint64_t length, bool by_sendfile);
  // Into a private mapping, within the file's size: the mapping must have it, and the file must not.
  void write_private(uint64_t offset, const std::vector<uint8_t>& data);
  // Through a shared mapping, within the file's size. sync: msync afterwards.
  void write_mapped(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data, bool sync);
  void truncate(uint64_t op, uint64_t size);
  // fallocate(2) with `mode` 0, KEEP_SIZE, PUNCH_HOLE or ZERO_RANGE (the latter two with or without KEEP_SIZE as the call allows).
  void allocate(uint64_t op, int mode, uint64_t offset, uint64_t length);
  void sync(bool data_only);
  // Writes back and drops this file's pages from the cache.
  void forget_cache();

  void verify(uint64_t offset, uint64_t length);
  void verify_mapped(uint64_t offset, uint64_t length);
  void verify_direct(uint64_t offset, uint64_t length);
  // Every byte that may differ from zero, the size, and SEEK_HOLE's idea of where holes are.
  void verify_all();
  void verify_holes();

  Model& model() { return model_; }
  const std::string& path() const { return path_; }

 private:
  void compare(uint64_t offset, const std::vector<uint8_t>& actual, const char* how) const;
  [[noreturn]] void failed(const char* call, uint64_t offset, uint64_t length) const;

  std::string path_;
  int fd_ = -1;
  Model model_;
};

}  // namespace fsx
