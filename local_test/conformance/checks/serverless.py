"""SLS: what a serverless endpoint allows."""

from __future__ import annotations

from local_test.conformance.assertion import Broken, Claim, Group, expect
from local_test.conformance.bench import Bench
from local_test.conformance.processes import most_alike
from local_test.conformance.starts import changed, must_bear, plain
from local_test.conformance.wire import NoAnswer

GROUP = Group(claim=Claim.SERVERLESS)

SIZES_MB = (1024, 6144)
"""The smallest and the largest memory there is."""
CPUS = 1.0  # of the smallest
START_S = 180.0
FAILS = "The endpoint fails: did not pass the ping health check."


@GROUP.should(
    "SLS-01", "It works as an unprivileged user, with nothing but /tmp writable.",
    source="DG:sls, FR", otherwise=FAILS, pains=(40, 41),
    fix="Write to /tmp alone (HOME, caches, sockets, pid files); chmod -R o+rX what is read.",
)  # fmt: skip
def runs_unprivileged(bench: Bench) -> None:
    must_bear(bench, "as user 1000, the root file system read-only", user="1000", read_only=True)


@GROUP.should(
    "SLS-02", "It works with the memory of a serverless endpoint, 1 to 6 GB, with one worker.",
    source="DG:sls", pains=(9, 69), otherwise="It is killed for its memory, or shares one small CPU among its workers.",
    fix="Start one worker where the CPU limit is 1, so that the model is in memory once.",
)  # fmt: skip
def little_memory_and_one_worker(bench: Bench) -> str:
    smallest_mb, largest_mb = SIZES_MB
    plain(bench)
    try:
        words, (name, count) = f"in {smallest_mb} MB", workers_in(bench, smallest_mb)
    except (Broken, NoAnswer) as error:
        words, (name, count) = f"in {largest_mb} MB; in {smallest_mb} MB {error}", workers_in(bench, largest_mb)
    expect(count <= 1, f"{count} processes `{name}`")
    return f"{count} process `{name}` {words}"


def workers_in(bench: Bench, memory_mb: int) -> tuple[str, int]:
    """What runs there most often, and how often. Raises Broken or NoAnswer if it does not work with so little."""
    with changed(bench, memory_mb=memory_mb, cpus=CPUS) as server:
        return most_alike(server.workers())


@GROUP.should(
    "SLS-03", "It works with no /dev/shm, and with one of 1 MB.",
    source="FR", otherwise=FAILS, fix="Hand data over by sockets, pipes or files in /tmp; use no POSIX semaphores.",
    pains=(39, 54), slow=True,
)  # fmt: skip
def needs_no_shared_memory(bench: Bench) -> None:
    must_bear(bench, "without /dev/shm", no_shm=True)
    must_bear(bench, "with a /dev/shm of 1 MB", shm_bytes=2**20)


@GROUP.should(
    "SLS-04", "It is ready within 3 minutes, on one CPU.",
    source="DG:sls", otherwise=FAILS, fix="Load less, or faster: a smaller model, fewer imports.", pains=(2, 42),
)  # fmt: skip
def ready_within_3_minutes(bench: Bench) -> str:
    limit_s = bench.paced(START_S)
    with bench.run(bench.change(cpus=CPUS), ready=False) as server:
        ready_s = server.wait_ready(bench.options.start_limit_s)
    bench.time("start on one CPU", ready_s)
    expect(ready_s <= limit_s, f"it was ready after {ready_s:.1f} s; the limit is {limit_s:g} s")
    return f"{ready_s:.2f} s"
