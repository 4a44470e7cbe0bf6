"""Who takes part: our server, its peers and the physical limits; the exact packages of each; servers of your own.

A command may use {python} {bin} {peers} {port} {workers} {model_dir} {run_dir}; the same values are in the environment
as PORT, WORKERS, MODEL_DIR, RUN_DIR and ARTIFACT. Used by servers and environments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.slots import Form, Unknown

OURS = "ours"
IN_PROCESS = "in-process"

MODEL_PINS = ("numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "joblib==1.6.0", "spacy==3.8.18")
"""Those of requirements.lock: every server loads the same artifact with the same libraries."""

PINS: dict[str, tuple[str, ...]] = {
    "aws": ("flask==3.1.3", "werkzeug==3.1.9", "gunicorn==27.0.1", "gevent==26.9.0", "pandas==3.1.1"),
    "fastapi": ("fastapi==0.165.0", "starlette==1.10.0", "uvicorn[standard]==0.54.0", "uvloop==0.23.0",
                "httptools==0.9.0"),
    # uvloop 0.22 and newer end MLServer 1.7.1's worker processes: they ask for an event loop where there is none.
    "mlserver": ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "fastapi==0.115.14", "starlette==0.46.2",
                 "uvloop==0.21.0"),
    "litserve": ("litserve==0.2.19",),
    "bentoml": ("bentoml==1.4.39",),
}  # fmt: skip
"""Environment -> packages that are installed beside MODEL_PINS; versions of the rest are kept in the result."""


@dataclass(frozen=True)
class Peer:
    """A server in the race. forms: slot -> how it is asked; a slot that it lacks is not run."""

    name: str
    label: str
    command: str
    forms: Mapping[str, Form]
    environment: str = ""
    """A key of PINS; empty: the Python that runs the benchmark."""

    group: str = "main"
    ping: str = "/ping"
    port: int = 0
    """0: a free one."""

    env: Mapping[str, str] = field(default_factory=dict)


def sagemaker(csv: str = "csv", json: str = "json:predictions", text: str = "json:output") -> dict[str, Form]:
    """The forms of a server that answers SageMaker's /invocations."""
    rows = Form("/invocations", "text/csv", "csv", csv)
    of_json = Form("/invocations", "application/json", "json", json)
    entities = Form("/invocations", "application/json", "json", text)
    return {"csv": rows, "json": of_json, "batch": rows, "rf": rows, "ner": entities}


def only_json(path: str, payload: str, rows: str, text: str) -> dict[str, Form]:
    """The forms of a server that takes no CSV: the same rows, in its own JSON."""
    row = Form(path, "application/json", payload, rows)
    return {**dict.fromkeys(("csv", "json", "batch", "rf"), row), "ner": Form(path, "application/json", payload, text)}


def batching(forms: Mapping[str, Form]) -> dict[str, Form]:
    """Those of the loads that batching is for: at one connection it only waits, and 1,000 rows are a batch."""
    return {slot: form for slot, form in forms.items() if slot in ("csv", "rf", "ner")}


V2 = only_json("/v2/models/model/infer", "v2.json", "json:outputs.0.data", "json:outputs.0.data.0.json")
LITSERVE = only_json("/invocations", "json", "json:predictions", "json:output")
BENTOML_CSV = Form("/csv", "text/plain", "csv", "csv")
BENTOML = {**sagemaker(), "csv": BENTOML_CSV, "batch": BENTOML_CSV, "rf": BENTOML_CSV}
BENTOML_BATCH = {**only_json("/invocations", "json", "json", "json"),
                 "ner": Form("/invocations", "application/json", "list.json", "json:0")}  # fmt: skip

AWS = "{python} {peers}/aws/stack.py"
MLSERVER = "{python} {peers}/mlserver/start.py"
LITSERVE_COMMAND = "{python} {peers}/litserve/server.py"
BENTOML_COMMAND = "{bin}/bentoml serve service:Bench --host 127.0.0.1 --port {port} --working-dir {peers}/bentoml"
UVICORN = "{bin}/uvicorn main:app --app-dir {peers}/fastapi --host 127.0.0.1 --port {port} --workers {workers}"
OUR_SETTINGS = {"SM_MODEL_DIR": "{model_dir}", "SAGEMAKER_BIND_TO_PORT": "{port}",
                "SAGEMAKER_BASE_DIR": "{run_dir}", "SAGEMAKER_MODEL_SERVER_WORKERS": "{workers}"}  # fmt: skip
