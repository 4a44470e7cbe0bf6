"""Who keeps what of the platform's contract: python -m bench.conformance [--image OURS] [--only RUN,PNG] [--save FILE]

Builds the images of bench/strangers/, runs the checker on each and on ours with the same model and the same request,
keeps what was seen as raw JSON and writes the table of docs/conformance.md. `make strangers` runs it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import assets
from bench.contestants import MODEL_PINS, PINS
from bench.environments import PROJECT_DIR
from bench.machine import say
from bench.pages import fill
from bench.raw import conditions
from local_test.conformance.assertion import Claim, Level
from local_test.conformance.bench import Options, Sample
from local_test.conformance.catalogue import select
from local_test.conformance.runner import Outcome, Report, run
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Image

STRANGERS_DIR = Path(__file__).parent / "strangers"
SAVE = PROJECT_DIR / "bench/results/conformance.json"
PAGE = PROJECT_DIR / "docs/conformance.md"
OURS = "ours"
LABELS = {
    OURS: "this image",
    "sample2018": "nginx, gunicorn (gevent) and Flask, the sample of 2018",
    "fastapi": "FastAPI and uvicorn",
    "bentoml": "BentoML",
}
GEVENT_NEEDS = "packaging==26.3"  # as gunicorn[gevent] says
PACKAGES = {"sample2018": (*PINS["aws"], GEVENT_NEEDS), "fastapi": PINS["fastapi"], "bentoml": PINS["bentoml"]}
REQUESTS = {"bentoml": ("row.json", "application/json")}
"""Who takes no CSV is sent the same row as JSON."""

USES = frozenset((Claim.SERVERLESS, Claim.ISOLATION, Claim.BATCH))
"""What any image may be used for: asked of all of them, whatever they say of themselves."""

PACE = 0.2
"""Slow assertions are watched for a fifth of their time, so that the run takes minutes."""

START_LIMIT_S = 60.0

MARKS = {Outcome.HELD: "yes", Outcome.FAILED: "**no**", Outcome.NOT_APPLICABLE: "-", Outcome.NOT_TESTED: "?"}


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when an image cannot be built."""
    parser = argparse.ArgumentParser(prog="python -m bench.conformance", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image", default="sagemaker-serving:local", help="ours (default: %(default)s)")
    parser.add_argument("--only", default="", help="groups or ids, such as RUN,PNG-04")
    parser.add_argument("--save", type=Path, default=SAVE)
    options = parser.parse_args(arguments)
    assets.make()
    seen = {}
    for name in LABELS:
        try:
            image = options.image if name == OURS else build(name)
        except subprocess.CalledProcessError as error:
            print(f"conformance: {name} cannot be built:\n{error.stderr[-2000:]}", file=sys.stderr)
            return 1
        say(f"checking {name}: {image}")
        seen[name] = told(check(name, image, [word for word in options.only.split(",") if word]))
        say(f"{name}: {seen[name]['seconds']} s")
    raw = {"conditions": conditions(), "packages": PACKAGES, "seen": seen}
    options.save.write_text(json.dumps(raw, indent=1) + "\n")
    if options.save == SAVE:
        write(raw, PAGE)
    return 0


def build(name: str) -> str:
    """The image of a stranger. Raises CalledProcessError."""
    tag, packages = f"conformance-{name}:local", " ".join([*PACKAGES[name], *without_spacy()])
    command = ["docker", "build", "-q", "-t", tag, "--build-arg", f"PACKAGES={packages}", str(STRANGERS_DIR / name)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return tag


def without_spacy() -> list[str]:
    """The libraries that the model needs."""
    return [pin for pin in MODEL_PINS if not pin.startswith("spacy")]


def check(name: str, image: str, only: list[str]) -> Report:
    """What the checker says of it."""
    payload, content_type = REQUESTS.get(name, ("row.csv", "text/csv"))
    sample = Sample((assets.PAYLOADS_DIR / payload).read_bytes(), content_type)
    options = Options(
        model_dir=assets.ASSETS_DIR / "m1", sample=sample, claims=USES, pace=PACE, start_limit_s=START_LIMIT_S
    )
    return run(Image(image, Setup()), options, select(only))


def told(report: Report) -> dict[str, Any]:
    """A report as raw JSON."""
    results = {each.assertion.id: {"outcome": each.outcome, "seen": each.seen} for each in report.results}
    return {"claims": report.claims, "seconds": round(report.seconds), "results": results}


def write(raw: dict[str, Any], page: Path) -> None:
    """The page's generated blocks."""
    page.write_text(fill(page.read_text(), {"strangers": table(raw), "strangers-versions": versions(raw)}))


def table(raw: dict[str, Any]) -> str:
    """A row an assertion that was decided for anyone, a column an image."""
    names = list(raw["seen"])
    lines = [f"| | promise | {' | '.join(LABELS[name] for name in names)} |", "|---" * (len(names) + 2) + "|"]
    for assertion in select():
        marks = [mark(raw["seen"][name]["results"].get(assertion.id)) for name in names]
        if {"yes", "**no**"} & set(marks):
            lines.append(f"| {assertion.id} {assertion.level} | {assertion.promise} | {' | '.join(marks)} |")
    return "\n".join([*lines, *totals(raw, names)])


def mark(result: dict[str, str] | None) -> str:
    return MARKS[Outcome(result["outcome"])] if result else "?"


def totals(raw: dict[str, Any], names: Iterable[str]) -> list[str]:
    """How many held and failed, by level."""
    rows = []
    for level in (Level.MUST, Level.SHOULD):
        ids = {assertion.id for assertion in select() if assertion.level == level}
        rows.append(f"| all {level} | | {' | '.join(total(raw['seen'][name]['results'], ids) for name in names)} |")
    return rows


def total(results: dict[str, dict[str, str]], ids: set[str]) -> str:
    outcomes = Counter(each["outcome"] for name, each in results.items() if name in ids)
    return f"{outcomes[Outcome.HELD]} yes, {outcomes[Outcome.FAILED]} no"


def versions(raw: dict[str, Any]) -> str:
    """What was checked, when, with which packages."""
    lines = [f"- {LABELS[name]}: {', '.join(raw['packages'][name])}" for name in raw["seen"] if name in raw["packages"]]
    told_when = f"Checked {raw['conditions']['when']} UTC at commit {raw['conditions']['commit']}."
    return "\n".join([told_when, "", *lines])


if __name__ == "__main__":
    raise SystemExit(main())
