"""What is typed wrong: with `--output json` one object like every other error, else the usage. AWS is not asked."""

from __future__ import annotations

import pytest

from deploy.__main__ import VERBS
from deploy.errors import Usage
from tests.deploy.flow.conftest import Cloud, Deploy

pytestmark = pytest.mark.usefixtures("file")

NEEDED = {"invoke": ["rows.csv"], "iam": ["deployer"], "export": ["cloudformation"], "package": ["model"]}
REQUIRED = {"invoke": "FILE", "iam": "kind", "export": "format", "package": "MODEL_DIR"}
WITHOUT_SET = ("keys", "package")

WRONG = {
    "an unknown flag": (["--nope"], "unrecognized arguments: --nope"),
    "a flag without its value": (["--output"], "--output: expected one argument"),
    "a --set without =": (["--set", "count"], "--set count has no ="),
    "a --set below a value": (["--name", "churn", "--set", "name.x=1"], "name has a value already"),
}
CASES = [
    pytest.param([verb, *NEEDED.get(verb, []), *words], told, id=f"{verb} with {name}")
    for verb in VERBS
    for name, (words, told) in WRONG.items()
    if "--set" not in words or verb not in (*WITHOUT_SET, "init")
]
CASES += [pytest.param([verb], f"required: {name}", id=f"{verb} without {name}") for verb, name in REQUIRED.items()]
CASES += [
    pytest.param(["init", "--set", "a=1"], "init writes neither", id="init with --set"),
    pytest.param(["plan", "--count", "two"], "invalid int value: 'two'", id="a number that is none"),
    pytest.param(["up", "relatime"], "invalid choice: 'relatime'", id="an unknown mode"),
    pytest.param(["dpeloy"], "dpeloy is not a verb", id="an unknown verb"),
    pytest.param([], "The verb comes first", id="no verb"),
]


@pytest.mark.parametrize("at", ["the end", "the beginning"])
@pytest.mark.parametrize(("words", "told"), CASES)
def test_wrong_words_are_one_json_object_where_json_is_asked_for(
    deploy: Deploy, cloud: Cloud, words: list[str], told: str, at: str
) -> None:
    first = at == "the beginning"
    done = deploy(*words[:1], "--output", "json", *words[1:]) if first else deploy(*words, "--output=json")
    error = done.json()["error"]
    assert (done.code, set(error)) == (Usage.exit_code, {"reason", "next_step", "log"})
    assert told in error["reason"]
    assert error["next_step"]
    assert "usage:" not in done.err
    assert cloud.double.calls == []


@pytest.mark.parametrize(("words", "told"), CASES)
def test_wrong_words_are_told_on_stderr_to_people(deploy: Deploy, words: list[str], told: str) -> None:
    done = deploy(*words)
    assert (done.code, done.out) == (Usage.exit_code, "")
    assert told in done.err
    assert ("\nnext: " in done.err, "Traceback" in done.err) == (True, False)


def test_usage_stands_before_what_is_wrong_with_it(deploy: Deploy) -> None:
    assert deploy("up", "--nope").err.startswith("usage: python -m deploy up [-h]")
    assert deploy("dpeloy").err.startswith("python -m deploy VERB [options]")
    assert "Did you mean rollback?" in deploy("rolback").err


def test_words_before_the_verb_are_told_as_json_too(deploy: Deploy) -> None:
    for words in (["--output", "json"], ["--output", "json", "up"]):
        assert deploy(*words).json()["error"]["reason"] == "The verb comes first, before its options."


def test_last_output_that_is_asked_for_is_the_one(deploy: Deploy) -> None:
    assert deploy("plan", "--offline", "--output", "json", "--output", "text").out.startswith("sagemaker:CreateModel")
    assert deploy("plan", "--offline", "--outp", "json").json()["calls"]
    assert deploy("plan", "--output", "xml").out == ""
