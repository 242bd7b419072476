// SPDX-License-Identifier: Apache-2.0
// Reads vectors.txt: what the independent implementation in reference.py computed.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "common/hex.h"

namespace ext4crypt::volume {

class KnownAnswers {
 public:
  KnownAnswers() {
    std::ifstream file(E4C_VOLUME_TEST_DIR "/vectors.txt");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string name;
      std::string hex;
      if (line.starts_with('#') || !(words >> name >> hex)) continue;
      if (auto bytes = FromHex(hex); bytes.has_value()) values_[name] = *bytes;
    }
  }
  // Throws when there is no such vector: a test without its vector must not pass.
  [[nodiscard]] const std::vector<uint8_t>& at(const std::string& name) const {
    return values_.at(name);
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    return {at(name).begin(), at(name).end()};
  }

 private:
  std::map<std::string, std::vector<uint8_t>> values_;
};

}  // namespace ext4crypt::volume
