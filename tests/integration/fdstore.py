# SPDX-License-Identifier: Apache-2.0
"""systemd's part in a restart: keeps descriptors sent with FDSTORE=1, and hands them to the next run.

fdstore.py NOTIFY-SOCKET RESTART-FILE COMMAND...: when RESTART-FILE appears, COMMAND is killed and started again, and the file removed.
"""

import array
import ctypes
import os
import signal
import socket
import subprocess
import sys

notify, restart, command = sys.argv[1], sys.argv[2], sys.argv[3:]
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(notify)
server.settimeout(0.05)
kept: list[tuple[int, str]] = []


def start() -> subprocess.Popen:
    """Starts COMMAND with what is kept, from descriptor 3 on, as sd_listen_fds(3) says."""
    environment = dict(os.environ, NOTIFY_SOCKET=notify)
    if kept:
        environment |= {"LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": ":".join(name for _, name in kept)}

    def prepare() -> None:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing outlives the test
        high = [os.dup2(fd, 100 + i) for i, (fd, _) in enumerate(kept)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)
            os.close(fd)
    # LISTEN_PID has to name the process itself, which only a shell that replaces itself knows.
    return subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command], env=environment, close_fds=False, preexec_fn=prepare)


child = start()
signal.signal(signal.SIGTERM, lambda *_: (child.kill(), sys.exit(0)))
while True:
    if os.path.exists(restart):
        child.kill()
        child.wait()
        child = start()
        os.unlink(restart)
    try:
        data, control, _, _ = server.recvmsg(4096, socket.CMSG_SPACE(4 * 16))
    except TimeoutError:
        continue
    fds = array.array("i")
    for _, kind, payload in control:
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(payload)
    fields = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
    if fields.get("FDSTORE") == "1":
        kept.extend((fd, fields["FDNAME"]) for fd in fds)
