"""The WSGI app: what is served where. The only file that knows Flask.

create_app is called by wsgi.py; gunicorn calls the app for each request.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import flask

from container import body_files
from container.answers import status_line
from container.errors import DecodeError, StartupError
from container.exchange import Answer, Environ, Exchange
from container.handlers import program_path
from container.model import Model
from container.model_loading import load_model
from container.request import Response
from container.settings import Settings
from container.signatures import ARGUMENTS

if TYPE_CHECKING:
    from container.adapters import Adapters

log = logging.getLogger(__name__)

INVOCATIONS = "/invocations"
CHAT = "/v1/chat/completions"
STREAM = "/invocations-bidirectional-stream"

StartResponse = Callable[..., Any]


def create_app(settings: Settings, predictor: ModuleType) -> Serving | OldStyle:
    """Load the model and return the app for it; or the predictor's own Flask app, if it is of the old style."""
    if is_old_style(settings, predictor):
        return OldStyle(predictor.app, settings.run_dir)
    return Serving(settings, load_model(settings, predictor))


def is_old_style(settings: Settings, predictor: ModuleType) -> bool:
    """Whether predictor.py brings its own `app`, as the sample of 2018 did. StartupError if it has both worlds."""
    if not callable(getattr(predictor, "app", None)):
        return False
    if program_path(settings).is_file():
        return False
    if both := [name for name in ARGUMENTS if hasattr(predictor, name)]:
        raise StartupError("handlers", f"predictor.py defines app and {both[0]}; keep one: app bypasses the functions")
    return True


class OldStyle:
    """A predictor's own WSGI app, served as it is."""

    model = None

    def __init__(self, wsgi: Callable[[Environ, StartResponse], Iterable[bytes]], run_dir: Path) -> None:
        self._wsgi = wsgi
        self._run_dir = run_dir
        bypassed = "deadlines, load shedding, problem JSON, the request log and warm-up"
        instead = "define model_fn and predict_fn; an app that blocks wants SERVING_WORKER_CLASS=gthread"
        log.warning("old_style_predictor", extra={"bypassed": bypassed, "instead": instead})

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if body_files.PATH in environ:
            try:
                self._put_in_place(environ)
            except DecodeError as error:
                body, status, headers = Exchange(environ).refuse(error)
                start_response(status_line(status), list(headers.items()))
                return [body]
        return self._wsgi(environ, start_response)

    def _put_in_place(self, environ: Environ) -> None:
        """A body in a file, which the app is to read as any other. Raises DecodeError."""
        file = body_files.opened(environ, self._run_dir)
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = file, str(os.fstat(file.fileno()).st_size)


class Serving(flask.Flask):
    """POST /invocations and GET /ping for one model; everything else is refused in the same words."""

    def __init__(self, settings: Settings, model: Model) -> None:
        super().__init__(__name__, static_folder=None)
        self.settings = settings
        self.model = model
        self.url_map.merge_slashes = False  # a wrong path is a 404, not a redirect, which SageMaker does not follow
        # Known to Flask for its 405 only, see wsgi_app. Werkzeug takes //invocations for it too.
        wrong_path = partial(flask.abort, 404)
        self.add_url_rule(INVOCATIONS, "invocations", wrong_path, methods=["POST"],
                          provide_automatic_options=False)  # fmt: skip
        self.add_url_rule("/ping", view_func=self.ping, methods=["GET"], provide_automatic_options=False)
        self.posts = {INVOCATIONS: self.invoke}
        if model is not None and model.handlers.chat_fn is not None:
            self.posts[CHAT] = self.chat
            self.add_url_rule(CHAT, CHAT, wrong_path, methods=["POST"], provide_automatic_options=False)
        self.hold = self._conversations(model) if model is not None else None
        if model is not None and model.adapters is not None:
            self._serve_adapters(settings, model.adapters)
        self.register_error_handler(Exception, self.refuse)

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Send invocations straight to the model: Flask's routing, contexts and signals cost more than all the rest."""
        produce = self.posts.get(environ.get("PATH_INFO", "")) if environ["REQUEST_METHOD"] == "POST" else None
        if produce is not None:
            body, status, headers = Exchange(environ).answer(produce)
            start_response(status_line(status), list(headers.items()))
            return body
        if self.hold is not None and environ.get("PATH_INFO") == STREAM and environ["REQUEST_METHOD"] == "GET":
            return self.hold(environ, start_response)
        return super().wsgi_app(environ, start_response)

    def _conversations(self, model: Model) -> Callable[[Environ, StartResponse], Iterable[bytes]] | None:
        """What serves WebSockets, where there is a stream_fn; only then is it imported."""
        if model.handlers.stream_fn is None:
            return None
        from container import conversation

        self.add_url_rule(STREAM, STREAM, partial(flask.abort, 426), methods=["GET"], provide_automatic_options=False)
        return partial(conversation.hold, model=model, stream_fn=model.handlers.stream_fn)

    def _serve_adapters(self, settings: Settings, adapters: Adapters) -> None:
        from container.adapter_routes import AdapterRoutes

        routes = AdapterRoutes(settings, adapters)

        def manage(route: tuple[str, str], name: str = "") -> Answer:
            return routes.answer(flask.request.environ, route, name)

        for method, rule in routes.routes:
            view = partial(manage, (method, rule))
            self.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)

    def chat(self, exchange: Exchange) -> Response:
        return self.model.chat(exchange.request(self.settings))

    def invoke(self, exchange: Exchange) -> Response:
        return self.model.invoke(exchange.request(self.settings))

    def ping(self) -> flask.Response:
        """Empty; 200 when a request would be served now. Behind nginx it is nginx that answers, from a file."""
        ready = self.model.started and not self.model.stuck()
        return flask.Response(status=200 if ready else 503, content_type="text/plain")

    def refuse(self, error: Exception) -> Answer:
        """Flask's one error handler: unknown paths and methods, and faults of our own."""
        return Exchange(flask.request.environ).refuse(error)
