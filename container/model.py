"""One model and the way of a request through it: negotiate, unpack, decode, predict, encode.

Made by model_loading, once in each worker; app calls Model.invoke for each request.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from container import bad_records, batching, chat, codecs, defaults, streams
from container.errors import ServingError
from container.handlers import Handlers, readable
from container.lane import Job, Lane, Timings
from container.loaders import explained
from container.manifest import Sample
from container.media_types import MediaType, negotiate
from container.request import Context, Request, Response
from container.sessions import ORDER_LIMIT_BYTES, Sessions
from container.settings import Settings
from container.signatures import Function
from container.streams import Stream

if TYPE_CHECKING:
    from container.adapters import Adapters

log = logging.getLogger(__name__)

MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+")


class Model:
    """A loaded model and its handlers. start (after the fork), warm_up, invoke many times, close."""

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
        self.adapters = self._adapters(handlers.adapter_fn) if handlers.adapter_fn is not None else None
        self._lane = Lane(queue_limit=1, watchdog_s=settings.watchdog_s)  # takes nothing before start

    def start(self, lane: Lane) -> None:
        """Take requests from now on, through this lane; call it after the fork."""
        self._lane = lane
        lane.start()
        if self.adapters is not None:
            self.adapters.lane = lane

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

    def loaded_for(self, headers: Mapping[str, str], deadline: float) -> Any:
        """The model, or what stands for it where these headers name an adapter. Raises NotFound."""
        return self.loaded if self.adapters is None else self.adapters.of(headers, deadline)

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
        loaded = self.loaded_for(request.headers, request.deadline)

        read = codecs.unpacked_file if self.handlers.takes_file else codecs.unpack
        body: Any = read(request.body, request.content_encoding, self.settings.max_unpacked_bytes)
        try:
            prediction = self._predicted(body, context, loaded, timings)
        except ServingError as error:
            if not self._placeholders:
                raise
            prediction = self._predicted_apart(body, context, loaded, timings, error)

        started = monotonic()
        answer, content_type = self._encode(prediction, context)
        if streams.is_stream(answer):
            answer = self._stream(answer, content_type, request.deadline)
        timings.encode_ms = _since_ms(started)
        return Response(answer, content_type, context.response_headers)

    def _predicted(self, body: Any, context: Context, loaded: Any, timings: Timings) -> Any:
        started = monotonic()
        data = self._decode(body, context)
        timings.decode_ms, timings.rows = _since_ms(started), defaults.count_rows(data)
        job = Job(partial(self._predict, context, loaded), data, self._batch_key(data, loaded), timings.rows)
        return self._lane.submit(job, context.deadline, timings)

    def _predicted_apart(
        self, body: bytes, context: Context, loaded: Any, timings: Timings, error: ServingError
    ) -> Any:
        """The same, a placeholder for each record that is to blame. Raises the error if none is."""
        found = bad_records.records_of(body, context.content_type, self.settings.csv_header)
        if error.status not in bad_records.TO_BLAME or found is None or not found.lines:
            raise error
        own = replace(context, content_type=found.content_type)

        def answers(some: Any) -> Any:
            return self._predicted(found.body(some), own, loaded, timings)

        apart = bad_records.answer_apart(found.lines, answers)
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
        loaded = self.loaded_for(request.headers, request.deadline)

        def complete(order: Any) -> Any:
            assert self.handlers.chat_fn is not None  # noqa: S101 - the route is there only with it
            answer = self.handlers.chat_fn(order, loaded, context)
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

    def _adapters(self, adapter_fn: Function) -> Adapters:
        from container.adapters import Adapters

        return Adapters(self.settings, self.loaded, adapter_fn)

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

    def _batch_key(self, data: Any, loaded: Any) -> Hashable | None:
        key = batching.key_of(data) if self.batched else None
        return key if key is None or loaded is self.loaded else (id(loaded), key)

    def _predict(self, context: Context, loaded: Any, data: Any) -> Any:
        """Runs in the lane: transform_fn as a whole too, since it has the model."""
        if self.handlers.transform_fn is not None:
            return self.handlers.transform_fn(loaded, data, context.content_type, context.accept, context)
        if self.handlers.predict_fn is None:
            return defaults.predict(data, loaded)
        try:
            return self.handlers.predict_fn(data, loaded, context)
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
