"""python -m local_test.conformance IMAGE: what a container keeps of the platform's contract."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local_test.conformance.assertion import Claim
from local_test.conformance.bench import Options
from local_test.conformance.catalogue import select
from local_test.conformance.runner import run
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Image


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("--model-dir", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--claim", default="")
    parser.add_argument("--fast", action="store_true")
    given = parser.parse_args()
    claims = frozenset(Claim(word) for word in given.claim.split(",") if word)
    options = Options(model_dir=given.model_dir, claims=claims, fast=given.fast)
    assertions = select(only=[word for word in given.only.split(",") if word])
    report = run(Image(given.image, Setup()), options, assertions)
    for result in report.results:
        print(f"{result.assertion.id} {result.level} {result.outcome:15} {result.seconds:6.1f} s  {result.seen}")
    return 0 if report.conforms() else 1


if __name__ == "__main__":
    sys.exit(main())
