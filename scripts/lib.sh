# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the commands at the top of the tree: where things are, and how a step is shown.

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by those that source this
BUILD=$REPO/build
LOGS=$BUILD/logs

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# Runs a command or function at lower priority: others may be working on this machine.
gently() (
	renice -n 5 "$BASHPID" >/dev/null
	"$@"
)

# step NAME COMMAND...: runs a long command quietly, its output in a log; on a terminal a line shows that it lives.
# On failure: the end of the log, and the command's status.
step() {
	local name=$1 log started=$SECONDS status=0
	shift
	mkdir -p "$LOGS"
	log=$LOGS/$(tr -c 'a-z0-9\n' '-' <<<"${name,,}").log
	if [ -t 1 ]; then
		gently "$@" >"$log" 2>&1 &
		local pid=$!
		while kill -0 "$pid" 2>/dev/null; do
			printf '\r  %-52s %4d s\e[K' "$name ..." $((SECONDS - started))
			sleep 1
		done
		wait "$pid" || status=$?
		printf '\r\e[K'
	else
		gently "$@" >"$log" 2>&1 || status=$?
	fi
	if [ "$status" != 0 ]; then
		printf '  %-52s FAILED after %d s, the end of %s:\n' "$name" $((SECONDS - started)) "${log#"$REPO"/}"
		tail -n 40 "$log" | sed 's/^/    | /'
		return "$status"
	fi
	printf '  %-52s %4d s\n' "$name" $((SECONDS - started))
}
