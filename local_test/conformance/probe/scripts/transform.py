"""transform_fn in place of input_fn, predict_fn and output_fn."""


def model_fn(model_dir):
    return "model"


def transform_fn(model, data, content_type, accept):
    return f"{model} {len(data)}"
