# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A case that ends without its token fails, though all it checked was right; another's token does not help.
# vm: seconds=200
. /e4c/functions.sh
ok "something"
report "token 0123456789abcdef0123456789abcdef"
