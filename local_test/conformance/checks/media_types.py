"""INV: Content-Type, Accept and refusals of POST /invocations."""

from __future__ import annotations

import re

from local_test.conformance.assertion import Claim, Group, NotApplicable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.sample import baseline, essence, is_json, malformed, misfit, refusals, send, works

GROUP = Group()

UNKNOWN = "application/x-nope"
USUAL = ("application/json", "text/csv", "application/jsonlines")
"""Types of which a second one is looked for, where the caller names none."""
ERROR_LIMIT_CHARACTERS = 2048
TELL_TALES = re.compile(
    r"Traceback \(most recent call last\)"
    r'|File "[^"\n]+", line \d+'
    r"|^\s+at \S+ ?\([^)\n]*:\d+\)"  # Java, JavaScript
    r"|(?<![\w.:/-])/[\w./+-]+\.(?:py|pyc|so|js|java|go|rs)\b"
    r"|(?<![\w.:/-])/(?:opt|usr|home|srv|var|tmp|etc)/[\w.+-]+/[\w.+-]+",
    re.MULTILINE,
)
"""What an error body tells of the machine: a traceback, a source file, a path in a folder that systems have."""
CLIENTS_FAULT = "The client cannot tell its own mistake from a fault of the server, and SDKs send it again."
GUESSES = "What the client sends is read as something else, without a word."


@GROUP.should(
    "INV-09", "Accept decides on the answer's type, for each type that it can make.",
    source="IT", otherwise="The client gets another type than it asked for, and fails to read it.", pains=(23,),
    fix="Choose the encoder by Accept.",
)  # fmt: skip
def accept_is_honoured(bench: Bench) -> str:
    media_types = list(dict.fromkeys(filter(None, (*bench.options.accepts, baseline(bench).media_type))))
    for media_type in media_types:
        answer = send(bench.server(), bench.sample, {"Accept": media_type})
        works(answer, f"with Accept: {media_type}")
        given = answer.headers.get("content-type")
        expect(answer.media_type == essence(media_type), f"asked for {media_type} it answered {given}")
        wrong = misfit(answer)
        expect(not wrong, f"asked for {media_type}: {wrong}")
    return ", ".join(media_types)


