"""python -m deploy VERB.

Exit codes: 0 done or nothing to do, 1 error, 2 `plan` has changes, 64 no such command, option or value,
130 interrupted by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from deploy import flags, interruption, signals
from deploy.errors import DeployError, Usage
from deploy.terminal import Terminal

VERBS = {
    "init": ("deploy.verbs.init", "write a deploy.toml to begin with"),
    "doctor": ("deploy.verbs.doctor", "whether account, role, image, artifact and quota are as `up` needs them"),
    "keys": ("deploy.verbs.keys", "every key of deploy.toml and what it means"),
    "package": ("deploy.verbs.package", "a model folder to S3, as SageMaker wants it, tried in the image first"),
    "iam": ("deploy.verbs.iam", "the policy that role or deployer needs; --check: what of it is missing"),
    "plan": ("deploy.verbs.plan", "what `up` would do, call by call; exit code 2 where that is something"),
    "up": ("deploy.verbs.up", "make AWS what deploy.toml says; goes on where it was interrupted"),
    "cost": ("deploy.verbs.cost", "instance-hours, their price, and endpoints that nobody asks"),
    "status": ("deploy.verbs.status", "what is there and how it is"),
    "invoke": ("deploy.verbs.invoke", "send a file to the endpoint and print what it answers"),
    "logs": ("deploy.verbs.logs", "the last lines of the endpoint's or the job's log"),
    "scale": ("deploy.verbs.scale", "another number of instances, copies, or another weight, at once"),
    "rollback": ("deploy.verbs.rollback", "back to the version before"),
    "down": ("deploy.verbs.down", "remove what carries our tags"),
    "export": ("deploy.verbs.export", "the same deployment as a CloudFormation template"),
}
"""Verb -> its module, what it does. Only the one that is asked for is imported."""

ERROR = DeployError.exit_code
NO_BOTO3 = DeployError(
    "boto3 is not installed.",
    "Run `make deploy` and use .venv/bin/python, or: python -m pip install -r deploy/requirements.txt",
)


class Parser(argparse.ArgumentParser):
    """Its errors are errors like all others; for people the usage stands before them."""

    as_json = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("type", None, flags.text)
        self.register("type", Path, flags.path)

    def error(self, message: str) -> NoReturn:
        if not self.as_json:
            self.print_usage(sys.stderr)
        told = re.sub(r"argument (\S+): (is )", r"\1 \2", message)  # what types of flags say of a value
        raise Usage(f"{self.prog}: {told}", f"See `{self.prog} --help`.")


def main(arguments: list[str]) -> int:
    terminal = Terminal(as_json=flags.wants_json(arguments))
    try:
        return _told(arguments, terminal)
    except BrokenPipeError:  # `| head` has seen enough; what is left in buffers goes nowhere
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return ERROR


def _told(arguments: list[str], terminal: Terminal) -> int:
    """The exit code of a verb that may end in an error, which is told here."""
    try:
        return _run(arguments, terminal)
    except DeployError as error:
        terminal.failed(error)
        return error.exit_code
    except ModuleNotFoundError as error:  # each file imports it where it is needed: some verbs do without
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore"):
            raise
        terminal.failed(NO_BOTO3)
        return NO_BOTO3.exit_code
    except KeyboardInterrupt as stop:
        terminal.failed(early := interruption.Interrupted(stop, "Interrupted before anything was begun."))
        return early.exit_code


def _run(arguments: list[str], terminal: Terminal) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(_usage())
        return 0
    if not arguments or arguments[0] not in VERBS:
        raise _no_verb(arguments, terminal)
    verb = importlib.import_module(VERBS[arguments[0]][0])
    parser = Parser(prog=f"python -m deploy {arguments[0]}", description=verb.__doc__)
    parser.as_json = terminal.as_json
    flags.add_output(parser)
    verb.add_arguments(parser)
    args = parser.parse_args(arguments[1:])
    terminal.as_json = args.output == "json"
    args.words = arguments
    try:
        code: int = verb.run(args, terminal)
    except KeyboardInterrupt as stop:
        raise interruption.told(stop, arguments, args) from None
    return code


def _no_verb(arguments: list[str], terminal: Terminal) -> Usage:
    if not terminal.as_json:
        print(_usage(), file=sys.stderr)
    first = arguments[0] if arguments else ""
    near = difflib.get_close_matches(first, VERBS, 1)
    step = f"Did you mean {near[0]}?" if near else f"Write `python -m deploy VERB`; verbs are {', '.join(VERBS)}."
    if not first or first.startswith("-"):
        return Usage("The verb comes first, before its options.", step)
    return Usage(f"{first} is not a verb.", step)


def _usage() -> str:
    rows = "\n".join(f"  {verb:10} {text}" for verb, (_, text) in VERBS.items())
    return f"python -m deploy VERB [options]; python -m deploy VERB --help\n\n{rows}"


if __name__ == "__main__":
    signals.listen()
    sys.exit(main(sys.argv[1:]))
