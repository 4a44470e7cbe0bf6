"""Two containers of the image in one network, as on an endpoint with several containers. Used by files of checks/."""

from __future__ import annotations

from dataclasses import dataclass

from local_test.conformance.assertion import Broken, Untestable
from local_test.conformance.bench import Bench
from local_test.conformance.server import Server, Setup
from local_test.conformance.starts import patience_s, trouble


@dataclass(frozen=True)
class Place:
    """What the platform gives a container that shares its network: a port, and the range for all its others."""

    port: int
    safe: range

    @property
    def safe_range(self) -> str:
        return f"{self.safe[0]}-{self.safe[-1]}"

    def setup(self, bench: Bench, network: str = "") -> Setup:
        env = {"SAGEMAKER_BIND_TO_PORT": str(self.port), "SAGEMAKER_SAFE_PORT_RANGE": self.safe_range}
        return bench.change(env=env, port=self.port, network=network)


FIRST, SECOND = Place(9123, range(23000, 24000)), Place(9124, range(24000, 25000))


@dataclass(frozen=True)
class Neighbors:
    """What was seen of two containers in one network."""

    first: str = ""
    """What kept the first one from getting ready while it was alone; empty if nothing did."""
    others: frozenset[int] = frozenset()
    """Ports that it then listened on beside its own."""
    second: str = ""
    """What kept the second one from working beside it."""


def neighbors(bench: Bench) -> Neighbors:
    """Start two containers in one network, the second once the first one is ready, each with its port and range."""
    with bench.run(FIRST.setup(bench), ready=False) as first:
        try:
            first.wait_ready(patience_s(bench))
        except Broken as broken:
            return Neighbors(first=str(broken))
        others = first.listening_ports() - {FIRST.port}
        return Neighbors("", frozenset(others), second_one(bench, first))


def second_one(bench: Bench, first: Server) -> str:
    """What keeps a container in the first one's network from working; empty if both work."""
    if seen := trouble(bench, SECOND.setup(bench, network=f"container:{first.name}"), bench.sample_or_none):
        return seen
    return "" if first.is_ready() else "when it was ready, the first one was not any more"


def served_as_told(bench: Bench) -> Neighbors:
    """Raises Untestable if the first one does not serve on the port it is given: RUN-04 says why."""
    sight = bench.once(neighbors)
    if sight.first:
        raise Untestable(f"it does not serve on the port that it is given (RUN-04): {sight.first}")
    return sight
