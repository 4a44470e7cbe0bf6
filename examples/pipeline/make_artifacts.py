"""Make the two model folders of a pipeline: python -m examples.pipeline.make_artifacts OUT_DIR

OUT_DIR/scaler is what /opt/ml/model holds in the first container, OUT_DIR/classifier in the second.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from container.manifest import Sample, write_manifest

DATA = Path(__file__).parents[2] / "local_test" / "test_dir" / "input" / "data" / "training" / "iris.csv"
NO_HANDLERS = '"""No handler: model.joblib has no predict, so that the default calls its transform."""\n'


def main() -> None:
    """Read the command line, write the folders, say where."""
    parser = argparse.ArgumentParser(prog="python -m examples.pipeline.make_artifacts", description=__doc__)
    parser.add_argument("out_dir", type=Path)
    out_dir = parser.parse_args().out_dir
    make_artifacts(out_dir)
    print(f"wrote {out_dir}/scaler and {out_dir}/classifier")  # noqa: T201 - a command


def make_artifacts(out_dir: Path) -> None:
    """A scaler and a classifier of what it answers, each fitted, with a manifest."""
    table = np.genfromtxt(DATA, delimiter=",", dtype=str, skip_header=1)
    rows, species = table[:, :4].astype(float), table[:, 4]
    scaler = StandardScaler().fit(rows)
    classifier = LogisticRegression(max_iter=200).fit(scaler.transform(rows), species)
    save(out_dir / "scaler", scaler, rows[0], code=NO_HANDLERS)  # else predictor.py would call predict
    save(out_dir / "classifier", classifier, scaler.transform(rows[:1])[0])


def save(folder: Path, model: object, row: np.ndarray, code: str = "") -> None:
    """model.joblib, manifest.json, and code/inference.py if it has any."""
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    if code:
        (folder / "code").mkdir(exist_ok=True)
        (folder / "code" / "inference.py").write_text(code)
    write_manifest(folder, sample=Sample("text/csv", ",".join(map(str, row)) + "\n"))


if __name__ == "__main__":
    main()
