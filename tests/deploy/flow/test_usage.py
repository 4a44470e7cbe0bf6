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
    "a --set without =": (["--set", "count"], "--set count is no KEY=VALUE"),
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
    pytest.param(words.split(), told, id=words)
    for words, told in {
        "scale -- -1": "N is '-1'; it is a whole number, at least 0",
        "scale --weight -0.5": "--weight is '-0.5'; it is a number, at least 0",
        "scale --weight inf": "--weight is 'inf'",
        "logs --lines -5": "--lines is '-5'; it is a whole number, 1 to 10000",
        "up --poll 0": "--poll is '0'; it is a number, at least 0.001",
        "down --timeout -1": "--timeout is '-1'; it is a number, at least 0",
        "invoke rows.csv --timeout nan": "--timeout is 'nan'",
        "package model --load-timeout -1": "--load-timeout is '-1'",
        "init --count 0": "--count is '0'; it is a whole number, at least 1",
        "cost --idle 0": "--idle is '0'; it is a whole number, 1 to 455",
    }.items()
]
CASES += [
    pytest.param([*words, ""], f"{words[-1]} is empty", id=f"{' '.join(words)} that is empty")
    for words in (
        ["down", "--yes", "--name"],
        ["up", "--artifact"],
        ["init", "--role"],
        ["package", "model", "--to"],
        ["package", "model", "--out"],
        ["cost", "--prices"],
        ["plan", "--file"],
        ["invoke", "rows.csv", "--model"],
    )
]
CASES += [pytest.param(["package", ""], "MODEL_DIR is empty", id="package of an empty word")]
CASES += [
    pytest.param(["init", "--set", "a=1"], "init writes neither", id="init with --set"),
    pytest.param(["plan", "--count", "two"], "--count is 'two'; it is a whole number", id="a number that is none"),
    pytest.param(["plan", "--set", "=3"], "--set =3 is no KEY=VALUE", id="a --set without a key"),
    pytest.param(["package", "model", "--out", "a", "--uncompressed"], "--out writes one", id="two ways to package"),
    pytest.param(["up", "--set", "artifact="], "--set artifact= has no value", id="a --set to nothing"),
    pytest.param(["scale", "0"], "N is 0; a variant has at least 1 instance", id="no instance"),
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
