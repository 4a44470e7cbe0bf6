"""Tables and plots from raw JSON, written between the markers of docs/: python -m bench.report RESULT.json [--docs DIR]

A block <!-- NAME --> ... <!-- /NAME --> of docs/performance.md (races) or docs/growth.md (growth) is written anew;
what stands outside of the blocks is for people. Run by `make bench` and `make growth`, in the environment of
bench/requirements.lock.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import growth_tables, tables
from bench.environments import PROJECT_DIR
from bench.pages import fill
from bench.plots import draw
from bench.raw import Result

DOCS = PROJECT_DIR / "docs"
PAGES = {"races": "performance.md", "growth": "growth.md"}
ALTERNATIVES = {
    "latency": "p99 latency against good answers a second, a line for each server",
    "stages": "parts of a request's mean time by stage, a bar for each cell",
}


def main() -> int:
    """0; 2 for a file that is no result."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder of the page (default: %(default)s)")
    options = parser.parse_args()
    try:
        result = Result.read(options.result)
        page = write(result, options.docs)
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"report: {options.result}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"wrote {page} and {page.parent / 'plots'}")
    return 0


def write(result: Result, docs: Path) -> Path:
    """Fill the page's blocks and draw its plots. A folder without the page gets a copy of ours. The page's path."""
    page = docs / PAGES[result.kind]
    text = (page if page.is_file() else DOCS / page.name).read_text()
    names = draw(result, docs / "plots")
    docs.mkdir(parents=True, exist_ok=True)
    page.write_text(fill(text, blocks(result, names)))
    return page


def blocks(result: Result, plots: list[str]) -> dict[str, str]:
    """What stands in each block; nothing for what was not measured."""
    if result.kind == "growth":
        return {"conditions": tables.conditions(result), **growth_tables.blocks(result, plots)}
    written = {name: getattr(tables, name)(result) for name in
               ("conditions", "throughput", "ratios", "latency", "cpu", "start_and_memory")}  # fmt: skip
    return {**written, **{f"plot-{name}": image(name) if name in plots else "" for name in ALTERNATIVES}}


def image(name: str) -> str:
    return f"![{ALTERNATIVES[name]}](plots/{name}.svg)"


if __name__ == "__main__":
    raise SystemExit(main())
