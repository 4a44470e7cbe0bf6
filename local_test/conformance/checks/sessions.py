"""SES: sessions with state.

The body that opens or closes a session is the container's own affair. Tried are the one that the hosting standards'
library takes, {"requestType": ...}, and the sample request; first as the container is, then with sessions switched on.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from local_test.conformance.assertion import Broken, Claim, Group, Untestable, expect
from local_test.conformance.bench import PROBE_DIR, Bench, Sample
from local_test.conformance.server import Server, Setup, json_of, wait_for
from local_test.conformance.wire import Answer

GROUP = Group(claim=Claim.SESSIONS)

SESSION_ID = "X-Amzn-SageMaker-Session-Id"
NEW_SESSION_ID = "X-Amzn-SageMaker-New-Session-Id"
CLOSED_SESSION_ID = "X-Amzn-SageMaker-Closed-Session-Id"
OPENING = (SESSION_ID, NEW_SESSION_ID)
JSON = "application/json"
ENABLED = {"SAGEMAKER_ENABLE_STATEFUL_SESSIONS": "true"}
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
OPENED = re.compile(rf"[a-zA-Z0-9](-*[a-zA-Z0-9])*;\sExpires={TIME}")  # RT
LIMIT_CHARACTERS = 256  # RT
CALLS = 8
EXPIRATION_S = 1
SLACK_S = 3.0  # past the time that it names
FAR_WEST = "WEST+11"  # a local time for UTC is eleven hours early there
PLATFORM_READS = "The platform cannot tell the id, or when it ends; the client's InvokeEndpoint has no NewSessionId."


@dataclass(frozen=True)
class Session:
    """One that a server has opened."""

    server: Server
    named: Mapping[str, str]
    """What it said, by the header it said it in."""

    @property
    def value(self) -> str:
        return next(iter(self.named.values()))

    @property
    def id(self) -> str:
        return self.value.partition(";")[0].strip()

    @property
    def expires(self) -> datetime:
        """Raises Untestable where SES-01 is broken."""
        try:
            return datetime.strptime(self.value.partition("Expires=")[2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise Untestable(f"needs a time, as SES-01: {self.value}") from error

    def call(self, sample: Sample) -> Answer:
        return call(self.server, self.id, sample)


@GROUP.must(
    "SES-01", "NEW_SESSION is answered with a session header: <id>; Expires=YYYY-MM-DDThh:mm:ssZ.",
    source="RT, DG:sess", otherwise=PLATFORM_READS,
    fix="Answer NEW_SESSION with the header X-Amzn-SageMaker-Session-Id: an id of letters, digits and inner hyphens, "
        "and a time in UTC; 256 characters at most.",
)  # fmt: skip
def opens(bench: Bench) -> str:
    session = try_to_open(bench)
    if session is None:
        raise Broken(f"neither {SESSION_ID} nor {NEW_SESSION_ID} came back for {SESSION_ID}: NEW_SESSION")
    for header, value in session.named.items():
        expect(OPENED.fullmatch(value), f"{header}: {value}")
        expect(len(value) <= LIMIT_CHARACTERS, f"{header} has {len(value)} characters: {value[:80]}...")
    return f"{', '.join(session.named)}: {session.value}"


@GROUP.should(
    "SES-02", "The answer has it as both Session-Id and New-Session-Id.",
    source="DG:sess, MHCS", fix="Send both headers with the same value.",
    otherwise="The guide and the hosting standards name different headers; with one of them you depend on which holds.",
)  # fmt: skip
def both_headers(bench: Bench) -> None:
    named = opened(bench).named
    missing = [header for header in OPENING if header not in named]
    expect(not missing, f"{', '.join(missing)} is missing")
    expect(len(set(named.values())) == 1, f"they differ: {dict(named)}")


@GROUP.must(
    "SES-03", "A session is known again at each call, and keeps its state.",
    source="DG:sess", otherwise="The platform routes each call to this instance for nothing: the state is lost.",
    fix="Keep sessions where every worker reaches them: shared memory, files in /tmp, or one process.",
)  # fmt: skip
def keeps_state(bench: Bench) -> str:
    if (kept := state_kept(bench)) is not None:
        return kept
    session = opened(bench)
    for number in range(1, CALLS + 1):
        answer = session.call(bench.sample)
        expect(answer.status == 200, f"call {number} with the id of an open session was answered {answer}")
    return f"known at {CALLS} calls; what it remembers is not visible from outside"


@GROUP.should(
    "SES-04", "An id that it does not know is refused with a 4xx.",
    source="MHCS", otherwise="A client goes on talking to a session that is gone, and does not notice.",
    fix="Answer 400 to an id that is not open here, saying that a new one is to be opened.",
)  # fmt: skip
def unknown_is_refused(bench: Bench) -> str:
    server, sample = opened(bench).server, bench.sample
    answer = call(server, f"conformance-{uuid.uuid4().hex}", sample)
    expect(400 <= answer.status < 500, f"an unknown id was answered {answer}")
    return str(answer)


@GROUP.must(
    "SES-05", "Close is answered with Closed-Session-Id, and the session is gone.",
    source="DG:sess", otherwise="The platform keeps the route to this instance, and the memory stays taken.",
    fix="Answer the request that closes with the header X-Amzn-SageMaker-Closed-Session-Id: <id>, and forget the id.",
)  # fmt: skip
def closes(bench: Bench) -> str:
    session = opened(bench)
    answer = session.call(request("CLOSE"))
    closed = answer.headers.get(CLOSED_SESSION_ID.lower())
    expect(closed is not None, f'{{"requestType": "CLOSE"}} was answered without {CLOSED_SESSION_ID}: {answer}')
    expect(closed == session.id, f"{CLOSED_SESSION_ID} is {closed}, not {session.id}")
    again = session.call(bench.sample)
    expect(400 <= again.status < 500, f"after it was closed, a call with its id was answered {again}")
    return str(again)


@GROUP.should(
    "SES-06", "Expires is a time to come, in UTC, and from then on the id is refused.",
    source="DG:sess", otherwise="The platform forgets the session at another time than the container does.",
    fix="Write Expires in UTC whatever the local time zone is; drop the session then.",
)  # fmt: skip
def expires(bench: Bench) -> str:
    with ExitStack() as servers:
        session, sample = short_session(bench, servers), bench.sample
        left_s = (session.expires - datetime.now(UTC)).total_seconds()
        expect(left_s > -1, f"what opened just now expired {-left_s:.0f} s ago: {session.value}")
        if left_s > EXPIRATION_S + SLACK_S:
            return f"in {left_s:.0f} s; not waited for: SAGEMAKER_SESSIONS_EXPIRATION does not shorten it"
        time.sleep(max(0.0, left_s))
        late = f"{SLACK_S:g} s after it had expired, a call with its id was still answered"
        wait_for(lambda: 400 <= session.call(sample).status < 500, SLACK_S, late)
        return f"refused {EXPIRATION_S} s after it was opened"


# what the checks are made of


def request(kind: str) -> Sample:
    """A request of the hosting standards' library."""
    return Sample(json.dumps({"requestType": kind}).encode(), JSON)


