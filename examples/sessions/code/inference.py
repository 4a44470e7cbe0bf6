"""A basket that a session remembers: docs/modes/sessions.md serves this folder."""


def model_fn(model_dir):
    return {"apple": 2.0, "plum": 0.5}


def predict_fn(data, model, context):
    basket = context.session if context.session is not None else {}
    basket.update(data)
    return {"basket": basket, "total": sum(model[name] * count for name, count in basket.items())}
