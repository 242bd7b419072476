// SPDX-License-Identifier: Apache-2.0
// Keeps the copies on the volumes up to date: for verbs that change what opens the user's keys.
#pragma once

#include <string>

#include "client/commands/command.h"
#include "client/rpc/keyd_client.h"

namespace ext4crypt {

// Writes what the service hands out to every volume that has a place for it, and says so in
// `result`. A failure to do so fails no verb: its own work is done. `encrypted` is a directory that
// has just been given a key: its volume gets a place, if the user may make one, and whoever has
// none there is told.
void UpdateVolumeExports(KeydClient& client, CommandResult& result,
                         const std::string& encrypted = "");

}  // namespace ext4crypt