def call(server: Server, session_id: str, sample: Sample) -> Answer:
    return server.invoke(sample.body, sample.content_type, {SESSION_ID: session_id})


def opened(bench: Bench) -> Session:
    """An open one. Raises Untestable where SES-01 is broken."""
    session = try_to_open(bench)
    if session is None:
        raise Untestable("no session opens: SES-01 says why")
    return session


def try_to_open(bench: Bench) -> Session | None:
    """A session of the shared server, or of one where sessions are switched on by MHCS's variable."""
    session = open_at(bench, bench.server())
    if session is None:
        session = open_at(bench, bench.shared("sessions", bench.change(env=ENABLED)))
    return session


def open_at(bench: Bench, server: Server) -> Session | None:
    """A session of this server; None if no request that is known here opens one."""
    for sample in (request("NEW_SESSION"), bench.sample_or_none):
        if sample is None:
            continue
        answer = call(server, "NEW_SESSION", sample)
        named = {name: answer.headers[name.lower()] for name in OPENING if name.lower() in answer.headers}
        if named and answer.status < 400:
            return Session(server, named)
    return None


def state_kept(bench: Bench) -> str | None:
    """What a script saw of its session's state. None if none is run, or it is given no context.session."""
    if Claim.SCRIPTS not in bench.claims:
        return None
    script = bench.script_dir((PROBE_DIR / "sessions.py").read_text())
    with bench.run(Setup(model_dir=script, env=ENABLED)) as server:
        first, second = open_at(bench, server), open_at(bench, server)
        if first is None or second is None:
            return None
        if json_of(first.call(Sample(b'{"keep": "first"}', JSON))) is None:
            return None
        second.call(Sample(b'{"keep": "second"}', JSON))
        for number in range(1, CALLS + 1):
            kept = json_of(first.call(Sample(b"{}", JSON)))
            expect(kept == {"kept": "first"}, f'call {number} of a session that was told "first" remembers {kept}')
    return f"{CALLS} calls remembered, apart from another session's"


def short_session(bench: Bench, servers: ExitStack) -> Session:
    """A session that expires soon, of a server far from UTC; an ordinary one if none can be started so."""
    plain = opened(bench)
    env = {**ENABLED, "SAGEMAKER_SESSIONS_EXPIRATION": str(EXPIRATION_S), "TZ": FAR_WEST}
    try:
        server = servers.enter_context(bench.run(bench.change(env=env)))
    except (Untestable, Broken):
        return plain
    return open_at(bench, server) or plain
