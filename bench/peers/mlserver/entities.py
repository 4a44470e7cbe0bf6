"""MLServer's runtime for the spaCy model; takes several texts at once, so that batching pays."""

import json

import artifact
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse


class Entities(MLModel):
    async def load(self):
        self.nlp = artifact.load()
        return True

    async def predict(self, payload):
        texts = StringCodec.decode_input(payload.inputs[0])
        found = [json.dumps(artifact.entities_of(doc)) for doc in self.nlp.pipe(texts)]
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("entities", found)])
