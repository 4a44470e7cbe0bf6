"""One model and the way of a request through it: negotiate, unpack, decode, predict, encode.

Model.load is called once in each worker, before it serves; app calls Model.invoke for each request.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Hashable
from dataclasses import replace
from functools import partial
from time import monotonic
from types import ModuleType
from typing import Any

from container import bad_records, batching, chat, codecs, defaults, streams
from container.errors import ServingError, StartupError
from container.handlers import Handlers, readable, resolve
from container.lane import Job, Lane, Timings
from container.loaders import explained, version_warnings
from container.manifest import Manifest, Mismatch, Sample, check_files, read_manifest, version_mismatches
from container.media_types import MediaType, negotiate
from container.request import Context, Request, Response
from container.sessions import ORDER_LIMIT_BYTES, Sessions
from container.settings import Settings
from container.streams import Stream

log = logging.getLogger(__name__)

MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+")


class Model:
    """A loaded model and its handlers. load, start (after the fork), warm_up, invoke many times, close."""

    def __init__(self, settings: Settings, handlers: Handlers, loaded: Any, sample: Sample | None = None,
                 features: defaults.Features | None = None) -> None:  # fmt: skip
        self.settings = settings
        self.handlers = handlers
        self.loaded = loaded
        self.sample = sample
        self.features = features or defaults.Features()
        self.batched = self._is_batched()
        self.served = 0
        self._placeholders = settings.placeholders and not any(
            (handlers.input_fn, handlers.output_fn, handlers.transform_fn)
        )
        self._sessions = Sessions(settings.run_dir, settings.session_expiration_s) if settings.sessions else None
        self._lane = Lane(queue_limit=1, watchdog_s=settings.watchdog_s)  # takes nothing before start

    @classmethod
    def load(cls, settings: Settings, predictor: ModuleType) -> Model:
        """Check the artifact, choose the handlers, run model_fn. Starts no thread. Raises StartupError, never else."""
        started = monotonic()
        manifest = read_manifest(settings.model_dir) or Manifest()
        if settings.verify_artifact:
            check_files(manifest, settings.model_dir)
        _check_versions(version_mismatches(manifest), settings)
        handlers = resolve(settings, predictor)
        loaded = _run_model_fn(handlers, settings)
        if not any((handlers.predict_fn, handlers.transform_fn, handlers.chat_fn, handlers.stream_fn)):
            defaults.check_predictable(loaded)
        _log_loaded(loaded, handlers, monotonic() - started)
        features = defaults.Features.of(loaded, manifest.feature_names)
        return cls(settings, handlers, loaded, manifest.sample, replace(features, numeric=_is_numeric(manifest.sample)))

    def start(self, lane: Lane) -> None:
        """Take requests from now on, through this lane; call it after the fork."""
        self._lane = lane
        lane.start()

    def warm_up(self) -> None:
        """Answer the manifest's sample once, so that no caller pays for first use. StartupError if that fails."""
        sample = self.sample or self._default_sample()
        if sample is None:
            log.info("not_warmed_up", extra={"reason": "the artifact has no manifest.json with a sample"})
            return
        started = monotonic()
        request = Request(
            sample.body.encode(), sample.content_type, None, started, started + self.settings.startup_timeout_s,
            request_id="warm-up",
        )  # fmt: skip
        with explained("warm_up", "the sample request of manifest.json failed", self.settings.code_dir):
            self.invoke(request)
        log.info("warmed_up", extra={"warm_up_ms": round((monotonic() - started) * 1000, 1)})

    def invoke(self, request: Request) -> Response:
        """Answer one request. Raises ServingError where client or load is to blame, else what user code raised."""
        self.served += 1
        return self._answer(request) if self._sessions is None else self._in_session(request, self._sessions)

    def _in_session(self, request: Request, sessions: Sessions) -> Response:
        """Open or close the session, or answer in it and keep what it remembers."""
        session = sessions.of(request.headers, request.beginning(ORDER_LIMIT_BYTES + 1))
        if session is None:
            return self._answer(request)
        if session.told:
            return Response(session.told, "application/json", session.headers)
        response = self._answer(request, session.state)
        keep = partial(sessions.save, session)
        if isinstance(response.body, Stream):
            response.body.on_close = keep
        else:
            keep()
        return replace(response, headers={**response.headers, **session.headers})

    def _answer(self, request: Request, session: dict[str, Any] | None = None) -> Response:
        accept = self._negotiate(request.accept)
        content_type = request.content_type or self.settings.default_content_type
        context = Context(content_type, accept, request.deadline, request.headers, request.request_id, session=session)
        timings = request.timings

        read = codecs.unpacked_file if self.handlers.takes_file else codecs.unpack
        body: Any = read(request.body, request.content_encoding, self.settings.max_unpacked_bytes)
        try:
            prediction = self._predicted(body, context, timings)
        except ServingError as error:
            if not self._placeholders:
                raise
            prediction = self._predicted_apart(body, context, timings, error)

        started = monotonic()
        answer, content_type = self._encode(prediction, context)
        if streams.is_stream(answer):
            answer = self._stream(answer, content_type, request.deadline)
        timings.encode_ms = _since_ms(started)
        return Response(answer, content_type, context.response_headers)

    def _predicted(self, body: Any, context: Context, timings: Timings) -> Any:
        started = monotonic()
        data = self._decode(body, context)
        timings.decode_ms, timings.rows = _since_ms(started), defaults.count_rows(data)
        job = Job(partial(self._predict, context), data, self._batch_key(data), timings.rows)
        return self._lane.submit(job, context.deadline, timings)

    def _predicted_apart(self, body: bytes, context: Context, timings: Timings, error: ServingError) -> Any:
        """The same, a placeholder for each record that is to blame. Raises the error if none is."""
        found = bad_records.records_of(body, context.content_type, self.settings.csv_header)
        if error.status not in bad_records.TO_BLAME or found is None or not found.lines:
            raise error
        own = replace(context, content_type=found.content_type)
        apart = bad_records.answer_apart(found.lines, lambda some: self._predicted(found.body(some), own, timings))
        log.warning("bad_records", extra={"bad": apart.bad, "of": len(found.lines), "first": str(apart.first_error)})
        timings.rows = len(found.lines)
        in_csv = MediaType.parse(context.accept).essence == "text/csv"
        return [bad_records.IN_CSV if in_csv and value is None else value for value in apart.values]

    def chat(self, request: Request) -> Response:
        """Answer one request of OpenAI's interface by chat_fn. Raises as invoke does."""
        self.served += 1
        order = chat.read(codecs.unpack(request.body, request.content_encoding, self.settings.max_unpacked_bytes))
        completion, streamed = chat.Completion(order), bool(order.get("stream"))
        context = Context("application/json", "", request.deadline, request.headers, request.request_id)

        def complete(order: Any) -> Any:
            assert self.handlers.chat_fn is not None  # noqa: S101 - the route is there only with it
            answer = self.handlers.chat_fn(order, self.loaded, context)
            return completion.parts(answer) if streamed else completion.whole(answer)

        answer = self._lane.submit(Job(complete, order), request.deadline, request.timings)
        if streamed:
            stream = self._stream(answer, streams.EVENTS, request.deadline)
            return Response(stream, streams.EVENTS, context.response_headers)
        body = codecs.encode(answer, "application/json", nan=self.settings.json_nan)
        return Response(body, "application/json", context.response_headers)

    @property
    def started(self) -> bool:
        return self._lane.started

    @property
    def waiting(self) -> int:
        """Requests that wait for their prediction."""
        return self._lane.waiting

    def stuck(self) -> bool:
        """Whether a prediction has been running past the watchdog: only a new process will help."""
        return self._lane.stuck()

    def close(self) -> None:
        """Finish the predictions that wait, then end the lane's threads."""
        self._lane.close(self.settings.drain_timeout_s)

    def _is_batched(self) -> bool:
        """Whether the answer to a row is the same whatever other rows are in the call."""
        if self.handlers.predict_fn is None and self.handlers.transform_fn is None:
            return self.handlers.rows_are_independent or defaults.rows_are_independent(self.loaded)
        return self.handlers.rows_are_independent

    def _default_sample(self) -> Sample | None:
        only_defaults = not any((self.handlers.input_fn, self.handlers.predict_fn, self.handlers.transform_fn))
        return Sample("text/plain", "Warm up.") if only_defaults and defaults.is_spacy(self.loaded) else None

    def _negotiate(self, accept: str | None) -> str:
        """The media type to answer with; a user's output_fn is handed what the client likes best."""
        default = self.settings.default_accept
        if self.handlers.write_output:
            return negotiate(accept, MEDIA_TYPE.findall(accept or "") or [default], default)
        if self.handlers.yields:
            return negotiate(accept, (*streams.OF_VALUES, *codecs.ENCODABLE), streams.LINES)
        return negotiate(accept, codecs.ENCODABLE, default)

    def _decode(self, body: Any, context: Context) -> Any:
        """body: bytes, or a file where the handler asks for one."""
        if self.handlers.transform_fn is not None:
            return readable(body, context.content_type)
        if self.handlers.input_fn is not None:
            return self.handlers.input_fn(readable(body, context.content_type), context.content_type, context)
        data = codecs.decode(
            body, context.content_type, csv_header=self.settings.csv_header, feature_names=self.features.names
        )
        return self.features.align(data)

    def _batch_key(self, data: Any) -> Hashable | None:
        return batching.key_of(data) if self.batched else None

    def _predict(self, context: Context, data: Any) -> Any:
        """Runs in the lane: transform_fn as a whole too, since it has the model."""
        if self.handlers.transform_fn is not None:
            return self.handlers.transform_fn(self.loaded, data, context.content_type, context.accept, context)
        if self.handlers.predict_fn is None:
            return defaults.predict(data, self.loaded)
        try:
            return self.handlers.predict_fn(data, self.loaded, context)
        except (ValueError, TypeError) as error:
            if defaults.is_refusal(error):
                raise defaults.refusal(error) from error
            raise

    def _encode(self, prediction: Any, context: Context) -> tuple[Any, str]:
        """The body, bytes or a generator of its parts, and its media type."""
        if self.handlers.output_fn is not None:
            prediction = self.handlers.output_fn(prediction, context.accept, context)
        content_type = context.accept
        if not self.handlers.write_output:
            if streams.is_stream(prediction) and content_type in streams.OF_VALUES:
                return prediction, content_type
            return codecs.encode(prediction, content_type, nan=self.settings.json_nan), content_type
        if isinstance(prediction, tuple) and len(prediction) == 2 and isinstance(prediction[1], str):
            prediction, content_type = prediction
        if streams.is_stream(prediction):
            return prediction, content_type
        if isinstance(prediction, str):
            prediction = prediction.encode()
        if not isinstance(prediction, (bytes, bytearray, memoryview)):
            prediction = codecs.encode(prediction, content_type, nan=self.settings.json_nan)
        return bytes(prediction), content_type

    def _stream(self, parts: Any, content_type: str, deadline: float) -> streams.Stream:
        settings = self.settings
        return streams.Stream(
            parts, content_type, self._lane, deadline=deadline, part_s=settings.deadline_s, nan=settings.json_nan
        )


