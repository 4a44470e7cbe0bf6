"""What a check works with: servers started for it, sample requests, folders, and where it leaves its timings.

Made by runner, once a run. The two servers that most checks share are started when the first check asks for one.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from local_test.conformance.assertion import Broken, Claim, Untestable
from local_test.conformance.engine import CannotStart
from local_test.conformance.server import INVOCATION_LIMIT_S, START_LIMIT_S, Server, Setup
from local_test.conformance.subjects import Subject
from local_test.conformance.wire import NoAnswer

T = TypeVar("T")

PROBE_DIR = Path(__file__).parent / "probe"
NO_SAMPLE = "needs a request that works: --payload FILE --content-type TYPE, or --model-dir with a manifest.json"
NO_PROBE = (
    "needs an answer that can be ordered; this image does not run code/inference.py from the model folder, "
    "through which the checker orders"
)


@dataclass(frozen=True)
class Sample:
    """A request that works."""

    body: bytes
    content_type: str


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    model_dir: Path | None = None
    sample: Sample | None = None
    claims: frozenset[Claim] = frozenset()
    """Those that the caller adds to what is found."""
    fast: bool = False
    pace: float = 1.0
    """How long slow checks take, as a part of what the contract says; tests of the checker are quicker."""
    start_limit_s: float = START_LIMIT_S
    check_limit_s: float = 240.0
    """How long one check may take, beside its servers' starts, before it is stopped: a guard, never what is tested."""
    run_limit_s: float = 7200.0
    """How long after the beginning no further check is begun."""
    accepts: tuple[str, ...] = ()
    """Media types that it says it can answer in."""
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Path] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Regular expressions by the name of the metric that training prints, as in MetricDefinitions."""
    artifact: Path | None = None
    """A model.tar.gz, or a folder that stands for an uncompressed prefix."""
    requests_dir: Path | None = None
    """Files CreateModel.json, ... with the parameters of the calls that will be made."""
    instance_type: str = ""


class Bench:
    """One run's servers and samples. Every check gets it."""

    def __init__(self, subject: Subject, options: Options) -> None:
        self.subject = subject
        self.options = options
        self.claims = options.claims
        self.ready_s = options.start_limit_s
        """How long the last shared server took to be ready; before that, how long it may take."""
        self.answer_limit_s = INVOCATION_LIMIT_S
        self.timings: dict[str, list[float]] = {}
        """Seconds by what they are of; runner takes them after each check."""
        self.kept: dict[str, Any] = {}
        """What one check leaves for the others of its file, by a name of theirs."""
        self._stack = ExitStack()
        self._shared: dict[str, Server | str] = {}
        self._starts = False
        """Whether another bench has seen the plain server start."""
        # A container's root may leave folders in it that only root can remove.
        temporary = tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True)
        self._folder = Path(self._stack.enter_context(temporary))
        self._folder.chmod(0o755)
        self._folders = 0
        self._sights: dict[Callable[[Bench], Any], Any] = {}
        self.sample_or_none = options.sample or manifest_sample(options.model_dir)

    # requests

    @property
    def sample(self) -> Sample:
        """A request that works. Raises Untestable if nobody knows one."""
        if self.sample_or_none is None:
            raise Untestable(NO_SAMPLE)
        return self.sample_or_none

    def time(self, label: str, seconds: float) -> None:
        """Keep a measured duration for the report."""
        self.timings.setdefault(label, []).append(seconds)

    def paced(self, seconds: float) -> float:
        """How long something that the contract gives these seconds is watched in this run."""
        return seconds * self.options.pace

    def once(self, look: Callable[[Bench], T]) -> T:
        """What look(self) saw when it was first asked for in this run: some checks judge one and the same start."""
        if look not in self._sights:
            self._sights[look] = look(self)
        sight: T = self._sights[look]
        return sight

    # servers

    @property
    def setup(self) -> Setup:
        """How the platform starts it, with the model that the caller gave."""
        return Setup(model_dir=self.options.model_dir)

    def server(self) -> Server:
        """The shared server, ready. Raises Untestable if it does not start: RUN-01 and PNG-01 say why."""
        return self._share("server", self.setup)

    def shared(self, name: str, setup: Setup) -> Server:
        """A server that the checks of one group share, ready. Raises Untestable if it does not start."""
        return self._share(name, setup)

    def probe(self) -> Server:
        """The shared server of the probe, which answers as ordered. Raises Untestable where scripts are not run."""
        if Claim.SCRIPTS not in self.claims:
            raise Untestable(NO_PROBE)
        return self._share("probe", self.probe_setup())

    def probe_setup(self, **orders: Any) -> Setup:
        """How a server of the probe is started. orders: what model_fn shall do, as in probe.json. May be changed."""
        if Claim.SCRIPTS not in self.claims:
            raise Untestable(NO_PROBE)
        return Setup(model_dir=self.script_dir((PROBE_DIR / "code" / "inference.py").read_text(), **orders))

    @contextmanager
    def run(
        self, setup: Setup | None = None, *, ready: bool = True, needs_server: bool = True,
        limit_s: float | None = None, **more: Any,
    ) -> Iterator[Server]:  # fmt: skip
        """A server of its own for one check, and its end. Raises Broken if it cannot start, or ready and is not.

        needs_server: Untestable where the plain server does not start, since RUN-01 and PNG-01 say so already.
        """
        if needs_server and not self._starts:
            self.server()
        try:
            server = self.subject.start(setup or self.setup, **more)
        except CannotStart as error:
            raise Broken(f"it cannot be started: {error}") from error
        server.answer_limit_s = self.answer_limit_s
        with server:
            if ready:
                server.wait_ready(limit_s or self.options.start_limit_s)
            yield server

    def change(self, **changes: Any) -> Setup:
        """The platform's setup with changes."""
        return replace(self.setup, **changes)

    def _share(self, name: str, setup: Setup) -> Server:
        found = self._shared.get(name)
        if isinstance(found, Server) and self._serves(found):
            return found
        if isinstance(found, str):
            raise Untestable(found)
        if isinstance(found, Server):
            found.close()  # some check has broken it
        try:
            server = self._stack.enter_context(self.subject.start(setup))
            self.ready_s = server.wait_ready(self.options.start_limit_s)
        except (Broken, CannotStart) as error:
            self._shared[name] = f"it does not start: {error}"
            raise Untestable(f"it does not start: {error}") from error
        server.answer_limit_s = self.answer_limit_s
        self._shared[name] = server
        return server

    def hurry(self, limit_s: float) -> None:
        """Wait no longer than this for an answer, where a check does not say how long."""
        self.answer_limit_s = limit_s
        for server in self._shared.values():
            if isinstance(server, Server):
                server.answer_limit_s = limit_s

    @staticmethod
    def _serves(server: Server) -> bool:
        try:
            return server.ended() is None and server.ping().status == 200
        except NoAnswer:
            return False

    # folders

    def folder(self) -> Path:
        """A new empty folder that any user may read."""
        self._folders += 1
        folder = self._folder / str(self._folders)
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def script_dir(self, script: str, **orders: Any) -> Path:
        """A model folder with this code/inference.py, and orders in probe.json."""
        folder = self.folder()
        (folder / "code").mkdir()
        (folder / "code" / "inference.py").write_text(script)
        (folder / "probe.json").write_text(json.dumps(orders))
        return open_to_all(folder)

    def model_copy(self) -> Path:
        """A copy of the caller's model folder, to be changed. Raises Untestable without one."""
        if self.options.model_dir is None:
            raise Untestable("needs a model: --model-dir DIR")
        folder = self.folder()
        shutil.copytree(self.options.model_dir, folder, dirs_exist_ok=True)
        return open_to_all(folder)

    # life

    def aside(self) -> Bench:
        """Another one for a check that runs beside the others: servers and folders of its own, to be released."""
        other = Bench(self.subject, self.options)
        other.claims, other.ready_s = self.claims, self.ready_s
        other._starts = isinstance(self._shared.get("server"), Server)
        return other

    def release(self) -> None:
        """End the servers that were started here, remove the folders."""
        self._stack.close()

    def close(self) -> None:
        """The same, and nothing more of the subject is started."""
        with contextlib.ExitStack() as last:
            last.callback(self.subject.close)
            self.release()


def open_to_all(folder: Path) -> Path:
    """Readable for any user, whatever our umask is."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
    return folder


def manifest_sample(model_dir: Path | None) -> Sample | None:
    """The sample request in an artifact's manifest.json; None if there is none, or the file is of another kind."""
    if model_dir is None or not (model_dir / "manifest.json").is_file():
        return None
    try:
        sample = json.loads((model_dir / "manifest.json").read_text())["sample"]
        return Sample(sample["body"].encode(), sample["content_type"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
