"""python -m deploy init: a deploy.toml to begin with. Writes nothing over a file that is there."""

from __future__ import annotations

import argparse
import tomllib

from deploy import config, flags, placeholders
from deploy.errors import DeployError, Usage
from deploy.placeholders import PLACEHOLDERS
from deploy.templates import OF_ARTIFACT, TEMPLATES
from deploy.terminal import Terminal

USUAL = {**PLACEHOLDERS, "instance_type": "ml.m5.large", "count": 1}
"""What stands for flags that were not given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser, mode=True)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    if args.set or args.version:
        raise Usage("init writes neither --set nor --version.", "Write those keys into the file that it makes.")
    config.check(flags.overrides(args))
    text = written(args)
    missing = dict(placeholders.left(config.check(tomllib.loads(text))))
    try:
        with args.file.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise DeployError(f"{args.file} is there already.", "Change it, or name another: --file OTHER.toml.") from None
    except OSError as error:
        step = "Make its folder, or name another file: --file OTHER.toml."
        raise DeployError(f"{args.file} cannot be written: {error.strerror}.", step) from None
    told = f"wrote {args.file}; fill in {', '.join(missing)}" if missing else f"wrote {args.file}"
    terminal.result({"file": str(args.file)}, told)
    return 0


def written(args: argparse.Namespace) -> str:
    """The mode's template with what the flags say. Raises Usage for a flag that the mode has no place for."""
    mode = args.mode or "realtime"
    given = {name: value for name in USUAL if (value := getattr(args, name)) is not None}
    for name in given:
        if f"{{{name}}}" not in TEMPLATES[mode]:
            raise Usage(f"init {mode} has no place for --{name.replace('_', '-')}.", "Leave it out.")
    usual = {**USUAL, "artifact": OF_ARTIFACT.get(mode, USUAL["artifact"])}
    region = f'region = "{args.region}"\n' if args.region else ""
    return TEMPLATES[mode].format(**{**usual, **given}, name=args.name or "my-model", mode=mode, region=region)
