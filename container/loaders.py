"""Loads what lies in the model folder when predictor.py has no model_fn, and says what to do about a load that failed.

Called by handlers (the default model_fn) and by model (explained and version_warnings, around any model_fn).
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import pickle
import re
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from container.errors import StartupError
from container.settings import REQUIREMENTS, Settings

log = logging.getLogger(__name__)

CODE_FOLDER = "code"
PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "cv2": "opencv-python-headless", "yaml": "pyyaml",
            "bs4": "beautifulsoup4", "dateutil": "python-dateutil",
            "sagemaker_inference": "sagemaker-inference"}  # fmt: skip
READERS = ("pickle", "joblib.numpy_pickle", "joblib.numpy_pickle_utils", "joblib.compressor", "zipfile")
DAMAGED = (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error)
TREE_LIMIT = 40  # lines of a listing in an error message


def load_default(model_dir: Path, settings: Settings) -> Any:
    """The one model in model_dir or one level below: a file of LOADERS or a spaCy pipeline folder.

    Raises StartupError listing what is there when that is none or several.
    """
    found = find_models(model_dir)
    if len(found) != 1:
        wanted = f"*{', *'.join(LOADERS)} or a spaCy pipeline (meta.json and config.cfg)"
        count = f"{len(found)} models" if found else "no model"
        raise StartupError(
            "load",
            f"{model_dir} holds {count}; leave exactly one {wanted}, or write model_fn in predictor.py. "
            f"Found: {tree(model_dir)}",
        )
    try:
        return _load(found[0], settings)
    except Exception as error:  # told by explained
        error.add_note(f"It was raised while {found[0].name} was read")
        raise


def _load(path: Path, settings: Settings) -> Any:
    if path.is_dir():
        return _load_spacy(path, settings.spacy_exclude)
    return LOADERS[path.suffix](path)


def find_models(model_dir: Path) -> list[Path]:
    """Model files and spaCy folders, in model_dir and one level below; code/ is the user's and not searched."""
    if _is_pipeline(model_dir):
        return [model_dir]
    folders = [model_dir, *(path for path in _visible(model_dir) if path.is_dir() and path.name != CODE_FOLDER)]
    pipelines = [folder for folder in folders if _is_pipeline(folder)]
    plain = [folder for folder in folders if folder not in pipelines]
    return pipelines + [path for folder in plain for path in _visible(folder) if path.suffix in LOADERS]


def tree(folder: Path) -> str:
    """What lies in folder and one level below, as one line."""
    if not folder.is_dir():
        return "the folder does not exist"
    below = [
        each for path in _visible(folder) for each in ([path, *_visible(path)] if path.is_dir() else [path])
    ]  # fmt: skip
    names = [f"{path.relative_to(folder)}{'/' if path.is_dir() else ''}" for path in below]
    more = f", and {len(names) - TREE_LIMIT} more" if len(names) > TREE_LIMIT else ""
    return (", ".join(names[:TREE_LIMIT]) + more) or "nothing"


