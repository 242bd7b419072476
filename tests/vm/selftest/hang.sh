# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A case that never ends is ended.
# vm: seconds=20
. /e4c/functions.sh
ok "something"
sleep 1000000
