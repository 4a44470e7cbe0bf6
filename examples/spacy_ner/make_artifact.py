"""Make a model artifact from an installed spaCy pipeline: python -m examples.spacy_ner.make_artifact OUT_DIR

OUT_DIR is then what /opt/ml/model holds on the endpoint. No training: the pipeline comes trained.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import spacy
from spacy.language import Language

from container.manifest import Sample, write_manifest

PIPELINE = "en_core_web_sm"
SAMPLE = {"input": ["This is a test with NER in America.", "Amazon and Microsoft are in Seattle."]}


def main() -> None:
    """Read the command line, write the artifact, say where."""
    parser = argparse.ArgumentParser(prog="python -m examples.spacy_ner.make_artifact", description=__doc__)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--pipeline", default=PIPELINE, help=f"an installed spaCy pipeline (default: {PIPELINE})")
    arguments = parser.parse_args()
    make_artifact(arguments.out_dir, arguments.pipeline)
    print(f"wrote {arguments.out_dir}; serve it with SM_MODEL_DIR={arguments.out_dir}")  # noqa: T201 - a command


def make_artifact(out_dir: Path, pipeline: str = PIPELINE) -> None:
    """Write pipeline/, code/inference.py and manifest.json; what an earlier run wrote there is replaced."""
    nlp = load_ner(pipeline)
    if (out_dir / "pipeline" / "meta.json").is_file():
        shutil.rmtree(out_dir / "pipeline")
    (out_dir / "code").mkdir(parents=True, exist_ok=True)
    nlp.to_disk(out_dir / "pipeline")
    shutil.copyfile(Path(__file__).with_name("predictor.py"), out_dir / "code" / "inference.py")
    write_manifest(out_dir, sample=Sample("application/json", json.dumps(SAMPLE)), libraries=["numpy", "spacy"])


def load_ner(pipeline: str) -> Language:
    """The pipeline with only what its ner needs: other pipes cost time and memory in every request."""
    try:
        nlp = spacy.load(pipeline)
    except OSError:
        sys.exit(f"{pipeline} is not installed; run: {sys.executable} -m spacy download {pipeline}")
    if "ner" not in nlp.pipe_names:
        sys.exit(f"{pipeline} has no ner pipe; it has: {', '.join(nlp.pipe_names)}")
    for name in set(nlp.component_names) - needed_pipes(nlp):
        nlp.remove_pipe(name)
    return nlp


def needed_pipes(nlp: Language) -> set[str]:
    """ner, and the pipe that it listens to, such as a shared transformer, where there is one."""
    listened = {name for name, pipe in nlp.components if "ner" in getattr(pipe, "listening_components", ())}
    return {"ner"} | listened


if __name__ == "__main__":
    main()
