// SPDX-License-Identifier: Apache-2.0
// Security keys that are programs, in the place of fido2/usb_bus.cc: the real libfido2 above them.
#pragma once

#include <list>
#include <string>

#include "tests/fakes/authenticator.h"

namespace ext4crypt {

struct TestToken {
  std::string path;
  std::string name;
  Authenticator authenticator;
};

// What is plugged in. At first what the environment says: EXT4CRYPT_TEST_TOKENS is a list of
// "SEED", "SEED:PIN" or "SEED:PIN:untouched", separated by blanks.
std::list<TestToken>& TestTokens();

}  // namespace ext4crypt
