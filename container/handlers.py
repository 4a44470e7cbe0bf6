"""Picks the functions that serve: code/inference.py of the artifact, else predictor.py, else the defaults.

Called once by model_loading. Arity is checked here, at start, so that a wrong signature never costs a request.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from container.codecs import text
from container.errors import StartupError
from container.loaders import explained, load_default
from container.media_types import MediaType
from container.settings import REQUIREMENTS, Settings
from container.signatures import ARGUMENTS, Function, takes_file, taking_context

log = logging.getLogger(__name__)

INDEPENDENT = "ROWS_ARE_INDEPENDENT"
"""One line of predictor.py says that predict_fn may get the rows of several requests in one call."""

STAND_INS = str(Path(__file__).with_name("stand_ins"))
"""A folder of packages that scripts for managed containers import."""

USUAL = ("model_fn", "input_fn", "predict_fn", "output_fn")
DEFAULT = "default"
INFERENCE = "inference.py"

# Bodies that user code gets as str. Source: inference toolkit, content_types.UTF8_TYPES
TEXT_BODIES = ("application/json", "text/csv")


@dataclass(frozen=True)
class Handlers:
    """The functions that serve. Each takes a context last; None means that Model's own default does the step."""

    model_fn: Function
    input_fn: Function | None = None
    predict_fn: Function | None = None
    output_fn: Function | None = None
    transform_fn: Function | None = None
    chat_fn: Function | None = None
    """What answers POST /v1/chat/completions; without it there is no such path."""
    stream_fn: Function | None = None
    """What answers WebSockets; without it there are none."""
    adapter_fn: Function | None = None
    """What stands for the model where a request names an adapter; without it there is no /adapters."""
    rows_are_independent: bool = False
    takes_file: bool = False
    """input_fn or transform_fn gets the body as a file."""
    yields: bool = False
    """predict_fn is a generator function, and nothing else writes the answer: it streams."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Function name -> the file that defines it, or "default"."""

    @property
    def write_output(self) -> bool:
        """Whether user code decides on the response's body and type."""
        return self.output_fn is not None or self.transform_fn is not None


def load_predictor() -> ModuleType:
    """Import predictor.py. Whatever it raises becomes a StartupError of phase "import"."""
    with explained("import", "predictor.py failed on import"):
        return importlib.import_module("predictor")


def resolve(settings: Settings, predictor: ModuleType) -> Handlers:
    """Choose the functions and check their arguments. Raises StartupError saying which function to change."""
    module = load_program(settings) or predictor
    file = source_of(module)
    _warn_of_misspelt(module, file)
    found = {name: getattr(module, name) for name in ARGUMENTS if hasattr(module, name)}
    if "transform_fn" in found and found.keys() & {"input_fn", "predict_fn", "output_fn"}:
        raise StartupError(
            "handlers", f"{file}: transform_fn replaces input_fn, predict_fn and output_fn; keep it or keep them"
        )
    independent = _independent(module, found, file)
    functions = {name: taking_context(name, function, file) for name, function in found.items()}
    functions.setdefault("model_fn", lambda directory, _context: load_default(Path(directory), settings))
    if hooks := functions.keys() & {"pre_model_fn", "model_warmup_fn"}:
        functions["model_fn"] = _hooked(functions["model_fn"], {name: functions.pop(name) for name in hooks})
    sources = {name: file if name in found else DEFAULT for name in dict.fromkeys((*USUAL, *found))}
    yields = inspect.isgeneratorfunction(found.get("predict_fn")) and "output_fn" not in found
    return Handlers(
        **functions, rows_are_independent=independent, takes_file=takes_file(found), yields=yields, sources=sources
    )


def program_path(settings: Settings) -> Path:
    """Where the artifact's own script is, if it has one."""
    return settings.code_dir / settings.program


def load_program(settings: Settings) -> ModuleType | None:
    """Import code/PROGRAM of the artifact, its folder on sys.path; None if the artifact has none."""
    path = program_path(settings)
    name = str(path).removeprefix(f"{settings.model_dir}/")
    if path.parent.is_dir():
        # lib: where the SDK puts a model's `dependencies`, and users of TensorFlow's container their packages
        sys.path[:0] = [str(folder) for folder in (path.parent, settings.code_dir / "lib") if folder.is_dir()]
        sys.dont_write_bytecode = True  # the artifact is not ours to write into: contract 1.3
        if STAND_INS not in sys.path:
            sys.path.append(STAND_INS)
    if (settings.code_dir / REQUIREMENTS).is_file():
        from container import needs

        needs.tell(settings)
    if not path.is_file():
        # Of many models some may do without a script.
        if settings.program != INFERENCE and (path.parent.is_dir() or not settings.multi_model):
            raise StartupError("handlers", f"SAGEMAKER_PROGRAM={settings.program}, but the artifact has no {name}")
        return None
    with explained("import", f"{name} failed on import", settings.code_dir):
        return _execute(path)


def readable(body: bytes | BinaryIO, content_type: str) -> str | bytes | BinaryIO:
    """The body as user code gets it: str for JSON and CSV, by their charset, else bytes. A file is left as it is."""
    if not isinstance(body, bytes):
        return body
    media_type = MediaType.parse(content_type)
    if media_type.essence in TEXT_BODIES or media_type.subtype.endswith("+json"):
        return text.decode(body, media_type.params.get("charset"))
    return body


def source_of(module: ModuleType) -> str:
    return Path(getattr(module, "__file__", None) or f"{module.__name__}.py").name


def _hooked(model_fn: Function, hooks: Mapping[str, Function]) -> Function:
    """model_fn between the functions that the inference toolkit calls before and after it."""

    def load(model_dir: str, context: Any) -> Any:
        if before := hooks.get("pre_model_fn"):
            before(model_dir, context)
        model = model_fn(model_dir, context)
        if after := hooks.get("model_warmup_fn"):
            after(model_dir, model, context)
        return model

    return load


def _independent(module: ModuleType, found: Mapping[str, Any], file: str) -> bool:
    """What ROWS_ARE_INDEPENDENT says. A call for several requests has no context and no single body."""
    if not getattr(module, INDEPENDENT, False):
        return False
    if "transform_fn" in found:
        raise StartupError("handlers", f"{file}: {INDEPENDENT} is about predict_fn, but transform_fn serves; remove it")
    predict_fn = found.get("predict_fn")
    if predict_fn is not None and taking_context("predict_fn", predict_fn, file) is predict_fn:
        raise StartupError(
            "handlers",
            f"{file}: predict_fn takes context, which belongs to one request, so {INDEPENDENT} cannot be; "
            "remove one of the two",
        )
    return True


def _warn_of_misspelt(module: ModuleType, file: str) -> None:
    """A predict_fnn is no handler: nobody calls it, and the default serves in its stead."""
    for name, value in vars(module).items():
        if name not in ARGUMENTS and callable(value):
            for nearest in difflib.get_close_matches(name, ARGUMENTS, n=1, cutoff=0.87):
                log.warning("unknown_handler", extra={"file": file, "function": name, "did_you_mean": nearest})


def _execute(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # before it runs, so that what it pickles or imports finds it by name
    spec.loader.exec_module(module)
    return module
