# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A panic after the token fails the run.
# vm: seconds=200
. /e4c/functions.sh
ok "something"
report "token $TOKEN"
echo c >/proc/sysrq-trigger
sleep 60
