"""RUN: start, ports and stop."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from local_test.conformance.assertion import Broken, Claim, Group, Untestable, expect
from local_test.conformance.bench import NO_PROBE, Bench, Sample
from local_test.conformance.neighbors import FIRST, neighbors, served_as_told
from local_test.conformance.server import Server, Setup, wait_for
from local_test.conformance.starts import blame, plain
from local_test.conformance.wire import NoAnswer, Wire, request_head

GROUP = Group()

DEFAULT_PORT = 8080
STAYS_UP_S = 10.0
STOP_LIMIT_S = 30.0
SHORTEST_GRACE_S = 3.0
IN_FLIGHT_S = 1.5
SLOW_ENOUGH_S = 0.3
KILLED = 137  # 128 + SIGKILL

NEVER_IN_SERVICE = "The endpoint stays Creating for up to half an hour, then fails: did not pass the ping health check."
CLASH = "On an endpoint with several containers, which share one network, two want the same port: one of them dies."
CUT = "Requests fail at each update, scale-in and replacement of an instance."


@GROUP.must(
    "RUN-01", "Started with the one word serve, it stays up and listens on a TCP port.",
    source="DG:host", otherwise=NEVER_IN_SERVICE, pains=(1, 6, 20, 67),
    fix="Let `docker run IMAGE serve` run the server in the foreground; its log says why it ended.",
)  # fmt: skip
def stays_up_and_listens(bench: Bench) -> str:
    try:
        return f"ready after {bench.server().ready_s or 0:.2f} s"
    except Untestable:
        with bench.run(ready=False, needs_server=False) as server:
            ports = listening(bench, server)
            end_s = time.monotonic() + bench.paced(STAYS_UP_S)
            while time.monotonic() < end_s:
                must_run(server)
                time.sleep(0.1)
            return f"listens on {spelled(ports)}"


@GROUP.must(
    "RUN-02", "What the image's CMD says does not matter: the one word serve replaces it.",
    source="DG:host", otherwise=NEVER_IN_SERVICE, pains=(6,),
    fix="Move what CMD says into ENTRYPOINT or the program's defaults; make ENTRYPOINT understand serve.",
)  # fmt: skip
def cmd_does_not_matter(bench: Bench) -> None:
    own = bench.subject.image().config.get("Cmd") or []
    try:
        plain(bench)
    except Untestable as reason:
        if own == ["serve"] or not own:
            raise
        blame(bench, f"with the image's own CMD {own}", reason, command=())


@GROUP.must(
    "RUN-03", "It listens on all interfaces, not on loopback alone.",
    source="inf DG:host", otherwise=NEVER_IN_SERVICE, fix="Bind 0.0.0.0, not 127.0.0.1 or localhost.", pains=(1,),
)  # fmt: skip
def listens_on_all_interfaces(bench: Bench) -> None:
    bench.subject.image()
    try:
        bench.server()  # which is asked at its own address
    except Untestable:
        with listener(bench) as (server, ports):
            try:
                server.connect(5, min(ports)).close()
            except NoAnswer as error:
                raise Broken(f"it listens on {spelled(ports)}, but at the container's address {error}") from error


@GROUP.must(
    "RUN-04", "It listens on the port that SAGEMAKER_BIND_TO_PORT names, and then not on 8080.",
    source="DG:mme", otherwise=CLASH, pains=(61,),
    fix="Read the port from SAGEMAKER_BIND_TO_PORT, 8080 where it is not set.",
)  # fmt: skip
def obeys_bind_to_port(bench: Bench) -> None:
    sight = bench.once(neighbors)
    expect(not sight.first, f"told to listen on {FIRST.port}: {sight.first}")
    expect(DEFAULT_PORT not in sight.others, f"told to listen on {FIRST.port}, it listens on {DEFAULT_PORT} too")


@GROUP.must(
    "RUN-05", "It listens on port 8080 where nothing is said.",
    source="DG:host", otherwise=NEVER_IN_SERVICE, fix="Make 8080 the default port.", pains=(1,),
)  # fmt: skip
def default_port_is_8080(bench: Bench) -> None:
    bench.subject.image()
    try:
        bench.server()  # which is asked there
    except Untestable:
        with listener(bench) as (_, ports):
            expect(DEFAULT_PORT in ports, f"it listens on {spelled(ports)} instead")


@GROUP.must(
    "RUN-06", "Every other port it listens on lies within SAGEMAKER_SAFE_PORT_RANGE.",
    source="DG:mme", otherwise=CLASH, pains=(47, 61),
    fix="Use Unix sockets inside the container, or take further ports from SAGEMAKER_SAFE_PORT_RANGE.",
)  # fmt: skip
def other_ports_are_safe(bench: Bench) -> str:
    others = served_as_told(bench).others - {DEFAULT_PORT}  # RUN-04 speaks of 8080
    outside = {port for port in others if port not in FIRST.safe}
    expect(not outside, f"it listens on {spelled(outside)} too, outside of {FIRST.safe_range}")
    return f"others: {spelled(others)}" if others else "no other port"


@GROUP.must(
    "RUN-07", "Two containers of the image work in one network, each with a port and a range of its own.",
    source="inf DG:mme", otherwise=CLASH, pains=(61,),
    fix="Use no fixed port or abstract socket beside the given port; Unix sockets in the file system are safe.",
)  # fmt: skip
def two_share_a_network(bench: Bench) -> None:
    sight = served_as_told(bench)
    expect(not sight.second, f"the second one: {sight.second}")


@GROUP.must(
    "RUN-08", "It ends within 30 s of SIGTERM.",
    source="DG:host", otherwise=f"It is killed with all that it was doing. {CUT}", pains=(36,), waits=True,
    fix="Handle SIGTERM in the first process; ENTRYPOINT in exec form, and exec in a shell script, so that it gets it.",
)  # fmt: skip
def sigterm_ends_it(bench: Bench) -> str:
    grace_s = max(SHORTEST_GRACE_S, bench.paced(STOP_LIMIT_S))
    with bench.run() as server:
        end = server.stop(grace_s)
    bench.time("stop", end.seconds)
    expect(end.code != KILLED, f"SIGTERM did not end it within {grace_s:g} s: it had to be killed")
    return f"exit code {end.code} after {end.seconds:.1f} s"


@GROUP.should(
    "RUN-09", "Requests that it has when SIGTERM comes are answered before it ends.",
    source="inf DG:host", otherwise=CUT, pains=(36,), waits=True,
    fix="On SIGTERM accept nothing new, finish what runs within 25 s, then exit.",
)  # fmt: skip
def in_flight_is_answered(bench: Bench) -> str:
    setup, sample, count = in_flight(bench)
    with bench.run(setup) as server, ExitStack() as stack:
        wires = [stack.enter_context(begun(server, sample)) for _ in range(count)]
        time.sleep(IN_FLIGHT_S / 3 if count == 1 else 0)
        server.signal("SIGTERM")
        for wire in wires:
            must_be_answered(wire)
    return f"{count} of them"


def in_flight(bench: Bench) -> tuple[Setup, Sample, int]:
    """What is asked when SIGTERM comes, and how often: a slow request where that can be ordered, else the sample."""
    if Claim.SCRIPTS not in bench.claims:
        usual_s = bench.server().invoke(bench.sample.body, bench.sample.content_type).seconds
        if usual_s < SLOW_ENOUGH_S:
            raise Untestable(f"the sample request takes {usual_s:.2f} s, too short to be stopped in; {NO_PROBE}")
        return bench.setup, bench.sample, 4
    order = b'{"do": "sleep", "seconds": %g}' % IN_FLIGHT_S
    return bench.probe_setup(), Sample(order, "application/json"), 1


def begun(server: Server, sample: Sample) -> Wire:
    """A request that was sent, its answer not read."""
    wire = server.connect()
    head = {"Content-Type": sample.content_type, "Content-Length": str(len(sample.body)), "Connection": "close"}
    wire.send(request_head("POST", "/invocations", head) + sample.body)
    return wire


def must_be_answered(wire: Wire) -> None:
    """Raise Broken unless the answer is 200 and whole."""
    try:
        answer = wire.answer(timeout_s=STOP_LIMIT_S)
    except NoAnswer as error:
        raise Broken(f"a request that it had when SIGTERM came got no answer: {error}") from error
    expect(answer.status == 200, f"a request that it had when SIGTERM came was answered {answer}")
    expect(answer.complete, "the answer to a request that it had when SIGTERM came was cut short")


@contextmanager
def listener(bench: Bench) -> Iterator[tuple[Server, set[int]]]:
    """A server that does not get ready, and its ports. Raises Untestable if it has none: RUN-01 says why."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(bench.run(ready=False, needs_server=False))
            ports = listening(bench, server)
        except Broken as broken:
            raise Untestable(f"it does not run (RUN-01): {broken}") from broken
        yield server, ports


def listening(bench: Bench, server: Server) -> set[int]:
    """The ports that it listens on, once there is one. Raises Broken if it ends or listens on none."""

    def ports() -> set[int] | None:
        must_run(server)
        try:
            return server.listening_ports() or None
        except Untestable:
            must_run(server)  # it may have ended just now
            raise

    return wait_for(ports, bench.options.start_limit_s, "it listens on no TCP port")


def must_run(server: Server) -> None:
    """Raise Broken if it has ended."""
    if (end := server.ended()) is not None:
        raise Broken(f"it ended with exit code {end.code}. {server.last_words()}")


def spelled(ports: Collection[int]) -> str:
    """For the report."""
    return f"port{'s' if len(ports) > 1 else ''} {', '.join(map(str, sorted(ports)))}"
