"""CSV in, CSV out; the model is loaded by the first /ping."""

import io
import os

import flask
import joblib
import pandas as pd

app = flask.Flask(__name__)


class Service:
    model = None

    @classmethod
    def get_model(cls):
        if cls.model is None:
            cls.model = joblib.load(os.path.join("/opt/ml/model", "model.joblib"))
        return cls.model


@app.route("/ping", methods=["GET"])
def ping():
    status = 200 if Service.get_model() is not None else 404
    return flask.Response(response="\n", status=status, mimetype="application/json")


@app.route("/invocations", methods=["POST"])
def transformation():
    if flask.request.content_type != "text/csv":
        return flask.Response(response="This predictor only supports CSV data", status=415, mimetype="text/plain")
    data = pd.read_csv(io.StringIO(flask.request.data.decode("utf-8")), header=None)
    out = io.StringIO()
    pd.DataFrame({"results": Service.get_model().predict(data)}).to_csv(out, header=False, index=False)
    return flask.Response(response=out.getvalue(), status=200, mimetype="text/csv")
