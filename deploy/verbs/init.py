"""python -m deploy init: a deploy.toml to begin with. Writes nothing over a file that is there."""

from __future__ import annotations

import argparse

from deploy import config, flags
from deploy.config import PLACEHOLDERS
from deploy.errors import DeployError, Usage
from deploy.terminal import Terminal

TEXT = """\
# What to deploy; every key can also be said by a flag: python -m deploy up --set instances.count=2
schema = 1
name = "{name}"
mode = "{mode}"  # realtime, serverless, async, batch, multi-model, multi-container, pipeline
{region}role = "{role}"
image = "{image}"  # as ./build_and_push.sh prints it
artifact = "{artifact}"

[instances]
type = "{type}"
count = {count}

# [environment]
# SAGEMAKER_MODEL_SERVER_WORKERS = 2

# [scaling]
# max = 4
# target = 700  # invocations of an instance a minute

# [update]
# strategy = "canary"
# alarms = ["NAME-OF-AN-ALARM"]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser, mode=True)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    if args.set or args.version:
        raise Usage("init writes neither --set nor --version.", "Write those keys into the file that it makes.")
    config.check(flags.overrides(args))
    text = TEXT.format(
        name=args.name or "my-model",
        mode=args.mode or "realtime",
        region=f'region = "{args.region}"\n' if args.region else "",
        **{name: getattr(args, name) or value for name, value in PLACEHOLDERS.items()},
        type=args.instance_type or "ml.m5.large",
        count=args.count or 1,
    )
    try:
        with args.file.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise DeployError(f"{args.file} is there already.", "Change it, or name another: --file OTHER.toml.") from None
    except OSError as error:
        step = "Make its folder, or name another file: --file OTHER.toml."
        raise DeployError(f"{args.file} cannot be written: {error.strerror}.", step) from None
    missing = [name for name in PLACEHOLDERS if not getattr(args, name)]
    told = f"wrote {args.file}; fill in {', '.join(missing)}" if missing else f"wrote {args.file}"
    terminal.result({"file": str(args.file)}, told)
    return 0
