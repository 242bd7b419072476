// SPDX-License-Identifier: Apache-2.0
// Where things are unless an option says otherwise.
#pragma once

namespace ext4crypt {

inline constexpr char kDefaultSocketPath[] = "/run/ext4crypt/keyd.sock";
inline constexpr char kDefaultStateDir[] = "/var/lib/ext4crypt";
inline constexpr char kDefaultConfigPath[] = "/etc/ext4crypt/keyd.conf";

// The system user the packaged service runs as.
inline constexpr char kServiceUser[] = "ext4crypt";

// The file system types the kernel component and the stock kernel register.
inline constexpr char kAuthenticatedFsType[] = "ext4crypt";
inline constexpr char kPlainFsType[] = "ext4";
// Of the top directory of a volume: EXT4_ROOT_INO.
inline constexpr unsigned long kTopInode = 2;

}  // namespace ext4crypt
