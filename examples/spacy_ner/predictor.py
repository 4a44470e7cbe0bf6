"""Named entities with spaCy. Lies in the artifact as code/inference.py; only what differs from the defaults is here.

    {"input": "Seattle is rainy."}    ->  {"output": [["Seattle", "GPE"]]}
    {"input": ["Seattle", "Oslo"]}    ->  {"output": [[["Seattle", "GPE"]], [["Oslo", "GPE"]]]}

The default model_fn loads the pipeline folder beside code/, the default input_fn and output_fn speak JSON.
"""

from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from container.errors import PayloadTooLarge, UnprocessableInput


def predict_fn(data: Any, model: Language) -> dict[str, Any]:
    """The entities of a text, or of each text of a list, in one pass over the pipeline."""
    texts = texts_of(data)
    if any(len(text) > model.max_length for text in texts):
        raise PayloadTooLarge(f"A text may have at most {model.max_length} characters.")
    entities = [entities_of(doc) for doc in model.pipe(texts)]
    return {"output": entities[0] if isinstance(data["input"], str) else entities}


def texts_of(data: Any) -> list[str]:
    """The texts of a request body, always as a list."""
    given = data.get("input") if isinstance(data, dict) else None
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnprocessableInput('Send {"input": "a text"} or {"input": ["a text", "another"]}.')
    return texts


def entities_of(doc: Doc) -> list[tuple[str, str]]:
    """Each entity's text and label, in the order of the text."""
    return [(entity.text, entity.label_) for entity in doc.ents]
