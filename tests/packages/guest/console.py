# SPDX-License-Identifier: Apache-2.0
"""Logs in on a terminal as a person does, with login(1), and types commands. Prints what the terminal shows.

console.py USER PASSWORD COMMAND...
"""
import os
import pty
import select
import sys
import time

user, password, *commands = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv("/bin/login", ["login", user])

shown = b""


def until(text, seconds=90):
    global shown
    deadline, seen = time.monotonic() + seconds, b""
    while text not in seen:
        if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            sys.exit(f"'{text.decode()}' did not come; shown so far:\n{shown.decode(errors='replace')}")
        try:
            data = os.read(terminal, 4096)
        except OSError:
            # Nobody has the terminal open: that is the end, or login(1), which hangs it up and opens it anew.
            if os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            data = b""
        if not data:
            sys.exit(f"the login ended before '{text.decode()}'; shown so far:\n{shown.decode(errors='replace')}")
        seen += data
        shown += data


def type_in(text):
    os.write(terminal, text.encode() + b"\n")


until(b"Password:")
type_in(password)
# What is typed before login(1) hands the terminal over is thrown away.
until(b"$ ")
for number, command in enumerate(commands):
    # The two halves of the mark come together only where the shell has run them, not in the echo of what is typed.
    type_in(f"{command}; echo 'done-''{number}'")
    until(f"done-{number}".encode())
type_in("exit")
try:
    while os.read(terminal, 4096):
        pass
except OSError:
    pass
os.waitpid(pid, 0)
print(shown.decode(errors="replace").replace("\r", ""))
