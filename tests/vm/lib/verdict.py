# SPDX-License-Identifier: Apache-2.0
"""Judges a guest by its console and by what it reported. Absence of proof is failure."""

import re
from dataclasses import dataclass, field

# A line of the console that matches one of these fails the run, whatever the guest itself says.
FATAL = re.compile(
    r"Kernel panic|\bBUG\b|\bWARNING\b|\bOops\b|general protection fault|KASAN|UBSAN|KFENCE|kmemleak|blocked for more than|"
    r"possible circular locking|possible recursive locking|inconsistent lock state|suspicious RCU|sleeping function called|"
    r"Unable to mount root|refcount_t:|list_(add|del) corruption|EXT4-fs error|EXT4-fs warning|Aborting journal|"
    r"JBD2: (Error|Detected)|Buffer I/O error|I/O error, dev|Out of memory|oom-kill")


@dataclass
class Verdict:
    """What one run of a guest came to."""
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    proven: bool = False  # the guest wrote its own token at its end

    @property
    def good(self) -> bool:
        return self.proven and bool(self.passed) and not self.failed


class ConsoleWatch:
    """Finds fatal lines in a growing console log.

    allowed: regular expression for lines that a case provokes on purpose, None for no such lines.
    """

    def __init__(self, allowed: str | None):
        self._allowed = re.compile(allowed) if allowed else None
        self._rest = ""

    def feed(self, text: str, last: bool = False) -> list[str]:
        """The fatal lines among the complete lines that TEXT adds; among all, when it is the last text."""
        *lines, self._rest = (self._rest + text).split("\n")
        if last:
            lines, self._rest = [*lines, self._rest], ""
        return [line.strip() for line in lines
                if FATAL.search(line) and not (self._allowed and self._allowed.search(line))]
