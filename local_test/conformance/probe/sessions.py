"""A script that keeps what it is told in its session: becomes code/inference.py of a model folder.

{"keep": "x"} keeps; {} asks. The session is context.session, a dict; the answer is null where there is none.
"""

import json


def model_fn(model_dir):
    return {}


def input_fn(body, content_type):
    return json.loads(body)


def predict_fn(data, model, context=None):
    session = getattr(context, "session", None)
    if session is None:
        return None
    if "keep" in data:
        session["kept"] = data["keep"]
    return {"kept": session.get("kept")}


def output_fn(prediction, accept):
    return json.dumps(prediction), "application/json"
