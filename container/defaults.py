"""What serves where predictor.py is silent: rows in the model's own column order, and a predict for two libraries.

Called by model.Model for a default input_fn and a default predict_fn.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from traceback import walk_tb
from types import FrameType
from typing import Any

import numpy as np

from container.codecs import Rows
from container.codecs.json_tables import from_list
from container.errors import PayloadTooLarge, StartupError, UnprocessableInput

ARRAY_LIBRARIES = ("numpy", "pandas", "scipy")
INSTALLED = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})
NAMES_LIMIT = 20  # column names in a message
TEXT_LIMIT = 40  # characters of a client's text in a message


@dataclass(frozen=True)
class Features:
    """The columns a model takes, as far as its manifest or the model itself states them."""

    names: tuple[str, ...] | None = None
    count: int | None = None
    frame: Any = None
    """pandas.DataFrame if the model was fitted on one: column transformers select by name."""
    numeric: bool = False
    """Whether all columns are numbers, as in the manifest's sample: then a text among them is told by its place."""

    @classmethod
    def of(cls, model: Any, manifest_names: Sequence[str] | None) -> Features:
        fitted = getattr(model, "feature_names_in_", None)
        names = manifest_names if manifest_names is not None else fitted
        if names is None:
            count = getattr(model, "n_features_in_", None)
            return cls(count=int(count) if isinstance(count, (int, np.integer)) else None)
        return cls(tuple(map(str, names)), len(names), _data_frame() if fitted is not None else None)

    def align(self, data: Any) -> Any:
        """Decoded data as the model takes it: a 2-D array or a DataFrame with its columns in order.

        A model that states no columns gets arrays as they came, and one column of text as a list of texts.
        Raises UnprocessableInput naming the columns that are missing, not expected, or too many.
        """
        if self.count is None:
            return _loose(data)
        values = self._values(data)
        if values.shape[1] != self.count:
            raise UnprocessableInput(
                f"The rows have {values.shape[1]} column{'' if values.shape[1] == 1 else 's'}, "
                f"the model takes {self.count}{self._listed()}.{_separator_hint(values)}"
            )
        if self.numeric and values.dtype == object:
            values = self._numbers(values)
        return values if self.frame is None else self.frame(values, columns=list(self.names or ())).infer_objects()

    def _values(self, data: Any) -> Any:
        if isinstance(data, Rows):
            return data.values if data.columns is None or self.names is None else self._ordered(data)
        if isinstance(data, dict) and data.keys() & set(self.names or ()):
            record = from_list([data])  # a bare object with the model's columns is one record
            if isinstance(record, Rows):
                return self._ordered(record)
        if isinstance(data, np.ndarray) and data.ndim == 2:
            return data
        raise UnprocessableInput(
            f"The model takes rows of {self.count} columns{self._listed()}, but the body is {_kind(data)}. "
            'Send CSV, or JSON such as {"instances": [[1, 2], [3, 4]]}.'
        )

    def _ordered(self, rows: Rows) -> Any:
        names, columns = self.names or (), rows.columns or ()
        if columns == names:
            return rows.values
        missing = [name for name in names if name not in columns]
        unexpected = [name for name in columns if name not in names]
        if missing or unexpected or len(columns) != len(names):
            twice = sorted({name for name in columns if columns.count(name) > 1})
            parts = {"missing": missing, "not expected": unexpected, "given twice": twice}
            told = "; ".join(f"{word}: {_list(each)}" for word, each in parts.items() if each)
            raise UnprocessableInput(f"The columns are not the model's: {told}. It takes{self._listed()}.")
        return rows.values[:, [columns.index(name) for name in names]]

    def _numbers(self, values: Any) -> Any:
        for record, row in enumerate(values, start=1):
            for column, cell in enumerate(row, start=1):
                if isinstance(cell, str):
                    name = f" ({self.names[column - 1]})" if self.names else ""
                    text = repr(cell if len(cell) <= TEXT_LIMIT else cell[:TEXT_LIMIT] + "…")
                    raise UnprocessableInput(f"Record {record}, column {column}{name}: {text} is not a number.")
        return values.astype(np.float64)

    def _listed(self) -> str:
        return f" ({_list(self.names)})" if self.names else ""


def predict(data: Any, model: Any) -> Any:
    """The default predict_fn: nlp.pipe over texts for spaCy, model.predict(data), or model.transform(data) without one.

    A library's own refusal of the data, a ValueError or TypeError, is the client's to fix: UnprocessableInput.
    """
    if is_spacy(model):
        return _annotate(data, model)
    try:
        return method_of(model)(data)
    except (ValueError, TypeError) as error:
        if _is_about_values(error) and _is_of_a_library(error):
            raise refusal(error) from error
        raise


def check_predictable(model: Any) -> None:
    """Raise StartupError if the default predict_fn cannot serve this model."""
    if not is_spacy(model) and not callable(method_of(model)):
        raise StartupError(
            "handlers",
            f"the model is of type {type(model).__name__}, which has no predict method, nor transform; "
            "write predict_fn(data, model)",
        )


