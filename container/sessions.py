"""Stateful sessions: a client opens one, names it in later requests, and any worker knows what it remembers.

Used by Model.invoke where SAGEMAKER_ENABLE_STATEFUL_SESSIONS says so. A session is a file in the run folder; the
requests of one session are expected one after the other, as a conversation goes. Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/stateful-sessions.html; the body {"requestType": ...} and the settings'
names are those of AWS's model hosting container standards.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from container.errors import ServingError, UnknownSession

SESSION_ID = "X-Amzn-SageMaker-Session-Id"
NEW_SESSION_ID = "X-Amzn-SageMaker-New-Session-Id"
CLOSED_SESSION_ID = "X-Amzn-SageMaker-Closed-Session-Id"
NEW, CLOSE = "NEW_SESSION", "CLOSE"
ID = re.compile(r"[0-9a-f]{32}")
ORDER_LIMIT_BYTES = 1024


@dataclass
class Session:
    """An open session, as one request has it."""

    id: str
    expires: int
    """Unix time."""
    state: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the answer has to carry."""
    told: bytes = b""
    """The whole answer, where the request's body did no more than open or close it."""


class Sessions:
    """The folder that holds them. A file's time is that of the session's end."""

    def __init__(self, run_dir: Path, expiration_s: float) -> None:
        self._folder = run_dir / "sessions"
        self._expiration_s = expiration_s

    def of(self, headers: Mapping[str, str], body: bytes) -> Session | None:
        """The session that a request opens, names or closes; None if it has none. Raises UnknownSession."""
        name = headers.get(SESSION_ID)
        if not name:
            return None
        session, order = self._open() if name == NEW else self._find(name), _order(body)
        if order == CLOSE and name != NEW:
            self._path(session).unlink(missing_ok=True)
            session.headers, session.told = {CLOSED_SESSION_ID: session.id}, b'{"message":"the session is closed"}'
        elif order == NEW:
            session.told = b'{"message":"the session is open"}'
        return session

    def save(self, session: Session) -> None:
        """Keep what it remembers, unless it was closed meanwhile. Raises ServingError for what cannot be pickled."""
        if self._path(session).exists():
            self._write(session)

    def _open(self) -> Session:
        """A new one. Those that have expired are removed now."""
        self._folder.mkdir(exist_ok=True)
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another worker was faster
                if path.stat().st_mtime <= time.time():
                    path.unlink()
        session = Session(uuid.uuid4().hex, int(time.time() + self._expiration_s))
        value = f"{session.id}; Expires={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(session.expires))}"
        session.headers = {SESSION_ID: value, NEW_SESSION_ID: value}  # the guide and AWS's library name one each
        self._write(session)
        return session

    def _find(self, name: str) -> Session:
        if not ID.fullmatch(name):
            raise UnknownSession
        try:
            expires = int((self._folder / name).stat().st_mtime)
            state = pickle.loads((self._folder / name).read_bytes())  # noqa: S301 - from _write, in our own folder
        except FileNotFoundError:
            raise UnknownSession from None
        if expires <= time.time():
            raise UnknownSession
        return Session(name, expires, state)

    def _write(self, session: Session) -> None:
        try:
            data = pickle.dumps(session.state)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ServingError(f"context.session holds what cannot be kept: {error}") from error
        partial = self._folder / f"{session.id}.{uuid.uuid4().hex}"
        partial.write_bytes(data)
        os.utime(partial, (session.expires, session.expires))
        partial.replace(self._path(session))

    def _path(self, session: Session) -> Path:
        return self._folder / session.id


def _order(body: bytes) -> Any:
    """NEW_SESSION or CLOSE, where the body is {"requestType": ...}."""
    if len(body) > ORDER_LIMIT_BYTES or b"requestType" not in body:
        return None
    with contextlib.suppress(ValueError):
        told = json.loads(body)
        return told.get("requestType") if isinstance(told, dict) else None
    return None
