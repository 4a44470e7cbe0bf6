"""Named entities with spaCy. Lies in the artifact as code/inference.py; only what differs from the defaults is here.

    {"input": "Seattle is rainy."}    ->  {"output": [["Seattle", "GPE"]]}
    {"input": ["Seattle", "Oslo"]}    ->  {"output": [[["Seattle", "GPE"]], [["Oslo", "GPE"]]]}

The default model_fn loads the pipeline folder beside code/, the default output_fn's codecs write JSON.
"""

from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from container import codecs
from container.errors import PayloadTooLarge, UnprocessableInput

ROWS_ARE_INDEPENDENT = True  # texts of several requests go through the pipeline in one pass

TEXT_LIMIT_CHARS = 1_000_000  # nlp.max_length by default: more would need gigabytes of memory


def input_fn(body: str | bytes, content_type: str, context: Any) -> list[str]:
    """The texts of a request, always as a list."""
    if isinstance(body, str):  # JSON and CSV come decoded, by the request's charset
        body, content_type = body.encode(), "application/json"
    data = codecs.decode(body, content_type)
    given = data.get("input") if isinstance(data, dict) else None
    context.state["single"] = isinstance(given, str)
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnprocessableInput('Send {"input": "a text"} or {"input": ["a text", "another"]}.')
    if any(len(text) > TEXT_LIMIT_CHARS for text in texts):
        raise PayloadTooLarge(f"A text may have at most {TEXT_LIMIT_CHARS} characters.")
    return texts


def predict_fn(data: list[str], model: Language) -> list[list[tuple[str, str]]]:
    """The entities of each text, in one pass over the pipeline."""
    return [entities_of(doc) for doc in model.pipe(data)]


def output_fn(prediction: list[Any], _accept: str, context: Any) -> dict[str, Any]:
    """One text is answered by its entities, a list of texts by a list of them."""
    return {"output": prediction[0] if context.state["single"] else prediction}


def entities_of(doc: Doc) -> list[tuple[str, str]]:
    """Each entity's text and label, in the order of the text."""
    return [(entity.text, entity.label_) for entity in doc.ents]
