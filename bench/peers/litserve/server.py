"""LitServe, by its own documentation's shape. BATCH=1: batching, with numpy arrays or spaCy's pipe."""

import os

import artifact
import litserve
import numpy as np

BATCH = bool(os.environ.get("BATCH"))
MAX_BATCH_SIZE, BATCH_TIMEOUT_S = 64, 0.005


class Rows(litserve.LitAPI):
    def setup(self, device):
        self.model = artifact.load()

    def decode_request(self, request):
        return np.asarray(request["instances"], dtype=float)

    def batch(self, inputs):
        self.sizes = [len(each) for each in inputs]
        return np.concatenate(inputs)

    def predict(self, rows):
        return self.model.predict(rows)

    def unbatch(self, output):
        return np.split(output, np.cumsum(self.sizes)[:-1])

    def encode_response(self, output):
        return {"predictions": output.tolist()}


class Texts(litserve.LitAPI):
    def setup(self, device):
        self.nlp = artifact.load()

    def decode_request(self, request):
        return request["input"]

    def batch(self, inputs):
        return inputs

    def predict(self, text):
        if isinstance(text, list):
            return [artifact.entities_of(doc) for doc in self.nlp.pipe(text)]
        return artifact.entities(self.nlp, text)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"output": output}


if __name__ == "__main__":
    batching = {"max_batch_size": MAX_BATCH_SIZE, "batch_timeout": BATCH_TIMEOUT_S} if BATCH else {}
    api = (Texts if artifact.IS_TEXT else Rows)(api_path="/invocations", **batching)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=int(os.environ["WORKERS"]), timeout=60)
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False)