def method_of(model: Any) -> Any:
    """model.predict; model.transform of what has no predict, such as a scaler that is a pipeline's first stage."""
    predict = getattr(model, "predict", None)
    return getattr(model, "transform", None) if predict is None else predict


def is_spacy(model: Any) -> bool:
    """Whether the model is a spaCy pipeline; spaCy is not imported for the question."""
    spacy = sys.modules.get("spacy")
    return spacy is not None and isinstance(model, spacy.Language)


def rows_are_independent(model: Any) -> bool:
    """Whether the default predict_fn gives a row the same answer in any company: scikit-learn's and spaCy's do."""
    sklearn = sys.modules.get("sklearn.base")
    return is_spacy(model) or (sklearn is not None and isinstance(model, sklearn.BaseEstimator))


def is_refusal(error: BaseException) -> bool:
    """Whether scikit-learn raised this over its input: then it is about the data, whoever called.

    The last frame decides, numpy, pandas and scipy aside: a bug in the user's own transformer is no refusal.
    """
    if not _is_about_values(error):
        return False
    raiser = _raiser(error)
    return raiser is not None and _package(raiser) == "sklearn"


def refusal(error: BaseException) -> UnprocessableInput:
    """The library's sentence, on one line."""
    return UnprocessableInput(f"The model refused the data: {' '.join(str(error).split())}")


def count_rows(data: Any) -> int:
    """How many records data holds; 1 for a single value."""
    single = isinstance(data, (str, bytes, dict)) or not hasattr(data, "__len__") or getattr(data, "ndim", 1) == 0
    return 1 if single else len(data)


def _is_of_a_library(error: BaseException) -> bool:
    """Whether an installed package raised it, or compiled code that this file called; not a class of the user's."""
    raiser = _raiser(error)
    return raiser is None or raiser.f_code.co_filename.startswith((*INSTALLED, __file__))


def _raiser(error: BaseException) -> FrameType | None:
    """The innermost frame, numpy, pandas and scipy aside: they do what they are told."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__) if _package(frame) not in ARRAY_LIBRARIES]
    return frames[-1] if frames else None


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_about_values(error: BaseException) -> bool:
    """A ValueError or TypeError, but not NotFittedError, which is an AttributeError too and no fault of the data."""
    return isinstance(error, (ValueError, TypeError)) and not isinstance(error, AttributeError)


def _annotate(data: Any, nlp: Any) -> Any:
    texts, single = _texts(data)
    for number, text in enumerate(texts, start=1):
        if len(text) > nlp.max_length:
            raise PayloadTooLarge(f"Text {number} has {len(text)} characters, the pipeline takes {nlp.max_length}.")
    docs = list(nlp.pipe(texts))
    return docs[0] if single else docs


def _texts(data: Any) -> tuple[list[str], bool]:
    """The texts of a request, and whether it was a single one in {"input": text}."""
    inner = data.get("input") if isinstance(data, dict) else data
    if isinstance(inner, str):
        return [inner], isinstance(data, dict)
    if isinstance(inner, list) and all(isinstance(text, str) for text in inner):
        return inner, False
    raise UnprocessableInput(
        f'The model takes texts, but the body is {_kind(data)}. Send text/plain, ["text", ...] or {{"input": "text"}}.'
    )


def _loose(data: Any) -> Any:
    if not isinstance(data, Rows):
        return data
    values = data.values
    is_text = values.shape[1] == 1 and all(isinstance(cell, str) for cell in values[:, 0])
    return values[:, 0].tolist() if is_text else values


def _kind(data: Any) -> str:
    if isinstance(data, np.ndarray):
        return f"an array of {data.ndim} dimension{'' if data.ndim == 1 else 's'}"
    if isinstance(data, list) and data and all(isinstance(value, str) for value in data):
        return "a list of texts"
    names: dict[Any, str] = {dict: "a JSON object with other keys", list: "a list of other values", str: "a text"}
    return names.get(type(data), f"a {type(data).__name__}")


def _separator_hint(values: Any) -> str:
    """CSV as spreadsheets of many countries write it: one column of text in which another separator stands."""
    first = values[0, 0] if values.shape[1] == 1 and len(values) else None
    found = next((name for name in (";", "\t", "|") if isinstance(first, str) and name in first), None)
    return "" if found is None else f" The fields of a CSV are separated by commas, not by {found!r}."


def _list(names: Iterable[str]) -> str:
    names = [name or "''" for name in names]
    more = f" and {len(names) - NAMES_LIMIT} more" if len(names) > NAMES_LIMIT else ""
    return ", ".join(names[:NAMES_LIMIT]) + more


def _data_frame() -> Any:
    try:
        import pandas as pd
    except ImportError:
        return None
    return pd.DataFrame
