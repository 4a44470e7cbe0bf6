"""Every command that docs/deploy.md names is run, on an endpoint that has had two versions."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.__main__ import VERBS
from deploy.interruption import INTERRUPTED
from tests.deploy.configs import NEWER, TABLE
from tests.deploy.double import ACCOUNT
from tests.deploy.double.objects import store
from tests.deploy.flow.conftest import FILE, Cloud, Deploy
from tests.docs.pages import CODE, FENCED, ROOT

PAGE = ROOT / "docs" / "deploy.md"
ELSEWHERE = {
    "--image": "tests/image/test_package.py, test_verbs.py",
    "--count": "test_cost_verb.py",
    "--set": "test_serving_verbs.py",
    "--price-list": "test_cost_verb.py",
    "--savings-plan": "test_cost_verb.py",
}
"""Options that need more than an endpoint, or are no option of the verb before."""

MORE = """
training.output = "s3://bucket/trained"
registry.description = "the first"
recommend.sample = "s3://bucket/sample.tar.gz"
"""
ARGUMENTS = {"MODEL_DIR": "model", "FILE": "prices.toml"}
FILES = {
    "model/weights.txt": "1",
    "prices.toml": 'date = "2026-11-01"\ncurrency = "USD"\n[hourly]\n"ml.m5.large" = 0.1\n',
}


def commands() -> Iterator[str]:
    """`scale 3` as it stands there; `--offline` after the last verb of its line."""
    for line in FENCED.sub("", PAGE.read_text()).splitlines():
        verb = ""
        for word in CODE.findall(line):
            word = word.removeprefix("python -m deploy ").removeprefix(".venv/bin/python -m deploy ")
            if word.split()[0] in VERBS:
                verb = word.partition(" --")[0]
                yield word
            elif word.startswith("--") and verb and word.split()[0] not in ELSEWHERE:
                yield f"{verb} {word}"


COMMANDS = sorted({each for each in commands() if not re.match(r"export|doctor", each)})
"""Those two have tests of their own."""


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_page_does_what_it_is_named_for(
    command: str, deploy: Deploy, cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(FILE + MORE)
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    group = "/aws/sagemaker/Endpoints/churn"
    cloud.aws.call("logs", "CreateLogGroup", logGroupName=group)
    cloud.aws.call("logs", "CreateLogStream", logGroupName=group, logStreamName="main/i-0")
    store().create_bucket(f"sagemaker-{TABLE['region']}-{ACCOUNT}", TABLE["region"])
    starts = command.startswith("init")
    if command != "up serverless" and not starts:  # AWS converts no endpoint between instances and serverless
        deploy("up")
        deploy("up", "--image", NEWER)
    if command == "logs --follow":
        monkeypatch.setattr(time, "sleep", interrupted)
    if starts:
        file.unlink()
    yes = ["--yes"] if command.startswith("down") else []
    done = deploy(*(ARGUMENTS.get(word, word) for word in command.split()), *yes)
    allowed = {"plan": (2,), "logs --follow": (INTERRUPTED,)}.get(command, (0,))
    assert done.code in allowed, done.err
    assert done.out or command.startswith("logs"), done.err


def interrupted(_: float) -> None:
    raise KeyboardInterrupt
