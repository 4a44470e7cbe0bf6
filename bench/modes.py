"""What this image keeps of the contract in each hosting mode: python -m bench.modes [--image OURS] [--only streaming]

Runs the checker once a mode, on servers that are started as that mode starts them, keeps what was seen as raw JSON and
writes the table of docs/conformance.md. `make conformance-modes` runs it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.conformance import PAGE, told
from bench.environments import PROJECT_DIR
from bench.machine import say
from bench.pages import fill
from bench.raw import conditions
from local_test.conformance.assertion import Level
from local_test.conformance.bench import Options
from local_test.conformance.catalogue import BY_ID, select
from local_test.conformance.runner import Outcome, Report, run
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Image

MODEL_DIR = PROJECT_DIR / "local_test/test_dir/model"
SAVE = PROJECT_DIR / "bench/results/modes.json"
BIDIRECTIONAL = "com.amazonaws.sagemaker.capabilities.bidirectional-streaming"


@dataclass(frozen=True)
class Mode:
    """How the image is started, and which part of the contract is asked of it then."""

    asked: str
    """Groups and ids."""
    env: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 0
    cpus: float = 0.0
    without: tuple[str, ...] = ("PNG-06",)
    """What is of another mode, or is asked in the first one: two minutes of pings."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the fork's image has beside ours."""
    model_dir: Path = MODEL_DIR


MODES = {
    "real-time": Mode("IMG,RUN,PNG,INV,OBS,SCR,LOC", without=()),
    "real-time, `gthread`": Mode("RUN,PNG,INV,STR,SES,OAI,OBS,SCR", {"SERVING_WORKER_CLASS": "gthread"}),
    "serverless": Mode(
        "RUN-22,PNG,INV,SLS", {"SERVING_PROFILE": "serverless"}, 2048, 1.0, without=("PNG-06", "INV-03")
    ),
    "asynchronous": Mode("PNG,INV,ASY", {"SERVING_PROFILE": "asynchronous"}),
    "batch transform": Mode("PNG,INV,BT", {"SAGEMAKER_BATCH": "true"}),
    "multi-model": Mode("IMG-12,MME"),
    "multi-container, pipeline": Mode("IMG-13,RUN-04,RUN-06,RUN-07,MCE,SIP"),
    "streaming": Mode("STR"),
    "bidirectional": Mode("IMG-14,BID", labels={BIDIRECTIONAL: "true"}),
    "sessions": Mode("INV,SES", {"SAGEMAKER_ENABLE_STATEFUL_SESSIONS": "true"}),
    "OpenAI's interface": Mode("OAI"),
    "adapters": Mode("LOR", model_dir=PROJECT_DIR / "examples/adapters"),
}


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when something that was promised does not hold in a mode."""
    parser = argparse.ArgumentParser(prog="python -m bench.modes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image", default="sagemaker-serving:local", help="ours (default: %(default)s)")
    parser.add_argument("--only", choices=MODES, action="append", default=[], metavar="MODE", help=", ".join(MODES))
    parser.add_argument("--pace", type=float, default=1.0, help="how long slow assertions take, of their time")
    parser.add_argument("--save", type=Path, default=SAVE)
    options = parser.parse_args(arguments)
    seen = {}
    for name in options.only or MODES:
        say(f"checking {name}")
        report = check(MODES[name], options.image, MODES[name].model_dir, pace=options.pace)
        seen[name] = told(report)
        say(f"{name}: {', '.join(failed(seen[name])) or 'nothing'} failed, {seen[name]['seconds']} s")
    raw = {"conditions": conditions(), "pace": options.pace, "seen": seen}
    options.save.write_text(json.dumps(raw, indent=1) + "\n")
    if options.save == SAVE and not options.only:
        PAGE.write_text(fill(PAGE.read_text(), {"modes": table(raw)}))
    return 1 if any(failed(each) for each in seen.values()) else 0


def check(mode: Mode, image: str, model_dir: Path, **more: Any) -> Report:
    """What the checker says of the image in this mode. more: fields of Options."""
    setup = Setup(env=mode.env, memory_mb=mode.memory_mb, cpus=mode.cpus)
    subject = Image(labelled(image, mode.labels) if mode.labels else image, setup)
    return run(subject, Options(model_dir=model_dir, **more), select(mode.asked.split(","), mode.without))


def labelled(image: str, labels: Mapping[str, str]) -> str:
    """The image as a fork makes it whose Dockerfile has these labels too. Raises CalledProcessError."""
    tag = f"{image.partition(':')[0]}:labelled"
    lines = [f"FROM {image}", *(f'LABEL {name}="{value}"' for name, value in labels.items())]
    command = ["docker", "build", "-q", "-t", tag, "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True, capture_output=True)
    return tag


def failed(seen: Mapping[str, Any]) -> list[str]:
    return [name for name, each in seen["results"].items() if each["outcome"] == Outcome.FAILED]


def table(raw: Mapping[str, Any]) -> str:
    """A row a mode: how it was started, what was asked, how much of it held."""
    lines = ["| Mode | Started with | Asked | M held | S held | Not tested |", "|---|---|---|---|---|---|"]
    for name, seen in raw["seen"].items():
        mode = MODES[name]
        left_out = [each for each in mode.without if each.partition("-")[0] in mode.asked]
        asked = mode.asked.replace(",", ", ") + (f"; not {', '.join(left_out)}" if left_out else "")
        columns = [name, started_with(mode), asked, *(share(seen, level) for level in (Level.MUST, Level.SHOULD))]
        untested = [each for each, result in seen["results"].items() if result["outcome"] == Outcome.NOT_TESTED]
        lines.append(f"| {' | '.join([*columns, ', '.join(untested) or '-'])} |")
    when = f"Checked {raw['conditions']['when']} UTC at commit {raw['conditions']['commit']}."
    return "\n".join([*lines, "", when])


def started_with(mode: Mode) -> str:
    parts = [f"`{name}={value}`" for name, value in mode.env.items()]
    parts += [f"{mode.memory_mb // 1024} GB and {mode.cpus:g} CPU"] if mode.memory_mb else []
    parts += [f"`{mode.model_dir.relative_to(PROJECT_DIR)}`"] if mode.model_dir != MODEL_DIR else []
    parts += [f"the label `{name.rpartition('.')[2]}`" for name in mode.labels]
    return ", ".join(parts) or "-"


def share(seen: Mapping[str, Any], level: Level) -> str:
    """3 of 4: held, of those that hold or not."""
    outcomes = Counter(each["outcome"] for name, each in seen["results"].items() if BY_ID[name].level == level)
    return f"{outcomes[Outcome.HELD]} of {outcomes[Outcome.HELD] + outcomes[Outcome.FAILED]}"


if __name__ == "__main__":
    raise SystemExit(main())
