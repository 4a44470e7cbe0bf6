"""Each option reaches the run, and what cannot be meant is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_test.conformance.assertion import Claim
from local_test.conformance.bench import Sample
from local_test.conformance.option_types import UsageError
from local_test.conformance.options import Given, parse


def refused(*words: object) -> str:
    """The sentence by which a command line is refused."""
    with pytest.raises(UsageError) as caught:
        parse([str(word) for word in words])
    return str(caught.value).removesuffix("; --help shows all options")


def test_every_option_reaches_the_run(tmp_path: Path, payload: Path) -> None:
    words = [
        "image:tag", "--model-dir", tmp_path, "--payload", payload, "--content-type", "text/csv",
        "--accept", "text/csv", "--accept", "application/json; x=1", "--claim", "batch,Training", "--claim", "openai",
        "--env", "A=1", "--env", "B=x=y", "--memory", 2048, "--cpus", "1.5", "--channel", f"train={tmp_path}",
        "--metric", "loss=loss: (.*)",
        "--hyperparameter", "depth=3", "--artifact", payload, "--requests", tmp_path, "--instance-type", "ml.m5.large",
        "--only", "PNG", "--skip", "png-06,PNG-09", "--fast", "--strict", "--start-limit", 30, "--time-limit", 5,
    ]  # fmt: skip
    given = parse([str(word) for word in words])
    options, setup = given.options, given.setup
    assert (given.image, given.only, given.skip, given.strict) == ("image:tag", ("PNG",), ("png-06", "PNG-09"), True)
    assert (setup.env, setup.memory_mb, setup.cpus) == ({"A": "1", "B": "x=y"}, 2048, 1.5)
    assert options.sample == Sample(payload.read_bytes(), "text/csv")
    assert options.claims == {Claim.BATCH, Claim.TRAINING, Claim.OPENAI}
    assert options.accepts == ("text/csv", "application/json; x=1")
    assert (options.channels, options.hyperparameters) == ({"train": tmp_path}, {"depth": "3"})
    assert options.metrics == {"loss": "loss: (.*)"}
    assert (options.model_dir, options.artifact, options.requests_dir) == (tmp_path, payload, tmp_path)
    assert (options.instance_type, options.fast) == ("ml.m5.large", True)
    assert (options.start_limit_s, options.run_limit_s) == (30, 300)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "give one of: an image, --url URL, --project DIR"),
        (["a", "--url", "http://127.0.0.1:1"], "give one of: an image, --url URL, --project DIR"),
        ([""], "give one of: an image, --url URL, --project DIR"),
        (["a", "b"], "unrecognized arguments: b"),
        (["a", "--nope"], "unrecognized arguments: --nope"),
        (["a", "--model-dir", "/nope"], "--model-dir: there is no folder /nope"),
        (["a", "--model-dir", __file__], f"--model-dir: {__file__} is a file, not a folder"),
        (["a", "--payload", "/nope"], "--payload: there is no file /nope"),
        (["a", "--payload", __file__], "--payload FILE and --content-type TYPE go together"),
        (["a", "--content-type", "text/csv"], "--payload FILE and --content-type TYPE go together"),
        (["a", "--content-type", "csv"], "--content-type: csv is no media type such as text/csv"),
        (["a", "--accept", "text/csv\r\nX: y"], "--accept: text/csv\r\nX: y is no media type such as text/csv"),
        (["a", "--memory", "2g"], "--memory: 2g is not a whole number of megabytes, at least 6"),
        (["a", "--memory", "1"], "--memory: 1 is not a whole number of megabytes, at least 6"),
        (["a", "--cpus", "nan"], "--cpus: nan is not a number of CPUs above 0"),
        (["a", "--cpus", "0"], "--cpus: 0 is not a number of CPUs above 0"),
        (["a", "--start-limit", "-1"], "--start-limit: -1 is not a number of seconds above 0"),
        (["a", "--env", "A"], "--env: A is not of the form NAME=VALUE"),
        (["a", "--env", "1A=x"], "--env: 1A is no name of an environment variable"),
        (["a", "--channel", "train=/nope"], "--channel: there is no folder /nope"),
        (["a", "--hyperparameter", "=1"], "--hyperparameter: =1 is not of the form NAME=VALUE"),
        (["a", "--metric", "a=*"], "--metric: * is no regular expression: nothing to repeat at position 0"),
        (["a", "--artifact", "/nope"], "--artifact: there is no /nope"),
        (["a", "--instance-type", "m5"], "--instance-type: m5 is no instance type such as ml.m5.large"),
        (["--url", "https://x"], "--url: https://x is not of the form http://HOST:PORT"),
        (["--url", "http://x:99999"], "--url: http://x:99999 is not of the form http://HOST:PORT"),
        (["--url", "x:1", "--env", "A=1"], "--env needs a container that is started from here: not with --url"),
        (["--project", ".", "--cpus", "1"], "--cpus needs a container that is started from here: not with --project"),
        (["a", "--output-file", "/"], "--output-file: / is a folder; name a file in it"),
        (["a", "--output-file", "/nope/x"], "--output-file: there is no folder /nope"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_input_is_refused_in_one_sentence(words: list[str], sentence: str) -> None:
    assert refused(*words) == sentence


def test_an_unknown_claim_is_answered_with_those_there_are() -> None:
    assert refused("a", "--claim", "nope").startswith("--claim: nope is no claim; there are: training, ")


@pytest.mark.parametrize(
    ("words", "output"),
    [([], "text"), (["--output-file", "x.html"], "html"), (["--output-file", "x.XML"], "junit"),
     (["--output-file", "x.json"], "json"), (["--output-file", "x.log"], "text"),
     (["--output", "json", "--output-file", "x.html"], "json")],
)  # fmt: skip
def test_the_format_is_what_output_says_or_the_files_name(
    words: list[str], output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse(["a", *words]).output == output


def test_listing_and_explaining_need_no_image() -> None:
    assert parse(["--list"]) == Given(listing=True)
    assert parse(["--explain", "png-01, RUN-08"]).explain == ("png-01", "RUN-08")