BATCHING = {"BATCH": "1"}

ALL = [
    Peer(OURS, "this server", "{python} -m container serve", sagemaker(json="json"), env=OUR_SETTINGS),
    Peer("aws-sync", "nginx + gunicorn sync + Flask + pandas, the sample of 2018", f"{AWS} sync", sagemaker(), "aws"),
    Peer("aws-gevent", "the same with gevent", f"{AWS} gevent", sagemaker(), "aws"),
    Peer("fastapi", "FastAPI + uvicorn", UVICORN, sagemaker(), "fastapi"),
    Peer("mlserver", "MLServer", MLSERVER, V2, "mlserver", ping="/v2/models/model/ready"),
    Peer("mlserver-batch", "MLServer, adaptive batching", MLSERVER, batching(V2), "mlserver",
         ping="/v2/models/model/ready", env=BATCHING),
    Peer("litserve", "LitServe", LITSERVE_COMMAND, LITSERVE, "litserve", ping="/health"),
    Peer("litserve-batch", "LitServe, batching", LITSERVE_COMMAND, batching(LITSERVE), "litserve",
         ping="/health", env=BATCHING),
    Peer("bentoml", "BentoML", BENTOML_COMMAND, BENTOML, "bentoml", ping="/readyz"),
    Peer("bentoml-batch", "BentoML, adaptive batching", BENTOML_COMMAND, batching(BENTOML_BATCH), "bentoml",
         ping="/readyz", env=BATCHING),
    Peer("nginx-static", "limit: nginx answers by itself", "{python} {peers}/nginx_static/start.py",
         {slot: form for slot, form in sagemaker("json", "json").items() if slot in ("csv", "json")}, group="limit"),
    Peer(IN_PROCESS, "limit: decode, predict and encode in a loop, no HTTP", "", sagemaker(), group="limit"),
]  # fmt: skip


def choose(text: str, added: Iterable[Peer] = ()) -> list[Peer]:
    """The peers of names and groups such as ours,limit; everyone if it is empty. Raises Unknown."""
    peers = {peer.name: peer for peer in [*ALL, *added]}
    groups: dict[str, list[str]] = {"all": list(peers)}
    for peer in peers.values():
        groups.setdefault(peer.group, []).append(peer.name)
    words = [word.strip() for word in text.split(",") if word.strip()] or _default(list(added))
    names: list[str] = []
    for word in words:
        if word not in peers and word not in groups:
            raise Unknown(f"no peer is called {word!r}; peers: {', '.join(peers)}; groups: {', '.join(groups)}")
        names += groups.get(word, [word])
    return [peers[name] for name in dict.fromkeys(names)]


def _default(added: list[Peer]) -> list[str]:
    return ["main", "limit", *(peer.name for peer in added)]


def read_peers(path: Path) -> list[Peer]:
    """Servers of your own from a JSON file, one object or a list. Raises Unknown for a file that cannot be read so."""
    try:
        given = json.loads(path.read_text())
        return [_peer(each) for each in (given if isinstance(given, list) else [given])]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Unknown(f"{path}: {type(error).__name__}: {error}; see docs/performance.md for what it holds") from error


def _peer(given: dict[str, Any]) -> Peer:
    """name and command are needed. forms: slot -> {path, content_type, payload, answer}, or null for what it lacks."""
    known = {"label": given["name"], "group": "added", "forms": {}, **given}
    forms = {**sagemaker(), **{slot: form and Form(**form) for slot, form in known["forms"].items()}}
    return Peer(**{**known, "forms": {slot: form for slot, form in forms.items() if form}})


def python_of(peer: Peer, folder: Path) -> Path:
    """The Python that a peer runs with."""
    return folder / peer.environment / "venv/bin/python" if peer.environment else Path(sys.executable)
