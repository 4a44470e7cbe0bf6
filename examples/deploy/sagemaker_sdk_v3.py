"""A real-time endpoint by the SageMaker Python SDK, version 3. A worked example: docs/deploy-elsewhere.md.

sagemaker_sdk_v3.py NAME IMAGE ARTIFACT ROLE: deploys, asks once, removes what it made.
Needs sagemaker-core (447 MB), of which sagemaker>=3 (1 GB) is made.
"""

from __future__ import annotations

import sys

from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant

ROWS = b"5.1,3.5,1.4,0.2\n6.3,2.7,4.9,1.8\n"


def main(name: str, image: str, artifact: str, role: str) -> None:
    model = Model.create(
        model_name=f"{name}-model",
        primary_container=ContainerDefinition(image=image, model_data_url=artifact),
        execution_role_arn=role,
    )
    variant = ProductionVariant(
        variant_name="main", model_name=f"{name}-model", instance_type="ml.m5.large", initial_instance_count=1
    )
    config = EndpointConfig.create(endpoint_config_name=f"{name}-config", production_variants=[variant])
    endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=f"{name}-config")
    try:
        endpoint.wait_for_status("InService")
        answer = endpoint.invoke(body=ROWS, content_type="text/csv", accept="application/json")
        print(answer.body.read().decode())
    finally:
        endpoint.delete()
        config.delete()
        model.delete()


if __name__ == "__main__":
    main(*sys.argv[1:])
