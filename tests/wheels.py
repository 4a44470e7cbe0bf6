"""Makes wheels, and artifacts that need one, so that real pip installs without a network. A wheel is a zip of a folder.

Used by the tests of requirements in unit, system and image.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

WORD = "hello"
SCRIPT = """
import greeting

def model_fn(model_dir):
    return greeting.WORD

def predict_fn(data, model):
    return model
"""


def wheel(folder: Path, name: str, files: Mapping[str, str], version: str = "1.0", needs: Iterable[str] = ()) -> Path:
    """A wheel of these files in folder. Source: PyPA, "Binary distribution format"."""
    info = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {each}\n" for each in needs)
    texts = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD"
    texts[record] = "".join(f"{each},,\n" for each in (*texts, record))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in texts.items():
            archive.writestr(each, text)
    return path


def artifact(folder: Path, requirements: str = "greeting==1.0\n") -> Path:
    """A model folder whose script imports a module that only the wheel in it brings."""
    code = folder / "code"
    wheel(code / "wheels", "greeting", {"greeting.py": f"WORD = {WORD!r}\n"})
    (code / "requirements.txt").write_text(requirements)
    (code / "inference.py").write_text(SCRIPT)
    return folder
