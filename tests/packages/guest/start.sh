# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Started by systemd in a guest of tests/packages/run: opens the line for results and runs the case; then the machine goes off.
port=/dev/virtio-ports/e4c.result
for _ in $(seq 100); do [ -e $port ] && break; sleep 0.2; done
exec 3<>$port
bash /e4c/case.sh </dev/null
cp /var/log/case.log /dev/ttyS0 2>/dev/null
systemctl poweroff
