// SPDX-License-Identifier: Apache-2.0
#include "marks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace crash {

void Die(const std::string& what) {
  fprintf(stderr, "e4c-crash-load: %s: %s\n", what.c_str(), strerrorname_np(errno));
  _exit(1);
}

Marks::Marks(const Session& session)
    : session_(session), fd_(open(session.device.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC)) {
  if (fd_ < 0) Die("open " + session.device);
}

Marks::~Marks() { close(fd_); }

void Marks::Write(const void* sector, uint64_t offset) const {
  alignas(kMarkerStride) uint8_t buffer[kSector];
  std::memcpy(buffer, sector, kSector);
  if (pwrite(fd_, buffer, kSector, static_cast<off_t>(session_.bytes + offset)) !=
      static_cast<ssize_t>(kSector))
    Die("writing a marker");
}

void Marks::WriteSession(uint32_t state) const {
  SessionMarker marker;
  marker.session = session_.number;
  marker.state = state;
  marker.seed = session_.seed;
  marker.ops = session_.ops;
  marker.bytes = session_.bytes;
  snprintf(marker.workload, sizeof marker.workload, "%s", session_.workload.c_str());
  Write(&marker, 0);
}

void Marks::WriteWorker(uint32_t worker, uint64_t started, int64_t result, uint64_t size) const {
  WorkerMarker marker;
  marker.session = session_.number;
  marker.worker = worker;
  marker.started = started;
  marker.result = result;
  marker.size = size;
  Write(&marker, kMarkerStride * (1 + worker));
}

}  // namespace crash
