"""A server with what only a handler serves: the model's own, else one of a script of the checker's. Used by checks/.

The caller's model may not have that handler, while the image serves it: then an image that runs scripts is given one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from local_test.conformance.assertion import Claim, Untestable
from local_test.conformance.bench import PROBE_DIR, Bench
from local_test.conformance.server import Server, Setup


def speaking(bench: Bench, script: str, speaks: Callable[[Server], bool]) -> Server:
    """The shared server if it speaks so, or does so with no script either; else one of this script of probe/."""
    server = bench.server()
    if script not in bench.kept:
        own = Claim.SCRIPTS not in bench.claims or speaks(server)
        bench.kept[script] = None if own else _setup(bench, script)
    setup: Setup | None = bench.kept[script]
    if setup is not None:
        with suppress(Untestable):
            scripted = bench.shared(script, setup)
            return scripted if speaks(scripted) else server
    return server


def _setup(bench: Bench, script: str) -> Setup:
    return Setup(model_dir=bench.script_dir((PROBE_DIR / script).read_text()))
