"""A service of one model: JSON as BentoML's types say, CSV as text."""

import bentoml
import joblib
import numpy as np
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route


def ping(request):
    return Response()


health = Starlette(routes=[Route("/ping", ping)])


@bentoml.service(workers=2, traffic={"timeout": 60})
@bentoml.asgi_app(health)
class Classifier:
    def __init__(self):
        self.model = joblib.load("/opt/ml/model/model.joblib")

    @bentoml.api(route="/invocations")
    def invocations(self, instances: list[list[float]]) -> dict:
        return {"predictions": self.model.predict(np.asarray(instances)).tolist()}
