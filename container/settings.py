"""Every setting of the server, declared once: name, type, default, unit, meaning, source.

Read once at start by supervisor, gunicorn_conf, worker and training through Settings.from_environ(); the only file that
knows environment variables. docs/settings.md is made from it: make docs
"""

from __future__ import annotations

import difflib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from container.errors import StartupError
from container.parsers import (
    choice,
    code_folder,
    integer,
    level,
    media_type,
    names,
    path,
    script,
    seconds,
    true_or_false,
)
from container.profiles import PROFILES, chosen

log = logging.getLogger(__name__)

REQUIREMENTS = "requirements.txt"
"""A file beside the artifact's script: what that imports."""


@dataclass(frozen=True)
class Setting:
    """How one field of Settings is spelled, read and explained."""

    variable: str
    parse: Callable[[str], Any]
    kind: str
    text: str
    unit: str = ""
    source: str = ""
    aliases: tuple[str, ...] = ()
    default_text: str | None = None
    """What the table says where the default is worked out at start."""


def setting(default: Any, variable: str, parse: Callable[[str], Any], kind: str, text: str, **more: Any) -> Any:
    """A dataclass field that carries its Setting."""
    return field(default=default, metadata={"setting": Setting(variable, parse, kind, text, **more)})


@dataclass(frozen=True)
class Settings:
    """What the environment asked for, checked. A value is never read from the environment again."""

    port: int = setting(
        8080, "SAGEMAKER_BIND_TO_PORT", integer(1, 65535), "integer", "The port that nginx listens on, all interfaces.",
        source="SageMaker, multi-container endpoints",
    )  # fmt: skip
    base_dir: Path = setting(
        Path("/opt/ml"), "SAGEMAKER_BASE_DIR", path, "path", "The folder that holds input, model and output.",
        source="SageMaker training toolkit",
    )  # fmt: skip
    model_dir: Path = setting(
        Path(), "SM_MODEL_DIR", path, "path", "The folder of the model artifact.",
        source="SageMaker training toolkit", default_text="`model` in SAGEMAKER_BASE_DIR",
    )  # fmt: skip
    run_dir: Path = setting(
        Path(), "SERVING_RUN_DIR", path, "path",
        "The one folder that the server writes to: sockets, large bodies, nginx's files.",
        default_text="`serving-UID-PORT` in the system's temporary folder",
    )  # fmt: skip
    profile: str = setting(
        "auto", "SERVING_PROFILE", choice("auto", *PROFILES), "word",
        "The hosting mode whose limits are the defaults of other settings. `auto`: `batch` where SAGEMAKER_BATCH says "
        "so, else `real-time`.",
    )  # fmt: skip
    multi_model: bool = setting(
        False, "SAGEMAKER_MULTI_MODEL", true_or_false, "true or false",
        "Whether the container serves many models that are loaded and unloaded while it runs, instead of one.",
        source="SageMaker, multi-model endpoints", default_text="false",
    )  # fmt: skip
    model_processes: int = setting(
        0, "SERVING_MODEL_PROCESSES", integer(0, 65536), "integer",
        "With many models, the processes that they have at once, all together. For one more the model that was used "
        "longest ago goes to sleep. 0: as many as half of the memory holds, at 14 MB each.",
        unit="processes", default_text="0 (automatic)",
    )  # fmt: skip
    program: str = setting(
        "inference.py", "SAGEMAKER_PROGRAM", script, "file name",
        "The script in the artifact's `code` folder that wins over predictor.py.", source="SageMaker inference toolkit",
    )  # fmt: skip
    code_dir: Path = setting(
        Path(), "SAGEMAKER_SUBMIT_DIRECTORY", code_folder, "path",
        "The folder with that script. An address in S3 stands for the default: the artifact has that code too.",
        source="SageMaker inference toolkit", default_text="`code` in SM_MODEL_DIR",
    )  # fmt: skip
    install_requirements: bool = setting(
        False, "SERVING_INSTALL_REQUIREMENTS", true_or_false, "true or false",
        "Whether `requirements.txt` beside that script is installed at the start, before the model is loaded. It needs "
        "a package index or wheels in the artifact; `make image MODEL=model.tar.gz` installs it once and for all.",
        default_text="false",
    )  # fmt: skip
    workers: int = setting(
        0, "SAGEMAKER_MODEL_SERVER_WORKERS", integer(0, 1024), "integer",
        "Worker processes; 0 chooses from the CPUs and the memory that the container may use, and logs why.",
        source="SageMaker inference toolkit", aliases=("MODEL_SERVER_WORKERS",), default_text="0 (automatic)",
    )  # fmt: skip
    timeout_s: float = setting(
        60.0, "SAGEMAKER_MODEL_SERVER_TIMEOUT", seconds(0.5, 3600), "number",
        "How long the platform waits for one answer. Every other clock follows from it: "
        "the request's deadline comes first (504), then the worker's watchdog, then nginx.",
        unit="s", source="SageMaker inference toolkit",
        aliases=("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "MODEL_SERVER_TIMEOUT"),
    )  # fmt: skip
    startup_timeout_s: float = setting(
        600.0, "SAGEMAKER_STARTUP_TIMEOUT", seconds(1, 3600), "number",
        "How long all workers may take to load and warm up before the server gives up.",
        unit="s", source="SageMaker inference toolkit",
    )  # fmt: skip
    drain_timeout_s: float = setting(
        25.0, "SERVING_DRAIN_TIMEOUT", seconds(0, 3600), "number",
        "How long requests in flight may finish after a stop signal; the platform kills after 30.", unit="s",
    )  # fmt: skip
    log_level: int = setting(
        logging.INFO, "SAGEMAKER_CONTAINER_LOG_LEVEL", level, "number or name",
        "Events below this level are not logged.", source="SageMaker containers", default_text="20 (info)",
    )  # fmt: skip
    max_body_mb: int = setting(
        25, "SAGEMAKER_MAX_PAYLOAD_IN_MB", integer(0, 1024 * 1024), "integer",
        "The largest request body; a larger one is a 413. 0 means no limit.", unit="MiB",
        source="SageMaker batch transform; 25 MB is the limit of real-time endpoints",
    )  # fmt: skip
    max_unpacked_mb: int = setting(
        100, "SERVING_MAX_UNPACKED_MB", integer(1, 1024 * 1024), "integer",
        "The largest size that a gzip request body may unpack to; over it is a 413.", unit="MiB",
    )  # fmt: skip
    default_content_type: str = setting(
        "application/json", "SERVING_DEFAULT_CONTENT_TYPE", media_type, "media type",
        "What a request body is taken for when the request names no Content-Type.",
    )  # fmt: skip
    default_accept: str = setting(
        "application/json", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", media_type, "media type",
        "What is answered when the request names no Accept, or `*/*`.", source="SageMaker inference toolkit",
    )  # fmt: skip
    csv_header: str = setting(
        "auto", "SERVING_CSV_HEADER", choice("auto", "present", "absent"), "word",
        "Whether the first CSV record is column names. The media type's `header` parameter wins. "
        "`auto`: it is a header if none of its fields is a number and every later record has one, "
        "or if it equals the model's feature names.",
    )  # fmt: skip
    json_nan: str = setting(
        "null", "SERVING_JSON_NAN", choice("null", "string", "error"), "word",
        "How NaN and infinity are written in JSON, which has no words for them.",
    )  # fmt: skip
    worker_class: str = setting(
        "auto", "SERVING_WORKER_CLASS", choice("auto", "loop", "gthread"), "word",
        "`loop`: one thread a worker serves and predicts, once for all requests that wait. "
        "`gthread`: a thread a request, for handlers that wait on other services. "
        "`auto`: `loop`, unless SERVING_PREDICT_THREADS is above 1.",
    )  # fmt: skip
    max_batch_size: int = setting(
        128, "SERVING_MAX_BATCH_SIZE", integer(1, 1_000_000), "integer",
        "The most rows of several requests that one predict call gets, where rows are independent; 1 turns it off.",
        unit="rows",
    )  # fmt: skip
    max_batch_delay_ms: float = setting(
        0.0, "SERVING_MAX_BATCH_DELAY_MS", seconds(0, 10_000), "number",
        "How long a batch that is not full waits for more requests. 0: what came while the last call ran is the next.",
        unit="ms",
    )  # fmt: skip
    queue_limit: int = setting(
        256, "SERVING_QUEUE_LIMIT", integer(1, 4096), "integer",
        "Requests that may wait for a prediction in one worker; one more is answered 503 with Retry-After.",
        unit="requests",
    )  # fmt: skip
    socket_limit: int = setting(
        256, "SERVING_SOCKET_LIMIT", integer(1, 4096), "integer",
        "WebSockets that may be open in one worker, where predictor.py has a stream_fn; one more is answered 503. "
        "Fewer where the limit of open files, or many workers, leave no room for so many.",
        unit="WebSockets",
    )  # fmt: skip
    max_wait_s: float = setting(
        0.0, "SERVING_MAX_WAIT", seconds(0, 3600), "number",
        "How long a request may be expected to wait for its prediction, by what calls took lately; one that would wait "
        "longer is answered 503 at once. 0: as long as its deadline allows.",
        unit="s",
    )  # fmt: skip
    max_requests: int = setting(
        0, "SERVING_MAX_REQUESTS", integer(0, 1_000_000_000), "integer",
        "Requests after which a worker is replaced, its successor first; 0: never.",
        unit="requests",
    )  # fmt: skip
    max_worker_memory_mb: int = setting(
        0, "SERVING_MAX_WORKER_MEMORY_MB", integer(0, 1024 * 1024), "integer",
        "Memory from which a worker is replaced, its successor first. 0: twice what it had when it was ready, "
        "and 500 MiB more. It is never less than a quarter more than that.",
        unit="MiB", default_text="0 (automatic)",
    )  # fmt: skip
    predict_threads: int = setting(
        1, "SERVING_PREDICT_THREADS", integer(1, 256), "integer",
        "Predictions that run at once in one worker. Above 1 only for handlers that are thread-safe and wait on I/O.",
    )  # fmt: skip
    preload: bool = setting(
        True, "SERVING_PRELOAD", true_or_false, "true or false",
        "Whether the model is loaded once and the workers are forks that share its memory. "
        "Only where a fork answers the manifest's sample; else each worker loads its own.",
        default_text="true",
    )  # fmt: skip
    version_mismatch: str = setting(
        "error", "SERVING_VERSION_MISMATCH", choice("error", "warn"), "word",
        "What happens when the artifact was made with other library versions than the installed ones.",
    )  # fmt: skip
    verify_artifact: bool = setting(
        True, "SERVING_VERIFY_ARTIFACT", true_or_false, "true or false",
        "Whether the artifact's files are compared with the sha256 in its manifest before they are loaded.",
        default_text="true",
    )  # fmt: skip
    batch: bool = setting(
        False, "SAGEMAKER_BATCH", true_or_false, "true or false", "Whether this is batch transform.",
        source="SageMaker batch transform", default_text="false",
    )  # fmt: skip
    bad_records: str = setting(
        "auto", "SERVING_BAD_RECORDS", choice("auto", "refuse", "placeholder"), "word",
        "What becomes of a CSV or JSON Lines body with records that cannot be read or predicted. `refuse`: it is a 400 "
        "or 422 as a whole. `placeholder`: each gets null, and the others their answers. "
        "`auto`: `placeholder` in batch transform.",
    )  # fmt: skip
    sessions: bool = setting(
        False, "SAGEMAKER_ENABLE_STATEFUL_SESSIONS", true_or_false, "true or false",
        "Whether clients may open sessions, whose state handlers find in `context.session`.",
        source="SageMaker model hosting container standards", default_text="false",
    )  # fmt: skip
    session_expiration_s: float = setting(
        1200.0, "SAGEMAKER_SESSIONS_EXPIRATION", seconds(1, 7 * 86400), "number",
        "How long a session lasts from its opening on.", unit="s",
        source="SageMaker model hosting container standards",
    )  # fmt: skip
    loaded_adapters: int = setting(
        0, "SERVING_LOADED_ADAPTERS", integer(0, 65536), "integer",
        "Adapters that a worker keeps loaded, where predictor.py has an adapter_fn. For one more the one that was used "
        "longest ago goes, unless it is pinned, and comes back with the next request for it. 0: all.",
        unit="adapters", default_text="0 (all)",
    )  # fmt: skip
    spacy_exclude: tuple[str, ...] = setting(
        (), "SERVING_SPACY_EXCLUDE", names, "list of names",
        "Pipes of a spaCy pipeline that are not loaded, such as `parser,lemmatizer`.", default_text="none",
    )  # fmt: skip
    nginx: str = setting(
        "", "SERVING_NGINX", str, "path", "The nginx program.", default_text="`nginx` on PATH or in /usr/sbin",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.model_dir == Path():
            object.__setattr__(self, "model_dir", self.base_dir / "model")
        if self.code_dir == Path():
            object.__setattr__(self, "code_dir", self.model_dir / "code")
        if self.run_dir == Path():
            object.__setattr__(self, "run_dir", _temporary_folder() / f"serving-{os.getuid()}-{self.port}")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment (os.environ by default). Raises StartupError naming every bad value at once."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, spec in SETTINGS.items():
            variable = next((v for v in (spec.variable, *spec.aliases) if environ.get(v, "").strip()), None)
            if variable is None:
                continue
            try:
                values[name] = spec.parse(environ[variable].strip())
            except ValueError as error:
                problems.append(f"{variable}={environ[variable]!r} {error}")
        if values.get("predict_threads", 1) > 1 and values.get("worker_class") == "loop":
            problems.append("SERVING_WORKER_CLASS=loop has one thread; SERVING_PREDICT_THREADS must be 1")
        if values.get("install_requirements") and values.get("multi_model"):
            problems.append("SERVING_INSTALL_REQUIREMENTS=true is for one model; build the image with what all need")
        if problems:
            raise StartupError("settings", "; ".join(problems))
        profile = chosen(values)
        return cls(**{**PROFILES[profile], **values, "profile": profile})

    @property
    def installs(self) -> bool:
        """Whether the start begins with an installation."""
        return self.install_requirements and (self.code_dir / REQUIREMENTS).is_file()

    @property
    def packages_dir(self) -> Path:
        """The environment that it is installed into."""
        return self.run_dir / "packages"

    @property
    def models_dir(self) -> Path:
        """The folder below which the models of a multi-model endpoint lie."""
        return self.base_dir / "models"

    def of_model(self, folder: Path) -> Settings:
        """The same for the model in folder, its own code included."""
        own = self.code_dir.is_relative_to(self.model_dir)
        code_dir = folder / self.code_dir.relative_to(self.model_dir) if own else self.code_dir
        return replace(self, model_dir=folder, code_dir=code_dir)

    @property
    def threaded(self) -> bool:
        """Whether workers are of class gthread."""
        return self.worker_class == "gthread" or (self.worker_class == "auto" and self.predict_threads > 1)

    @property
    def placeholders(self) -> bool:
        """Whether a bad record gets a placeholder."""
        return self.bad_records == "placeholder" or (self.bad_records == "auto" and self.batch)

    @property
    def deadline_s(self) -> float:
        """The time a request has from its arrival to its answer; then it is a 504."""
        return self.timeout_s - 3 * self._tick_s

    @property
    def watchdog_s(self) -> float:
        """The time one prediction may run before its worker counts as stuck and is replaced."""
        return self.timeout_s - 2 * self._tick_s

    @property
    def proxy_timeout_s(self) -> float:
        """The time nginx waits for a worker; it ends before the platform's own."""
        return self.timeout_s - self._tick_s

    @property
    def _tick_s(self) -> float:
        return min(1.0, self.timeout_s / 20)

    @property
    def max_body_bytes(self) -> int:
        """0 means no limit, as nginx's client_max_body_size has it."""
        return self.max_body_mb * 1024 * 1024

    @property
    def max_unpacked_bytes(self) -> int:
        return self.max_unpacked_mb * 1024 * 1024

    def log_all(self, environ: Mapping[str, str] | None = None) -> None:
        """One line with every value, and a warning for each SERVING_ variable that is no setting."""
        log.info("settings", extra={"settings": {f.name: getattr(self, f.name) for f in fields(self)}})
        for unknown in unknown_variables(os.environ if environ is None else environ):
            log.warning("unknown_setting", extra=unknown)


SETTINGS: dict[str, Setting] = {each.name: each.metadata["setting"] for each in fields(Settings)}


def unknown_variables(environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Variables with our prefix that no setting reads, each with the nearest name that one does."""
    known = [variable for spec in SETTINGS.values() for variable in (spec.variable, *spec.aliases)]
    unknown = [name for name in environ if name.startswith("SERVING_") and name not in known]
    return [{"variable": name, "did_you_mean": _nearest(name, known)} for name in unknown]


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # none can be written to: the supervisor says so where it makes the run folder
        return Path("/tmp")  # noqa: S108


def _nearest(name: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")