@contextmanager
def version_warnings(policy: str) -> Iterator[None]:
    """Make a library's warning of an artifact of another version a StartupError, or with "warn" one log line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except Exception as error:  # the other version may well be why
            for sentence in _sentences(caught):
                error.add_note(sentence)
            raise
    for each in caught:
        if not _is_version_warning(each.message):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if policy == "error" and (refused := _sentences([each for each in caught if not _same_minor(each.message)])):
        raise StartupError(
            "load",
            f"{'; '.join(refused)}. Train again, or pin the artifact's version in requirements.txt; "
            "SERVING_VERSION_MISMATCH=warn serves it as it is",
        )
    for sentence in _sentences(caught):
        log.warning("version_mismatch", extra={"detail": sentence})


@contextmanager
def explained(phase: str, what: str, code_dir: Path | None = None) -> Iterator[None]:
    """Turn whatever user code raises inside, SystemExit too, into a StartupError that keeps it as its cause.

    code_dir: where a requirements.txt may say what brings a missing module.
    """
    try:
        yield
    except StartupError:
        raise
    except (Exception, SystemExit) as error:
        sentences = [f"{what}: {type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
        sentences.append(advice(error, code_dir))
        raise StartupError(phase, ". ".join(filter(None, sentences))) from error


def advice(error: BaseException, code_dir: Path | None = None) -> str:
    """What to do about an error that came out of loading a model; empty where nothing is known."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "sagemaker_containers":
        return (
            "Of that package, which is a part of some managed containers, only content_types, encoders, errors and "
            "worker of beta.framework are here: do without the rest"
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _advice_from_requirements(error.name, code_dir) or _advice_for_module(error.name)
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return (
            "The class was defined in a notebook or script when the model was saved, and pickle stores only its name: "
            "move the class into a module under code/ beside the model, import it from there, and save the model again"
        )
    if isinstance(error, (OSError, ImportError)) and "cannot open shared object file" in str(error):
        return "A library of the system is missing: install Debian's package for it (libgomp1, say) in the Dockerfile"
    if _is_damaged(error):
        return "The model file is cut, damaged or of another version of its library: save it again with joblib.dump"
    return ""


def _is_damaged(error: BaseException) -> bool:
    """Whether what reads a model's file failed itself: of a bad byte it makes errors of any kind."""
    if isinstance(error, (ImportError, AttributeError, MemoryError)):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    reader = bool(frames) and frames[-1].f_globals.get("__name__") in READERS
    return reader or isinstance(error, DAMAGED) or str(error) == "Ran out of input"


def _advice_from_requirements(name: str, code_dir: Path | None) -> str:
    """Empty where the artifact's requirements.txt, if it has one, is installed."""
    if code_dir is None or not (code_dir / REQUIREMENTS).is_file():
        return ""
    from container import needs

    root = name.partition(".")[0]
    return needs.advice(PACKAGES.get(root, root), code_dir)


def _advice_for_module(name: str) -> str:
    root = name.partition(".")[0]
    package = PACKAGES.get(root, root)
    if name != root and importlib.util.find_spec(root) is not None:
        return f"The artifact needs another version of {package} than the installed one: train again, or pin it"
    return f"Add {package} to requirements.txt and build the image again; if {root} is your own, put it under code/"


def _library(name: str, path: Path) -> Any:
    """Import a library on first use."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise StartupError(
            "load", f"{path.name} needs {error.name}. {_advice_for_module(error.name or name)}"
        ) from error


def _load_joblib(path: Path) -> Any:
    return _library("joblib", path).load(path)


def _load_skops(path: Path) -> Any:
    skops = _library("skops.io", path)
    unknown = skops.get_untrusted_types(file=path)
    if unknown:
        raise StartupError(
            "load",
            f"{path.name} holds types that skops does not trust: {', '.join(unknown)}. If you do, write model_fn in "
            "predictor.py with skops.io.load(path, trusted=[...])",
        )
    return skops.load(path)


LOADERS: dict[str, Callable[[Path], Any]] = {".joblib": _load_joblib, ".pkl": _load_joblib, ".skops": _load_skops}
"""What a file is loaded by where there is no model_fn: a row a kind. docs/architecture.md, "Another framework"."""


def _load_spacy(path: Path, exclude: tuple[str, ...]) -> Any:
    pipes = json.loads((path / "meta.json").read_text(encoding="utf-8")).get("components", [])
    if unknown := sorted(set(exclude) - set(pipes)):
        raise StartupError(
            "load",
            f"SERVING_SPACY_EXCLUDE names {', '.join(unknown)}, which the pipeline does not have; "
            f"it has: {', '.join(pipes)}",
        )
    return _library("spacy", path).load(path, exclude=list(exclude))


def _is_pipeline(folder: Path) -> bool:
    return (folder / "meta.json").is_file() and (folder / "config.cfg").is_file()


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def _is_version_warning(message: Warning | str) -> bool:
    # Names instead of classes: the library may not even be imported. W095 is spaCy's, of its util.load_meta.
    return type(message).__name__ == "InconsistentVersionWarning" or str(message).startswith("[W095]")


def _same_minor(message: Warning | str) -> bool:
    """Whether scikit-learn warns of another patch release only: container.manifest has the same rule."""
    versions = [getattr(message, f"{which}_sklearn_version", None) for which in ("original", "current")]
    minors = [re.findall(r"\d+", version)[:2] for version in versions if version]
    return len(minors) == 2 and minors[0] == minors[1]


def _sentences(caught: list[warnings.WarningMessage]) -> list[str]:
    """What the version warnings among them say, each once."""
    return sorted({_sentence(each.message) for each in caught if _is_version_warning(each.message)})


def _sentence(message: Warning | str) -> str:
    if (saved := getattr(message, "original_sklearn_version", None)) is None:
        return str(message)
    name, current = getattr(message, "estimator_name", "the model"), getattr(message, "current_sklearn_version", "?")
    return f"{name} was saved with scikit-learn {saved}, installed is {current}"
