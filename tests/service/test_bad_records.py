"""Records that cannot be predicted: refused as a whole, or each a placeholder in its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from container.bad_records import Records, answer_apart, records_of
from container.errors import Overloaded, UnprocessableInput
from tests.service.conftest import SETOSA, VIRGINICA, Serve

BATCH = {"SAGEMAKER_BATCH": "true"}
BAD = "5.1,long,1.4,0.2\n"


@pytest.mark.parametrize("environ", [BATCH, {"SAGEMAKER_BATCH": "True"}, {"SERVING_BAD_RECORDS": "placeholder"}])
def test_bt_07_a_bad_record_is_a_placeholder_in_its_place(
    serve: Serve, iris_dir: Path, environ: dict[str, str]
) -> None:
    client = serve(iris_dir, environ=environ)
    rows = [SETOSA, BAD, VIRGINICA, "a,b,c,d\n", SETOSA]
    answer = client.post("/invocations", data="".join(rows), content_type="text/csv")
    assert (answer.status_code, answer.json) == (200, ["setosa", None, "virginica", None, "setosa"])
    in_csv = client.post("/invocations", data="".join(rows), content_type="text/csv", headers={"Accept": "text/csv"})
    assert in_csv.data.decode().splitlines() == ["setosa", "null", "virginica", "null", "setosa"]


def test_bt_07_so_is_a_line_of_json(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, environ=BATCH)
    lines = ["[5.1, 3.5, 1.4, 0.2]", '{"broken": ', "[6.3, 3.3, 6.0, 2.5]"]
    headers = {"Accept": "application/jsonlines"}
    answer = client.post("/invocations", data="\n".join(lines), content_type="application/jsonlines", headers=headers)
    assert answer.data.decode().splitlines() == ['"setosa"', "null", '"virginica"']


def test_a_body_of_bad_records_alone_keeps_their_count(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, environ=BATCH)
    assert client.post("/invocations", data=3 * BAD, content_type="text/csv").json == [None] * 3


def test_bt_07_so_is_a_row_of_a_table_or_a_sparse_matrix(serve: Serve, iris_dir: Path) -> None:
    for made in (pd.DataFrame, csr_array):
        client = serve(iris_dir, environ=BATCH, predict_fn=lambda data, _model, made=made: made(data[:, :2]))
        answer = client.post("/invocations", data=SETOSA + BAD + VIRGINICA, content_type="text/csv")
        rows = [list(row.values()) if isinstance(row, dict) else row for row in answer.json]
        assert rows == [[5.1, 3.5], None, [6.3, 3.3]]


def test_outside_of_batch_transform_the_request_is_refused(serve: Serve, iris_dir: Path) -> None:
    for environ in ({}, {**BATCH, "SERVING_BAD_RECORDS": "refuse"}):
        answer = serve(iris_dir, environ=environ).post("/invocations", data=SETOSA + BAD, content_type="text/csv")
        assert answer.status_code == 400
        assert "row 2, column 2" in answer.json["detail"]


def test_a_body_that_has_no_records_is_refused_in_batch_too(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, environ=BATCH)
    assert client.post("/invocations", data=b"{broken", content_type="application/json").status_code == 400
    assert client.post("/invocations", data=b"", content_type="text/csv").status_code == 400
    assert client.post("/invocations", data=b"x", content_type="application/x-nope").status_code == 415


def predict(records: list[bytes]) -> np.ndarray:
    """Twice each number; one that is negative spoils the call."""
    values = np.array([float(record) for record in records])
    CALLS.append(len(records))
    if (values < 0).any():
        raise UnprocessableInput("negative")
    return 2 * values


CALLS: list[int] = []


def test_few_bad_records_cost_few_calls() -> None:
    CALLS.clear()
    records = [b"%d" % number for number in range(1024)]
    records[700] = b"-1"
    apart = answer_apart(records, predict)
    assert (apart.values[699:702], apart.bad) == ([1398.0, None, 1402.0], 1)
    assert len(CALLS) == 21, "one for the whole, two for each halving"


def test_an_overload_is_no_record_s_fault() -> None:
    def refuse(_records: list[bytes]) -> None:
        raise Overloaded("full")

    with pytest.raises(Overloaded):
        answer_apart([b"1", b"2"], refuse)


def test_a_header_is_no_record_and_a_bad_record_no_header() -> None:
    headed = records_of(b"a,b\n1,2\n\n3,4", "text/csv; header=present", "auto")
    assert headed == Records([b"a,b"], [b"1,2", b"3,4"], "text/csv; header=present")
    assert headed.body([b"3,4"]) == b"a,b\n3,4\n"
    bare = records_of(b"x,y\r\n3,4\r\n", "text/csv; charset=latin-1", "auto")
    assert bare == Records([], [b"x,y", b"3,4"], "text/csv; header=absent; charset=latin-1")
    assert records_of(b"{}", "application/json", "auto") is None
