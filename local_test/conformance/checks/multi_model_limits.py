"""MME: memory, races and bad input of many models in one container."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote

from local_test.conformance.assertion import Claim, Group, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.model_memory import cost_mb, heavy_model, settled_mb
from local_test.conformance.models import (
    ROOT,
    SETUP,
    Model,
    Models,
    page_of,
    plain_model,
    probe_model,
    shared,
    url_of,
)
from local_test.conformance.server import PING_LIMIT_S
from local_test.conformance.wire import Answer

GROUP = Group(claim=Claim.MULTI_MODEL)

ROOM_FOR = 3.5  # models, in MME-04
LOADS = 12
CYCLES, FEWEST_CYCLES, CYCLES_LIMIT_S = 20, 4, 40.0
SLOW_LOAD_S, SHORTEST_LOAD_S = 3.0, 1.0
RACE_LOAD_S = 0.3
BAD_TOKENS = ("-1", "no such token", "9" * 30, "%00", "x" * 3000)
MALFORMED = (b"{", b"[]", b"{}", b'{"model_name": "m"}', b'{"model_name": 1, "url": 2}', b"\xff")
CRASHES = "The platform cannot tell that room is wanted: it unloads nothing, and the client gets an error."
STALLED = "Each load of a model, at any time, delays the requests of all others, and may fail the health check."


@GROUP.must(
    "MME-04", "A load without room is 507, and the models that are loaded go on answering.",
    source="DG:mme", otherwise=CRASHES, pains=(9, 31), slow=True,
    fix="Compare what a model will take with the container's limit; answer 507 for MemoryError too.",
)  # fmt: skip
def no_room_is_507(bench: Bench) -> str:
    model = heavy_model(bench)
    idle_mb, model_mb = cost_mb(shared(bench), model)
    setup = replace(SETUP, memory_mb=int(idle_mb + ROOM_FOR * model_mb))
    with bench.run(setup, needs_server=False) as server:
        models = Models(server)
        loaded, answer = load_until_refused(models, models.put(model, LOADS))
        expect(answer.status == 507, f"load {len(loaded) + 1} into {setup.memory_mb} MB was answered {answer}")
        still_serves(models, loaded, model)
    return f"{len(loaded)} models of {model_mb:.0f} MB in {setup.memory_mb} MB, then 507"


def load_until_refused(models: Models, names: list[str]) -> tuple[list[str], Answer]:
    """The names that were loaded, and the first refusal, or the last answer."""
    loaded: list[str] = []
    for name in names:
        answer = models.load(name)
        if answer.status // 100 != 2:
            break
        loaded.append(name)
    return loaded, answer


def still_serves(models: Models, loaded: list[str], model: Model) -> None:
    """Raises Broken unless every loaded model and /ping answer 200."""
    expect(loaded, "not even one model could be loaded")
    for name in loaded:
        models.wait_usable(name, model)
    ping = models.server.ping()
    expect(ping.status == 200, f"after the refusal /ping answered {ping}")


@GROUP.should(
    "MME-09", "A page token that it never gave is a 400 or a page, never a fault of the server.",
    source="MMS", otherwise="A fault in the log and in the alarms, for a request that is wrong.", pains=(3, 31),
    fix="Check next_page_token; answer 400 to one that you did not make.",
)  # fmt: skip
def bad_tokens_are_no_fault(bench: Bench) -> None:
    models = shared(bench)
    for token in BAD_TOKENS:
        answer = models.page(token)
        if answer.status == 200:
            page_of(answer)
        expect(answer.status < 500 and answer.status // 100 in (2, 4), f"with the token {token[:30]!r}: {answer}")


@GROUP.must(
    "MME-13", "What a model takes in memory is free again after DELETE.",
    source="DG:mme", pains=(31,), slow=True,
    otherwise="Memory fills up with models that nobody can use; then no load succeeds, or the container is killed.",
    fix="Drop every reference to the model at DELETE, or serve each model in a process that ends then.",
)  # fmt: skip
def unloaded_memory_is_free(bench: Bench) -> str:
    models, model = shared(bench), heavy_model(bench)
    before_mb, model_mb = cost_mb(models, model)
    began_s, cycles = time.monotonic(), 0
    while cycles < max(FEWEST_CYCLES, bench.paced(CYCLES)) and time.monotonic() - began_s < CYCLES_LIMIT_S:
        with models.loaded(model):
            cycles += 1
    kept_mb = settled_mb(models, before_mb + model_mb / 2) - before_mb
    expect(kept_mb < model_mb / 2, f"{cycles} loads and unloads of {model_mb:.0f} MB have left {kept_mb:.0f} MB")
    return f"{kept_mb:+.0f} MB after {cycles} loads and unloads of {model_mb:.0f} MB"


@GROUP.must(
    "MME-15", "While one model is being loaded, /ping and other models answer as ever.",
    source="inf DG:host", otherwise=STALLED, pains=(16, 31),
    fix="Load outside of what answers requests, and hold no lock of all models meanwhile.", slow=True,
)  # fmt: skip
def loading_stalls_nobody(bench: Bench) -> str:
    models, quick = shared(bench), probe_model(bench)
    load_s = max(SHORTEST_LOAD_S, bench.paced(SLOW_LOAD_S))
    slow = probe_model(bench, load_s=load_s)
    with models.loaded(quick) as other, models.brought(slow) as name, ThreadPoolExecutor(1) as pool:
        loading = pool.submit(models.load, name)
        slowest = slowest_meanwhile(models, other, quick, loading)
        loaded = loading.result()
    expect(loaded.status // 100 == 2, f"the slow load was answered {loaded}")
    for what, seconds in slowest.items():
        bench.time(f"{what} during a load", seconds)
        expect(seconds < 0.75 * load_s, f"{what} answered after {seconds:.2f} s while a model was being loaded")
    return ", ".join(f"{what}: {seconds * 1000:.0f} ms" for what, seconds in slowest.items())


def slowest_meanwhile(models: Models, other: str, quick: Model, loading: Future[Answer]) -> dict[str, float]:
    """Seconds of the slowest ping and of the slowest answer of another model, while one is being loaded."""
    slowest = {"/ping": 0.0, "another model": 0.0}
    for _ in until_done(loading):
        answers = {
            "/ping": models.server.ping(PING_LIMIT_S),
            "another model": models.invoke(other, quick.sample),
        }
        for what, answer in answers.items():
            expect(answer.status == 200, f"while a model was being loaded {what} answered {answer}")
            slowest[what] = max(slowest[what], answer.seconds)
    return slowest


def until_done(loading: Future[Answer]) -> Iterator[None]:
    """Now and then, from soon after it has begun."""
    time.sleep(0.1)
    yield
    while not loading.done():
        time.sleep(0.05)
        yield


@GROUP.should(
    "MME-16", "Of two loads of one name at once, one is 200 and the other 409.",
    source="inf DG:mme", otherwise="A model is loaded twice, and the second copy is never unloaded.", pains=(31,),
    fix="Take the name under a lock before loading; answer 409 to who comes second.",
)  # fmt: skip
def a_race_has_one_winner(bench: Bench) -> None:
    models, model = shared(bench), race_model(bench)
    with models.brought(model) as name, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(models.load, [name, name]))
    statuses = sorted(answer.status for answer in answers)
    expect(statuses == [200, 409], f"two loads at once were answered {statuses}")


def race_model(bench: Bench) -> Model:
    """One that takes long enough to load that a second request comes meanwhile, where that can be ordered."""
    try:
        return probe_model(bench, load_s=RACE_LOAD_S)
    except Untestable:
        return plain_model(bench)


@GROUP.should(
    "MME-17", "A model that cannot be loaded is an error at POST /models, is not listed, and can be tried again.",
    source="inf DG:mme", otherwise="The platform sends requests to a model that cannot answer any.", pains=(10, 31),
    fix="Load at POST /models, not at the first request; keep the name only once the model is there.",
)  # fmt: skip
def a_failed_load_leaves_nothing(bench: Bench) -> str:
    models = shared(bench)
    with models.brought(corrupt_model(bench)) as name:
        first, listed, again = models.load(name), models.names(), models.load(name)
    expect(first.status >= 400, f"the load of a corrupt model was answered {first}")
    expect(name not in listed, f"GET /models lists a model whose load was answered {first}")
    expect(again.status >= 400 and again.status != 409, f"a second try to load it was answered {again}")
    expect(models.server.ping().status == 200, "/ping is no longer 200 after a failed load")
    return f"answered {first.status}"


def corrupt_model(bench: Bench) -> Model:
    """The probe that fails to load, or the caller's with noise in every file."""
    try:
        return probe_model(bench, fail=True)
    except Untestable:
        folder = bench.model_copy()
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0corrupt" * 16)
    return replace(plain_model(bench), folder=folder)


