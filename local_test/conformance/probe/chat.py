"""A script with the function that OpenAI's interface stands on: becomes code/inference.py of a model folder."""


def model_fn(model_dir):
    return {}


def chat_fn(request, model):
    yield "You said: "
    yield request["messages"][-1]["content"]
