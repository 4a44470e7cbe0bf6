"""A predictor in the manner of the sample of 2018: Flask, pandas, the model loaded by the first /ping."""

import io

import artifact
import flask
import pandas as pd

app = flask.Flask(__name__)
loaded = []


def model():
    if not loaded:
        loaded.append(artifact.load())
    return loaded[0]


@app.route("/ping", methods=["GET"])
def ping():
    return flask.Response("\n", 200 if model() is not None else 404, mimetype="application/json")


@app.route("/invocations", methods=["POST"])
def invocations():
    if flask.request.content_type == "text/csv":
        frame = pd.read_csv(io.StringIO(flask.request.data.decode()), header=None)
        answer = pd.DataFrame({"results": model().predict(frame)}).to_csv(header=False, index=False)
        return flask.Response(answer, 200, mimetype="text/csv")
    given = flask.request.get_json()
    if artifact.IS_TEXT:
        return flask.jsonify(output=artifact.entities(model(), given["input"]))
    return flask.jsonify(predictions=model().predict(pd.DataFrame(given["instances"])).tolist())
