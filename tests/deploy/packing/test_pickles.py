"""Pickles whose class exists only in the script that wrote them are found in every form, and nothing is unpickled."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from deploy.packing.members import CHUNK, members
from deploy.packing.pickles import of_main

SCRIPT = """
import joblib, pickle, sys, numpy as np
class Scaler:
    def __init__(self): self.rows = [np.zeros(3), self.__class__]
for path in sys.argv[1:]:
    protocol, compress = path.rpartition("/")[2].split(".")[0].split("_")
    model = {"a": np.arange(50_000), "model": Scaler(), "b": np.ones(3)}
    if compress == "pickle":
        pickle.dump(model, open(path, "wb"), int(protocol))
    else:
        joblib.dump(model, path, compress=(compress, 3) if compress else 0, protocol=int(protocol))
"""
FORMS = [f"{protocol}_pickle" for protocol in (0, 1, 2, 3, 4, 5)]
FORMS += ["3_", "4_", "5_", *(f"5_{compress}" for compress in ("zlib", "gzip", "bz2", "lzma", "xz"))]


def test_class_of_a_script_is_found_in_every_form(tmp_path: Path) -> None:
    """Protocols of pickle, compressions of joblib."""
    paths = [str(tmp_path / f"{form}.joblib") for form in FORMS]
    subprocess.run([sys.executable, "-c", SCRIPT, *paths], check=True)
    assert of_main(members(tmp_path)) == sorted(f"{form}.joblib names __main__.Scaler" for form in FORMS)


def test_class_is_found_where_it_lies_across_two_chunks(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"\0" * (CHUNK - 12) + reference_to_local())
    assert of_main(members(tmp_path)) == ["m.pkl names __main__.Local"]


def test_class_is_found_in_an_archive_as_pytorch_writes_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as packed:
        packed.writestr("archive/data.pkl", b"\x80\x02c__main__\nNet\nq\x00.")
    assert of_main(members(tmp_path)) == ["model.pt names __main__.Net"]


@pytest.mark.parametrize("name", ["model", "model.bin", "weights.skl", "code/model.py"])
def test_pickle_is_one_by_its_content_whatever_its_name(name: str, tmp_path: Path) -> None:
    forms = [form for form in FORMS if form[0] not in "01"]
    paths = [tmp_path / form / name for form in forms]
    for path in paths:
        path.parent.mkdir(parents=True)
    written = [str(tmp_path / form) + ".x" for form in forms]
    subprocess.run([sys.executable, "-c", SCRIPT, *written], check=True)
    for path, source in zip(paths, written, strict=True):
        Path(source).rename(path)
    assert of_main(members(tmp_path)) == sorted(f"{form}/{name} names __main__.Scaler" for form in forms)


def test_pickle_in_a_zip_is_found_whatever_its_name_and_that_of_the_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.skops", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("schema.json", "{}")
        packed.writestr("0", reference_to_local())
    assert of_main(members(tmp_path)) == ["model.skops names __main__.Local"]


def test_of_a_big_file_that_is_no_pickle_the_beginning_is_read(tmp_path: Path) -> None:
    with (tmp_path / "weights.safetensors").open("wb") as file:
        file.truncate(1 << 36)  # which takes no room, and minutes to read
    began = time.monotonic()
    assert of_main(members(tmp_path)) == []
    assert time.monotonic() - began < 1


def reference_to_local() -> bytes:
    """As the script that defines it would write it."""
    return pickle.dumps(Local, 4).replace(b"\x8c" + bytes([len(__name__)]) + __name__.encode(), b"\x8c\x08__main__")


class Local:
    """A class of a module, as it should be."""


@pytest.mark.parametrize("protocol", range(6))
def test_other_pickles_are_left_alone(protocol: int, tmp_path: Path) -> None:
    harmless: list[Any] = [Local(), {"__main__": "a word", "x": "__main__"}, np.arange(9)]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(harmless, protocol))
    joblib.dump(harmless, tmp_path / "m.joblib", compress=3, protocol=protocol)
    assert of_main(members(tmp_path)) == []


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """This one would write a file if it were."""
    evil = tmp_path / "evil"
    (tmp_path / "m.pkl").write_bytes(f"cbuiltins\nexec\n(S'open({str(evil)!r}, \"w\")'\ntR.".encode())
    assert of_main(members(tmp_path)) == []
    assert not evil.exists()


def test_damaged_file_is_left_to_the_trial_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(gzip.compress(b"x" * 99)[:-20])
    (tmp_path / "n.pkl").write_bytes(b"BZh nonsense")
    (tmp_path / "o.pkl").write_bytes(b"")
    assert of_main(members(tmp_path)) == []
