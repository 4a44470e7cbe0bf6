"""A BentoML service. BATCH=1: adaptive batching, which takes and gives lists."""

import os

import artifact
import bentoml
import numpy as np

BATCHING = {"batchable": True, "max_batch_size": 64, "max_latency_ms": 20_000}
settings = {"workers": int(os.environ["WORKERS"]), "traffic": {"timeout": 60}}

if os.environ.get("BATCH") and artifact.IS_TEXT:

    @bentoml.service(**settings)
    class Bench:
        def __init__(self):
            self.nlp = artifact.load()

        @bentoml.api(route="/invocations", **BATCHING)
        def invocations(self, input: list[str]) -> list[list[list[str]]]:
            return [artifact.entities_of(doc) for doc in self.nlp.pipe(input)]

elif os.environ.get("BATCH"):

    @bentoml.service(**settings)
    class Bench:
        def __init__(self):
            self.model = artifact.load()

        @bentoml.api(route="/invocations", **BATCHING)
        def invocations(self, instances: list[list[float]]) -> list[int]:
            return self.model.predict(np.asarray(instances)).tolist()

else:

    @bentoml.service(**settings)
    class Bench:
        def __init__(self):
            self.model = artifact.load()

        if artifact.IS_TEXT:

            @bentoml.api(route="/invocations")
            def texts(self, input: str) -> dict:
                return {"output": artifact.entities(self.model, input)}

        else:

            @bentoml.api(route="/invocations")
            def rows(self, instances: list[list[float]]) -> dict:
                return {"predictions": self.model.predict(np.asarray(instances)).tolist()}

            @bentoml.api(route="/csv")
            def csv(self, body: str, /) -> str:
                return artifact.csv_of(self.model.predict(artifact.rows_of(body)))
