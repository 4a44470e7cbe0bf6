"""Fills nginx.conf from the settings, finds nginx, and turns its log lines into ours.

Called by the supervisor, which starts nginx with the command built here.
"""

from __future__ import annotations

import contextlib
import grp
import json
import logging
import math
import os
import pwd
import re
import resource
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from container import logs
from container.errors import StartupError
from container.execution_parameters import execution_parameters
from container.resources import Limit
from container.seats import address
from container.settings import Settings

log = logging.getLogger("nginx")

TEMPLATE = Path(__file__).absolute().parent.parent / "nginx.conf"
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])
ERROR_LINE = re.compile(r"^\S+ \S+ \[(?P<level>\w+)\] \d+#\d+: (?:\*\d+ )?(?P<message>.*)$")
HARMLESS = ("initgroups(",)  # root without capabilities may not set its groups, which are right already
SILENCE_S = 60  # twice the time after which line.py pings a WebSocket
SMALL_MB = 25  # up to such a limit a body of unknown length goes as small ones do, since most are: 0.1 ms less
SAMPLED = 100  # of these refusals nginx.conf has one in so many logged
LEVELS = {"emerg": logging.CRITICAL, "alert": logging.CRITICAL, "crit": logging.ERROR, "warn": logging.WARNING}


def find_nginx(settings: Settings) -> str:
    """The nginx program. Raises StartupError saying how to get one."""
    program = shutil.which(settings.nginx or "nginx", path=SEARCH_PATH)
    if program is None:
        raise StartupError(
            "nginx",
            f"{settings.nginx or 'nginx'} is not installed or not executable; install it (Debian: apt-get install "
            "nginx-light, macOS: brew install nginx) or set SERVING_NGINX to its path",
        )
    return program


def check_port(settings: Settings) -> None:
    """Raise StartupError where nginx could not listen; nginx itself tries for 2.5 s and names no setting."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as nginx does: a past server's port is free
        try:
            probe.bind(("", settings.port))
        except OSError as error:
            reason = f"cannot listen on port {settings.port}: {error.strerror}"
            raise StartupError("nginx", f"{reason}; set SAGEMAKER_BIND_TO_PORT to a free port") from error


def command(settings: Settings, cpus: int, workers: int, memory: Limit | None = None) -> list[str]:
    """Write the configuration into the run folder and return the command that serves it."""
    conf = settings.run_dir / "nginx.conf"
    conf.write_text(render(TEMPLATE.read_text(), variables(settings, cpus, workers, memory)))
    return [find_nginx(settings), "-e", "stderr", "-p", str(settings.run_dir), "-c", str(conf), "-g", _user_directive()]


def variables(settings: Settings, cpus: int, workers: int, memory: Limit | None = None) -> dict[str, str]:
    """The names that nginx.conf may use as ${NAME}, and must use."""
    batch = execution_parameters(workers, settings.predict_threads, settings.max_body_mb, memory)
    paths = [address(settings.run_dir, seat) for seat in range(1 if settings.multi_model else workers)]
    at_once = settings.queue_limit + settings.predict_threads  # those that wait in a worker, and those it predicts
    max_conns = 0 if settings.multi_model else at_once  # no limit for all models together: each has its own
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    nginx_workers, connections = min(cpus, 4), max(64, min(4096, open_files // 2))
    sockets = max(1, min(settings.socket_limit, nginx_workers * connections // (8 * workers)))  # a quarter of them all
    return {
        "PORT": str(settings.port),
        "RUN_DIR": str(settings.run_dir),
        "APP_SERVERS": " ".join(f"server unix:{path} max_fails=0 max_conns={max_conns};" for path in paths),
        "SOCKET_SERVERS": " ".join(f"server unix:{path} max_fails=0 max_conns={sockets};" for path in paths),
        "SOCKET_TIMEOUT_S": str(math.ceil(settings.timeout_s) + SILENCE_S),
        "NGINX_WORKERS": str(nginx_workers),
        "WORKER_CONNECTIONS": str(connections),  # each request takes two: client and worker
        "MAX_BODY_BYTES": str(settings.max_body_bytes),
        "MAX_BODY_MB": str(settings.max_body_mb),
        "FEWEST_DIGITS": "0" if 0 < settings.max_body_mb <= SMALL_MB else "1",
        # nginx keeps no connection to a model's door, whose address it makes from the name.
        "APP_CONNECTION": "close" if settings.multi_model else "",
        "LOAD_TIMEOUT_MS": str(int((settings.startup_timeout_s + settings.drain_timeout_s) * 1000)),
        "PROXY_TIMEOUT_MS": str(int(settings.proxy_timeout_s * 1000)),
        "EXECUTION_PARAMETERS": json.dumps(batch),
        "DRAIN_S": str(max(1, int(settings.drain_timeout_s))),
    }


def render(template: str, values: dict[str, str]) -> str:
    """Replace ${NAME} by its value. A name that is unknown, or a value that is not used, is a StartupError."""
    wanted = set(re.findall(r"\$\{([A-Z][A-Z_]*)\}", template))
    if unknown := wanted - values.keys():
        raise StartupError("nginx", f"nginx.conf uses {_list(unknown)}; it may use {_list(values)}")
    if unused := values.keys() - wanted:
        raise StartupError("nginx", f"nginx.conf must use {_list(unused)}, or container/nginx.py must drop it")
    return re.sub(r"\$\{([A-Z][A-Z_]*)\}", lambda match: values[match[1]], template)


def log_line(line: str, count: Callable[[int, int], None] = lambda *_: None) -> str:
    """Log one line of nginx's stderr: a JSON access line, or a line of its error log. Returns what it says.

    count gets the status of each request that nginx answered itself, and how many such requests the line stands for.
    """
    with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):  # no access line, or one that was cut
        fields = json.loads(line)
        _log_request(fields)
        count(fields["status"], SAMPLED if fields.get("upstream") == "app" else 1)
        return line
    match = ERROR_LINE.match(line)
    message = match["message"] if match else line
    level = LEVELS.get(match["level"], logging.ERROR) if match and not message.startswith(HARMLESS) else logging.INFO
    log.log(level, "nginx", extra={"text": message})
    return message


def _log_request(fields: dict[str, Any]) -> None:
    """The request line in the shape that exchange gives it, for requests that it never answered."""
    told = {name: fields[name] for name in ("request_id", "status")}
    told["request"] = f"{fields['method']} {fields['path']}".strip()[: logs.REQUEST_LIMIT_CHARS]
    told |= {name: fields[name] for name in ("bytes_in", "bytes_out")}
    told["total_ms"] = round(fields["total_s"] * 1000, 3)
    log.log(_level(fields["status"]), "request", extra=told)


def _level(status: int) -> int:
    """A predictor's own Flask app leaves its answers to this log, good ones too."""
    return logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR


def _user_directive() -> str:
    """As root nginx would give its workers to nobody, who may not enter the run folder; keep the user we are."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"


def _list(names: Any) -> str:
    return ", ".join(f"${{{name}}}" for name in sorted(names))
