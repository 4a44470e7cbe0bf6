"""How fast CSV of numbers is decoded, beside pandas.read_csv on the same bytes.

Run `python -m bench.csv_decode` in the repository's root, with the development requirements installed and nothing else
busy. Each round decodes every body READS times with ours and as often with pandas, in turn, so that both meet the same
machine; the table gives medians of --rounds (51) rounds in microseconds, and their ratio. Values are compared first:
they must be equal. `--output json` prints the same as JSON.

How many times as fast as pandas, on two cores of an AMD EPYC that others kept busy (Python 3.11, numpy 2.4, pandas
3.1); from run to run the ratios vary by a tenth:

                       1 decimal   3 decimals   4 decimals   6 decimals   17 digits   integers
        1 x 4               40           39           36           36          39         35
    1,000 x 4              5.1          4.4          4.4          3.7         2.7        5.0
    1,000 x 10             4.8          4.3          4.2          3.5         1.9        5.6
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from container.codecs import decode

FORMS: dict[str, Callable[[float], str]] = {
    "1 decimal": "{:.1f}".format,
    "3 decimals": "{:.3f}".format,
    "4 decimals": "{:.4f}".format,
    "6 decimals": "{:.6f}".format,
    "17 digits": repr,
    "integers": "{:.0f}".format,
}
SHAPES = [(1, 4), (1000, 4), (1000, 10)]

READS = 5
"""In a row: the first finds the processor's caches full of the other's code and data."""


def body(rows: int, columns: int, form: Callable[[float], str]) -> bytes:
    """A CSV body of normally distributed numbers, the same at each call."""
    numbers = np.random.default_rng(7).normal(scale=10, size=(rows, columns)).tolist()
    return "".join(",".join(map(form, row)) + "\n" for row in numbers).encode()


def ours(text: bytes) -> NDArray[Any]:
    return decode(text, "text/csv").values  # type: ignore[no-any-return]


def pandas(text: bytes) -> NDArray[Any]:
    return pd.read_csv(io.BytesIO(text), header=None).to_numpy(np.float64)  # type: ignore[no-any-return]


def compare(text: bytes, rounds: int) -> tuple[float, float]:
    """Median microseconds of ours and of pandas, taken in turn, after their values were found equal."""
    np.testing.assert_array_equal(ours(text), pandas(text))
    times: dict[Callable[[bytes], NDArray[Any]], list[float]] = {ours: [], pandas: []}
    for _ in range(rounds):
        for read, taken in times.items():
            for _ in range(READS):
                start = perf_counter()
                read(text)
                taken.append((perf_counter() - start) * 1e6)
    return median(times[ours]), median(times[pandas])


def measure(rounds: int) -> list[dict[str, Any]]:
    results = []
    for rows, columns in SHAPES:
        for name, form in FORMS.items():
            text = body(rows, columns, form)
            ours_us, pandas_us = compare(text, rounds)
            times = {"ours_us": round(ours_us, 1), "pandas_us": round(pandas_us, 1)}
            shape = {"rows": rows, "columns": columns, "form": name, "bytes": len(text)}
            results.append({**shape, **times, "ratio": round(pandas_us / ours_us, 2)})
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.csv_decode", description=__doc__)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    results = measure(options.rounds)
    if options.output == "json":
        print(json.dumps(results, indent=2))
        return
    for row in [{key: key for key in results[0]}, *results]:
        print("".join(f"{value!s:>12}" for value in row.values()))


if __name__ == "__main__":
    main()
