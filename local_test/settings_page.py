"""Writes docs/settings.md from the settings table: `make docs`. With --check, `make check` asks if it is up to date."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields

from container.settings import SETTINGS, Settings
from local_test.run import PROJECT_DIR

PAGE = PROJECT_DIR / "docs" / "settings.md"

HEAD = """# Settings

Environment variables, read once at the start and logged as the event `settings`.
A bad value ends the start; all bad values are named together.
This page is made from `container/settings.py` by `make docs`.

"""


def page() -> str:
    """The whole page."""
    lines = ["| Variable | Type | Default | What it does | From |", "|---|---|---|---|---|"]
    for field in fields(Settings):
        spec = SETTINGS[field.name]
        default = spec.default_text or f"`{field.default}`"
        also = f" Also read as: {', '.join(f'`{alias}`' for alias in spec.aliases)}." if spec.aliases else ""
        kind = f"{spec.kind}, {spec.unit}" if spec.unit else spec.kind
        lines.append(
            "| " + " | ".join((f"`{spec.variable}`", kind, default, spec.text + also, spec.source or "ours")) + " |"
        )
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or say that it is stale."""
    parser = argparse.ArgumentParser(prog="python -m local_test.settings_page", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the page is not what it should be"
    )
    if not parser.parse_args().check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.stderr.write("docs/settings.md is not what container/settings.py says. Run: make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