@GROUP.should(
    "MME-18", "POST /models with a malformed body is 400.",
    source="MMS", otherwise="A fault in the log and in the alarms, for a request that is wrong.", pains=(3, 31),
    fix="Answer 400 unless the body is a JSON object with the texts model_name and url.",
)  # fmt: skip
def malformed_loads_are_400(bench: Bench) -> None:
    server = shared(bench).server
    for body in MALFORMED:
        answer = server.invoke(body, path="/models")
        expect(answer.status == 400, f"POST /models with the body {body!r} was answered {answer}")


@GROUP.should(
    "MME-19", "A model that runs out of memory at a request is 507.",
    source="DG:mme", otherwise=CRASHES, pains=(31, 45),
    fix="Answer 507 for MemoryError and for your framework's error of a full GPU.",
)  # fmt: skip
def out_of_memory_is_507(bench: Bench) -> None:
    models, model = shared(bench), probe_model(bench)
    with models.loaded(model) as name:
        order = replace(model.sample, body=b'{"do": "out_of_memory"}')
        answer = models.invoke(name, order)
    expect(answer.status == 507, f"a model that raised MemoryError was answered {answer}")


@GROUP.should(
    "MME-20", "A name or url that leads elsewhere by .. is refused.",
    source="DLC TF", otherwise="Whoever reaches the port can have any folder of the container loaded.", pains=(31, 47),
    fix="Answer 400 to a model_name or url with .. in it, and to a url outside of /opt/ml/models.",
)  # fmt: skip
def dots_are_refused(bench: Bench) -> None:
    models = shared(bench)
    with models.brought(plain_model(bench)) as name:
        for tried, url in {f"../{name}": url_of(name), name: f"{ROOT}/{name}/../{name}/model"}.items():
            answer = models.load(tried, url)
            models.forget([quote(tried, safe="")])
            expect(answer.status // 100 == 4, f"the load of {tried} from {url} was answered {answer}")
