"""A real-time endpoint by the SageMaker Python SDK, version 2. A worked example: docs/deploy-elsewhere.md.

sagemaker_sdk_v2.py NAME IMAGE ARTIFACT ROLE: deploys, asks once, removes what it made. Needs sagemaker<3 (306 MB).
"""

from __future__ import annotations

import sys

from sagemaker.deserializers import JSONDeserializer
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 2.7, 4.9, 1.8]]


def main(name: str, image: str, artifact: str, role: str) -> None:
    # The SDK makes a model's name of the image's, and of an image by digest one that AWS refuses: so it gets a name.
    model = Model(image_uri=image, model_data=artifact, role=role, name=f"{name}-model", predictor_cls=Predictor)
    predictor = model.deploy(
        initial_instance_count=1,
        instance_type="ml.m5.large",
        endpoint_name=name,
        serializer=CSVSerializer(),
        deserializer=JSONDeserializer(),
    )
    try:
        print(predictor.predict(ROWS))
    finally:
        predictor.delete_endpoint(delete_endpoint_config=True)
        model.delete_model()


if __name__ == "__main__":
    main(*sys.argv[1:])
