"""The AWS CLI, version 1 or 2, as `aws` of a folder of a test's. Used by the tests of what calls it.

Version 1 is the one beside this Python; version 2, which no package index has, the machine's own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.missing import lacks

VERSIONS = (1, 2)

WITH_ENDPOINT = """#!/bin/sh
exec '{program}' --endpoint-url "$AWS_ENDPOINT_URL" "$@"
"""
"""Version 2 reads that variable from 2.13 on; Debian's is older."""


def with_aws(version: int, folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """env, in which `aws` is this version, from the folder. Skips, or fails in CI, where the machine has none."""
    program = Path(sys.executable).with_name("aws") if version == 1 else version_2()
    if program is None:
        lacks("version 2 of the AWS CLI is not installed (Debian: apt-get install awscli)")
    (folder / "aws").write_text(WITH_ENDPOINT.format(program=program))
    (folder / "aws").chmod(0o755)
    env = {**env, "PATH": f"{folder}:{os.environ['PATH']}"}
    assert version_of("aws", env) == version
    return env


@cache
def version_2() -> Path | None:
    """The first of PATH: another version may stand before it."""
    programs = [Path(folder) / "aws" for folder in os.get_exec_path()]
    return next((each for each in programs if os.access(each, os.X_OK) and version_of(each, os.environ) == 2), None)


def version_of(program: Path | str, env: Mapping[str, str]) -> int:
    """0 where it does not say."""
    done = subprocess.run([program, "--version"], env=env, capture_output=True, text=True, timeout=60, check=False)
    told = re.match(r"aws-cli/(\d+)\.", done.stdout)
    return int(told[1]) if told else 0
