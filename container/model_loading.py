"""The artifact to a Model: it is checked, its handlers are chosen, model_fn runs. Called by app and model_process."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from time import monotonic
from types import ModuleType
from typing import Any

from container import codecs, defaults
from container.errors import ServingError, StartupError
from container.handlers import Handlers, resolve
from container.loaders import explained, version_warnings
from container.manifest import Manifest, Mismatch, Sample, check_files, read_manifest, version_mismatches
from container.model import Model
from container.request import Context
from container.settings import Settings

log = logging.getLogger(__name__)


def load_model(settings: Settings, predictor: ModuleType) -> Model:
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
    return Model(settings, handlers, loaded, manifest.sample, replace(features, numeric=_is_numeric(manifest.sample)))


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
