"""RUN: folders, networks, memory and terminals that it works with."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from local_test.conformance.assertion import Broken, Claim, Group, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.load import under_load
from local_test.conformance.server import Server
from local_test.conformance.starts import (
    PROBE_SAMPLE,
    blame,
    changed,
    must_answer,
    must_bear,
    own_model,
    plain,
    trouble,
)
from local_test.conformance.wire import NoAnswer

GROUP = Group()

ROOMY_SHM_BYTES = 4 * 2**30
LOADED_REQUESTS = 50
ENOUGH_FAILURES = 3
ANOTHER_USER = 54321
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
}

FAILS = "The endpoint fails: did not pass the ping health check."


@GROUP.must(
    "RUN-10", "It works with /opt/ml/model read-only.",
    source="DG:host", otherwise=FAILS, fix="Write to /tmp, never into the model folder.", pains=(53, 71),
)  # fmt: skip
def model_may_be_read_only(bench: Bench) -> None:
    bench.subject.image()
    try:
        with_read_only_model(bench)
    except Untestable as reason:
        setup, sample = own_model(bench)
        folder = setup.model_dir or Path()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777)
        seen = trouble(bench, replace(setup, writable_model=True), sample)
        expect(seen, f"it works only with a writable model folder; else: {reason}")
        raise


def with_read_only_model(bench: Bench) -> None:
    """The shared server has one if the caller gave a model; the probe always has. Raises Untestable if it fails."""
    if bench.options.model_dir is not None:
        plain(bench)
        return
    try:
        must_answer(bench.probe(), PROBE_SAMPLE)
    except (Broken, NoAnswer) as error:
        raise Untestable(str(error)) from error


@GROUP.should(
    "RUN-11", "It works whoever owns the model's files, if all may read them.",
    source="inf DG:host", otherwise=FAILS, fix="Do not look at the owner of the model's files.",
)  # fmt: skip
def owner_does_not_matter(bench: Bench) -> str:
    setup, sample = own_model(bench)
    setup = replace(setup, writable_model=True)  # whether it writes there is asked by RUN-10
    plain(bench)
    owner = ANOTHER_USER if os.geteuid() == 0 else os.geteuid()
    given_to(owner, setup.model_dir or Path())
    seen = trouble(bench, setup, sample)
    expect(not seen, f"with files of user {owner}: {seen}")
    return f"files of user {owner}"


def given_to(owner: int, folder: Path) -> None:
    """Make all of it owner's: files of mode 0644, folders of 0755."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        if path.stat().st_uid != owner:
            os.chown(path, owner, owner)


@GROUP.must(
    "RUN-12", "It starts and serves without a network.",
    source="DG:net", claim=Claim.ISOLATION, pains=(44,),
    otherwise="With EnableNetworkIsolation the start hangs until the endpoint fails.",
    fix="Put all that is fetched at the start into the image or the artifact.",
)  # fmt: skip
def needs_no_network(bench: Bench) -> str:
    plain(bench)
    network, seen = bench.once(cut_off)
    if seen:
        _, still = cut_off(bench, env=CREDENTIALS)
        expect(not still, f"in {network}: {seen}")
        raise Untestable(f"it works there only with AWS variables, see RUN-13; else: {seen}")
    return network


def cut_off(bench: Bench, **changes: Any) -> tuple[str, str]:
    """Which network had no way out, not even to the metadata, and what kept a server from working in it.

    That is none at all where it can be asked there, which only root can.
    """
    for network, words in (("none", "no network at all"), ("internal", "a network without a way out")):
        with contextlib.suppress(Untestable):
            return words, trouble(bench, bench.change(network=network, **changes), bench.sample_or_none)
    raise Untestable("it can be asked in no network that has no way out")


@GROUP.should(
    "RUN-13", "It starts without AWS credentials or Region.",
    source="DG:net", must_if=Claim.ISOLATION, pains=(44,),
    otherwise="With EnableNetworkIsolation there are none: the endpoint fails.",
    fix="Make no AWS client at the start; let only the request that needs one fail.",
)  # fmt: skip
def needs_no_credentials(bench: Bench) -> None:
    _, seen = bench.once(cut_off)
    if seen:
        _, still = cut_off(bench, env=CREDENTIALS)
        expect(still, f"it works only with AWS credentials and a Region; else: {seen}")
        raise Untestable(f"without a network it does not work with AWS variables either (RUN-12): {still}")


@GROUP.should(
    "RUN-14", "64 MB of /dev/shm are enough, at full load too.",
    source="FR", otherwise="An endpoint has no more, and no setting for it: requests fail, or it does not start.",
    fix="Hand data over by sockets, pipes or files in /tmp.", pains=(54,),
)  # fmt: skip
def shared_memory_of_64_mb(bench: Bench) -> None:
    bench.subject.image()
    try:
        server = plain(bench)
    except Untestable as reason:
        blame(bench, "with more than 64 MB of shared memory", reason, shm_bytes=ROOMY_SHM_BYTES)
    if seen := refused(bench, server):
        with changed(bench, shm_bytes=ROOMY_SHM_BYTES) as roomy:
            still = refused(bench, roomy)
        expect(still, f"{seen}; none with more shared memory")
        raise Untestable(f"with more shared memory too, {still}")


def refused(bench: Bench, server: Server) -> str:
    """How requests fail at full load; empty if none does. A server that hangs is not asked again and again."""
    sample = bench.sample
    seen: list[str] = []

    def ask() -> None:
        if len(seen) < ENOUGH_FAILURES:
            try:
                must_answer(server, sample)
            except (Broken, NoAnswer) as error:
                seen.append(str(error))

    under_load(bench, server, ask, LOADED_REQUESTS)
    return f"requests fail at full load, such as: {seen[0]}" if seen else ""


@GROUP.should(
    "RUN-15", "Its log goes to stdout or stderr.",
    source="DG:ts", otherwise="CloudWatch shows nothing, and nobody learns why it failed.",
    fix="Log to stdout or stderr, unbuffered, not to files.", pains=(1, 15),
)  # fmt: skip
def log_goes_to_stdout(bench: Bench) -> str:
    server = bench.server()
    if bench.sample_or_none is not None:
        server.invoke(bench.sample.body, bench.sample.content_type)
    lines = server.log().splitlines()
    expect(lines, "it has written nothing to stdout or stderr")
    return f"{len(lines)} lines"


@GROUP.should(
    "RUN-16", "It needs no terminal, and bears one.",
    source="SDK2", otherwise="The platform gives none, the SDK's local mode one: it works in one place alone.",
    fix="Do not read stdin; do not ask whether there is a terminal.", pains=(29,),
)  # fmt: skip
def needs_no_terminal(bench: Bench) -> None:
    bench.subject.image()
    try:
        plain(bench)
    except Untestable as reason:
        blame(bench, "with a terminal", reason, tty=True)
    must_bear(bench, "with a terminal", tty=True)
