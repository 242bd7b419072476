# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A kernel warning on the console fails a run that is otherwise good.
# vm: seconds=200
. /e4c/functions.sh
echo '<3>WARNING: CPU: 0 PID: 1 at nowhere.c:1' >/dev/kmsg
sleep 1
ok "something"
finish
