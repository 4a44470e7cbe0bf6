"""What a ```console block of a page says: the commands, and what each must print. Used by those who type them.

A line of ... stands for any lines, and seconds and ports may differ.
"""

from __future__ import annotations

import re

KEPT = re.compile(r"([A-Z]+)=\$\((.+)\)")
"""A command whose output a variable keeps."""


def steps(block: str) -> list[tuple[str, list[str]]]:
    """Each command after a $, and the lines that it shows; a comment is no part of a command."""
    found = re.findall(r"^\$ (.+)\n?((?:(?!\$ ).*\n?)*)", block, re.MULTILINE)
    return [(command.partition("  #")[0].strip(), shown.splitlines()) for command, shown in found]


def pattern_of(shown: list[str]) -> re.Pattern[str]:
    """The shown lines, whole and in this order, blank ones left out; a line of ... is any number of lines."""
    lines = [".*" if line == "..." else re.escape(line) for line in settled("\n".join(shown)).splitlines()]
    return re.compile("".join("(?:.*\n)*" if line == ".*" else f"{line}\n" for line in lines))


def settled(text: str) -> str:
    """The text without what differs from run to run: seconds, ports, blank lines."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", re.sub(r"\d+\.\d+ s\b", "SECONDS s", text))
    return "".join(f"{line}\n" for line in text.splitlines() if line)