def _since_ms(started: float) -> float:
    return round((monotonic() - started) * 1000, 3)


def _run_model_fn(handlers: Handlers, settings: Settings) -> Any:
    name = handlers.sources.get("model_fn", "")
    failing = f"model_fn ({name}) failed"
    with explained("load", failing, settings.code_dir), version_warnings(settings.version_mismatch):
        return handlers.model_fn(str(settings.model_dir), Context())


def _is_numeric(sample: Sample | None) -> bool:
    """Whether the manifest's sample is rows of numbers and nothing else."""
    with contextlib.suppress(ServingError):
        data = codecs.decode(sample.body.encode(), sample.content_type) if sample is not None else None
        return isinstance(data, codecs.Rows) and data.values.dtype != object
    return False


def _check_versions(mismatches: list[Mismatch], settings: Settings) -> None:
    told = "; ".join(f"{m.library} {m.artifact_version}, installed is {m.installed_version}" for m in mismatches)
    refused = [m for m in mismatches if not m.only_warns]
    if refused and settings.version_mismatch == "error":
        raise StartupError(
            "manifest",
            f"the artifact was made with {told}: train again, or pin "
            f"{' '.join(f'{m.library}=={m.artifact_version}' for m in refused)} in requirements.txt; "
            "SERVING_VERSION_MISMATCH=warn serves it as it is",
        )
    if mismatches:
        log.warning("version_mismatch", extra={"detail": f"made with {told}"})


def _log_loaded(loaded: Any, handlers: Handlers, took_s: float) -> None:
    kind = f"{type(loaded).__module__}.{type(loaded).__qualname__}"
    log.info("model_loaded", extra={"model": kind, "handlers": dict(handlers.sources), "load_s": round(took_s, 3)})
