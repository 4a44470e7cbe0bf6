"""The command line: what may be given, and what of it fits together. Used by command.

Anything wrong raises UsageError, one sentence that says what to change.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from local_test.conformance import option_types as types
from local_test.conformance.bench import Options, Sample
from local_test.conformance.option_types import UsageError
from local_test.conformance.server import START_LIMIT_S, Setup

FORMATS = ("text", "json", "junit", "html")
BY_SUFFIX = {".json": "json", ".xml": "junit", ".html": "html", ".htm": "html"}
EXAMPLES = """\
examples:
  %(prog)s my-image:latest --payload request.csv --content-type text/csv
  %(prog)s my-image:latest --model-dir model/ --claim training --output-file report.html
  %(prog)s --url http://127.0.0.1:8080 --payload request.json --content-type application/json
  %(prog)s --explain RUN-08

exit status: 0 every M that could be tested holds, 1 one does not, 2 it could not begin.
"""


@dataclass(frozen=True)
class Given:
    """What the command line said, all checked."""

    image: str = ""
    url: str = ""
    project: Path | None = None
    """One of the three, unless listing or explain."""
    setup: Setup = field(default_factory=Setup)
    """What each start of the container has."""
    options: Options = field(default_factory=Options)
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    listing: bool = False
    explain: tuple[str, ...] = ()
    strict: bool = False
    output: str = "text"
    output_file: Path | None = None


def parse(arguments: Sequence[str], program: str = "python -m local_test.conformance") -> Given:
    """Raises UsageError."""
    found = _parser(program).parse_args(list(arguments))
    only, skip, explain = _words(found.only), _words(found.skip), _words(found.explain)
    chosen = {"only": only, "skip": skip, "listing": found.list, "explain": explain}
    if found.list or explain:
        return Given(**chosen)
    _check_target(found)
    return Given(
        image=found.image or "", url=found.url or "", project=found.project,
        setup=Setup(env=dict(found.env), memory_mb=found.memory, cpus=found.cpus),
        options=_options(found), strict=found.strict, **chosen, **_output(found),
    )  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')}; --help shows all options")


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=program, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        description="What a container keeps of Amazon SageMaker's contract, and what to change where it does not.",
    )  # fmt: skip
    _add_target(parser.add_argument_group("what is tested: one of"))
    _add_server(parser.add_argument_group("how it is started"))
    _add_requests(parser.add_argument_group("what it is asked, and what it is for"))
    _add_choice(parser.add_argument_group("which assertions"))
    _add_report(parser.add_argument_group("the report"))
    return parser


def _add_target(group: argparse._ArgumentGroup) -> None:
    group.add_argument("image", nargs="?", metavar="IMAGE", help="a Docker image that is here")
    group.add_argument("--url", type=types.url, help="a server that runs already: http://127.0.0.1:8080")
    group.add_argument("--project", type=types.folder, metavar="DIR", help="a checkout with this template's serve")


def _add_server(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--model-dir", type=types.folder, metavar="DIR", help="mounted at /opt/ml/model")
    add("--env", action="append", default=[], type=types.variable, metavar="NAME=VALUE", help="may be given again")
    add("--memory", default=0, type=types.whole("megabytes", 6), metavar="MB", help="limit of each container")
    add("--cpus", default=0.0, type=types.cpus, metavar="N", help="limit of each container")
    add("--start-limit", default=START_LIMIT_S, type=types.seconds, metavar="S",
        help="how long it may take to be ready (%(default)g)")  # fmt: skip
    add("--hyperparameter", action="append", default=[], type=types.pair, metavar="NAME=VALUE", help="for training")
    add("--channel", action="append", default=[], type=types.channel, metavar="NAME=DIR", help="data for training")
    add("--metric", action="append", default=[], type=types.metric, metavar="NAME=REGEX", help="what training prints")


def _add_requests(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--payload", type=types.file, metavar="FILE", help="the body of a request that works")
    add("--content-type", type=types.media_type, metavar="TYPE", help="of --payload")
    add("--accept", action="append", default=[], type=types.media_type, metavar="TYPE",
        help="a type it can answer in; may be given again")  # fmt: skip
    add("--claim", action="append", default=[], type=types.claims, metavar="NAME",
        help=f"what it is for, beside what is found: {', '.join(types.CLAIMS)}")  # fmt: skip
    add("--artifact", type=types.existing, metavar="FILE|DIR", help="model.tar.gz, or a folder for a prefix of S3")
    add(
        "--requests",
        "--requests-dir",
        type=types.folder,
        metavar="DIR",
        help="CreateModel.json, ...: how it is deployed",
    )
    add("--instance-type", type=types.instance_type, metavar="ml.x", help="what it will run on")


def _add_choice(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--only", action="append", default=[], metavar="RUN,PNG-04", help="these groups or ids")
    add("--skip", action="append", default=[], metavar="RUN,PNG-04", help="not these groups or ids")
    add("--fast", action="store_true", help="leave out what takes longest")
    add("--time-limit", default=120, type=types.whole("minutes", 1), metavar="MIN",
        help="begin no check after so long (%(default)s)")  # fmt: skip
    add("--list", action="store_true", help="show the assertions, run nothing")
    add("--explain", action="append", default=[], metavar="RUN-08", help="show all of an assertion, run nothing")


def _add_report(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--strict", action="store_true", help="exit with 1 when an S does not hold, too")
    add("--output", choices=FORMATS, help="of the report (text, or what the name of --output-file says)")
    add("--output-file", type=types.new_file, metavar="FILE", help="put it there, and the text on stdout")


def _check_target(found: argparse.Namespace) -> None:
    given = [name for name in ("image", "url", "project") if getattr(found, name)]
    if len(given) != 1:
        raise UsageError("give one of: an image, --url URL, --project DIR; --help shows all options")
    without = {"url": ("env", "memory", "cpus"), "project": ("memory", "cpus")}
    for name in without.get(given[0], ()):
        if getattr(found, name):
            raise UsageError(f"--{name} needs a container that is started from here: not with --{given[0]}")


def _options(found: argparse.Namespace) -> Options:
    return Options(
        model_dir=found.model_dir,
        sample=_sample(found),
        claims=frozenset(claim for each in found.claim for claim in each),
        fast=found.fast,
        start_limit_s=found.start_limit,
        run_limit_s=60.0 * found.time_limit,
        accepts=tuple(found.accept),
        hyperparameters=dict(found.hyperparameter),
        channels=dict(found.channel),
        metrics=dict(found.metric),
        artifact=found.artifact,
        requests_dir=found.requests,
        instance_type=found.instance_type or "",
    )


def _sample(found: argparse.Namespace) -> Sample | None:
    if bool(found.payload) != bool(found.content_type):
        raise UsageError("--payload FILE and --content-type TYPE go together")
    return Sample(found.payload.read_bytes(), found.content_type) if found.payload else None


def _output(found: argparse.Namespace) -> dict[str, Any]:
    path: Path | None = found.output_file
    by_name = BY_SUFFIX.get(path.suffix.lower(), "text") if path else "text"
    return {"output": found.output or by_name, "output_file": path}


def _words(lists: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.strip() for each in lists for word in each.split(",") if word.strip())