@GROUP.should(
    "INV-10", "Without Accept, and with */*, the type is the one that SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT names.",
    source="IT", otherwise="A pipeline's next container gets a type that it does not know.", pains=(23,),
    fix="Read SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT; take a missing Accept and */* for it.",
)  # fmt: skip
def default_accept_is_settable(bench: Bench) -> str:
    other = other_type(bench)
    with bench.run(bench.change(env={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": other})) as server:
        for headers in ({}, {"Accept": "*/*"}):
            answer = send(server, bench.sample, headers)
            works(answer, f"with the headers {headers}")
            given = answer.headers.get("content-type")
            expect(answer.media_type == other, f"set to {other}, with the headers {headers} it answered {given}")
    return other


def other_type(bench: Bench) -> str:
    """A type that it makes when asked, but not by itself. Raises NotApplicable if there is none."""
    usual = baseline(bench).media_type
    for media_type in dict.fromkeys((*map(essence, bench.options.accepts), *USUAL)):
        if media_type != usual:
            answer = send(bench.server(), bench.sample, {"Accept": media_type})
            if answer.status == 200 and answer.media_type == media_type:
                return media_type
    raise NotApplicable(f"it makes {usual} only, as far as --accepts and a few guesses tell")


@GROUP.should(
    "INV-11", "A list of types in Accept, with weights, is understood.",
    source="IT", otherwise="Browsers, and HTTP libraries that send lists by default, get 406.", pains=(23,),
    fix="Split Accept at its commas, and take a type from it that you can make.",
)  # fmt: skip
def accept_may_be_a_list(bench: Bench) -> None:
    usual = baseline(bench).media_type or "*/*"
    for accept in (f"{usual}, {UNKNOWN};q=0.5", f"{UNKNOWN};q=0.5, {usual}"):
        works(send(bench.server(), bench.sample, {"Accept": accept}), f"with Accept: {accept}")


@GROUP.should(
    "INV-12", "Case and parameters of Content-Type do not matter.",
    source="FR #3235, XGB#51", otherwise="text/csv; charset=utf-8 is refused, and with it a pipeline's second stage.",
    fix="Compare the part before the semicolon, in lower case.", pains=(22,),
)  # fmt: skip
def content_type_is_parsed(bench: Bench) -> None:
    baseline(bench)
    name, semicolon, parameters = bench.sample.content_type.partition(";")
    for variant in (f"{bench.sample.content_type}; charset=utf-8", name.upper() + semicolon + parameters):
        answer = bench.server().invoke(bench.sample.body, variant)
        works(answer, f"as {variant}")


@GROUP.should(
    "INV-13", "An unknown Content-Type is refused with 415.",
    source="SC, XGB", otherwise=CLIENTS_FAULT, pains=(3, 22),
    fix="Check Content-Type before the body is read; answer 415 and name those that you know.",
)  # fmt: skip
def unknown_content_type_is_415(bench: Bench) -> None:
    baseline(bench)
    answer = bench.server().invoke(bench.sample.body, UNKNOWN)
    expect(answer.status == 415, f"Content-Type: {UNKNOWN} was answered {answer}")


@GROUP.should(
    "INV-14", "An unknown Accept is refused with 406.",
    source="SC, XGB", otherwise="The client gets a type that it did not ask for, or a fault that is none.", pains=(23,),
    fix="Answer 406 and name the types that you can make.",
)  # fmt: skip
def unknown_accept_is_406(bench: Bench) -> None:
    baseline(bench)
    answer = send(bench.server(), bench.sample, {"Accept": UNKNOWN})
    expect(answer.status == 406, f"Accept: {UNKNOWN} was answered {answer}")


@GROUP.should(
    "INV-15", "A malformed body is the client's fault: 4xx.",
    source="convention", otherwise=CLIENTS_FAULT, fix="Turn what the decoder raises into a 400.", pains=(3,),
)  # fmt: skip
def malformed_is_4xx(bench: Bench) -> str:
    baseline(bench)
    sample = bench.sample
    answer = bench.server().invoke(malformed(sample), sample.content_type)
    expect(answer.status < 500, f"{malformed(sample)!r} as {sample.content_type} was answered {answer}")
    broken = bench.server().invoke(b'{"instances": [[1, 2', "application/json")
    expect(400 <= broken.status < 500, f"broken JSON was answered {broken}")
    return f"{answer.status} and {broken.status}"


@GROUP.should(
    "INV-16", "An empty body is answered 4xx or 204, and the server goes on.",
    source="XGB", otherwise=CLIENTS_FAULT, fix="Answer 400 to a body without a record.", pains=(58,),
)  # fmt: skip
def empty_is_4xx(bench: Bench) -> str:
    baseline(bench)
    answer = bench.server().invoke(b"", bench.sample.content_type)
    expect(400 <= answer.status < 500 or answer.status == 204, f"an empty body was answered {answer}")
    works(send(bench.server(), bench.sample), "after an empty body")
    return str(answer.status)


@GROUP.should(
    "INV-17", "Without Content-Type a body is taken for JSON, or refused with 415.",
    source="SC", otherwise=GUESSES, pains=(58,),
    fix="Let a missing Content-Type mean application/json; beware of frameworks that put in octet-stream.",
)  # fmt: skip
def missing_content_type(bench: Bench) -> str:
    baseline(bench)
    answer = bench.server().request("POST", "/invocations", bench.sample.body)
    if is_json(bench.sample.content_type):
        expect(answer.status in (200, 415), f"JSON without Content-Type was answered {answer}")
    elif answer.status >= 500:
        as_json = bench.server().invoke(bench.sample.body, "application/json")
        expect(as_json.status == answer.status, f"a request without Content-Type was answered {answer}")
    return str(answer.status)


@GROUP.should(
    "INV-18", "The body of an error is short, at most 2048 characters, and not empty.",
    source="RT", otherwise="The client sees nothing, or the beginning: OriginalMessage is cut there.", pains=(3,),
    fix="Say in one sentence what is wrong and what to change; never repeat what was sent.",
)  # fmt: skip
def errors_are_short(bench: Bench) -> str:
    errors = refusals(bench)
    for what, answer in errors.items():
        length = len(answer.body.decode("utf-8", "replace"))
        expect(length, f"{what} was answered {answer.status} without a word")
        expect(length <= ERROR_LIMIT_CHARACTERS, f"{what} was answered with {length} characters: {answer}")
    return f"{len(errors)} errors looked at"


@GROUP.should(
    "INV-19", "The body of an error has no traceback, and no path of the machine.",
    source="convention", otherwise="Clients see how the server is made, which is of use to attackers only.", pains=(3,),
    fix="Log the traceback; answer with a sentence and an id by which it is found.",
)  # fmt: skip
def errors_tell_no_tales(bench: Bench) -> str:
    errors = refusals(bench)
    if Claim.SCRIPTS in bench.claims:
        errors["a handler that raises"] = bench.probe().invoke({"do": "fail"})
    for what, answer in errors.items():
        tale = TELL_TALES.search(answer.body.decode("utf-8", "replace"))
        expect(not tale, f"{what} was answered with {tale[0][:100]!r}" if tale else "")
    return f"{len(errors)} errors looked at"
