# SPDX-License-Identifier: Apache-2.0
"""A case and its head: what it needs, and what its long form is."""

import secrets
from pathlib import Path

CASES = Path(__file__).resolve().parent.parent / "cases"


class Case:
    """One script of tests/vm/cases. LONG: its long form."""

    def __init__(self, path: Path, long: bool = False):
        self.path = path
        self.name = path.stem
        head = [line for line in path.read_text().splitlines() if line.startswith("#")]
        needs = _pairs(head, "vm")
        self.disks = [value for name, value in needs if name == "disk"]
        self.made_disks = [value for name, value in needs if name == "made-disk"]
        self.memory = int(next((v for n, v in needs if n == "memory"), 1024))
        self.seconds = int(next((v for n, v in needs if n == "seconds"), 300))
        self.cpu = "".join(f",{value}" for name, value in needs if name == "cpu")
        unknown = {name for name, _ in needs} - {"disk", "made-disk", "memory", "seconds", "cpu"}
        if unknown:
            raise ValueError(f"{path}: '# vm:' does not know {', '.join(sorted(unknown))}")
        self.allowed = next((line.split(":", 1)[1].strip() for line in head if line.startswith("# console-allowed:")), None)
        form = _pairs(head, "long")
        self.only_long = ("only", "") in form
        self.settings: list[str] = []
        if long:
            self.seconds = int(next((v for n, v in form if n == "seconds"), self.seconds))
            self.settings = [f"{n}={_drawn(v)}" for n, v in form if n not in ("only", "seconds")]


def find(name: Path) -> Path:
    """The script that NAME means: a path, or the name of a case."""
    named = CASES / f"{name}.sh"
    found = next((path for path in (name, named) if path.is_file()), None)
    if not found:
        raise ValueError(f"there is no case '{name}'; tests/vm/run --list has their names")
    return found


def listed(long: bool) -> list[Case]:
    """The cases of one form, smoke first and then by their time limits, the longest first, which keeps two runners busy to the end."""
    cases = [Case(path, long) for path in sorted(CASES.glob("*.sh"))]
    return sorted((case for case in cases if long or not case.only_long), key=lambda case: (case.name != "smoke", -case.seconds))


def _pairs(head: list[str], kind: str) -> list[tuple[str, str]]:
    words = [word for line in head if line.startswith(f"# {kind}:") for word in line.split(":", 1)[1].split()]
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def _drawn(value: str) -> str:
    """VALUE with a number drawn for each "random" in it."""
    return ",".join(str(secrets.randbelow(32768)) if part == "random" else part for part in value.split(","))
