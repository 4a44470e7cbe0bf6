"""The four functions, each with a context as its last argument."""


def model_fn(model_dir, context):
    return "model"


def input_fn(body, content_type, context):
    return [str(len(body))]


def predict_fn(data, model, context):
    return [*data, model]


def output_fn(prediction, accept, context):
    return " ".join(prediction)
