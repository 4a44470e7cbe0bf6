"""What a user of the SageMaker Python SDK does in local mode: fit, deploy, predict, transform.

Run by test_sdk_local_mode.py with the Python of the SDK's own virtual environment; writes FOLDER/results.json.
usage: sdk_program.py IMAGE FOLDER PORT
"""

import json
import sys
from pathlib import Path
from typing import Any

from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer, JSONSerializer
from sagemaker.transformer import Transformer

ROLE = "arn:aws:iam::111111111111:role/none"
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 2.7, 4.9, 1.8]]
STRATEGIES = ("MultiRecord", "SingleRecord")  # each with the input folder of its name


def main(image: str, folder: Path, port: int) -> None:
    session = LocalSession()
    session.config = {"local": {"local_code": True, "serving_port": port, "container_root": str(folder)}}
    artifact = fit(image, folder, session)
    model = Model(image, model_data=artifact, role=ROLE, sagemaker_session=session, predictor_cls=Predictor, name="m")
    results = {"artifact": artifact, "predictions": deploy_and_predict(model)}
    for strategy in STRATEGIES:  # transform starts the model by the name that deploy gave it
        transform("m", strategy, folder, session)
    (folder / "results.json").write_text(json.dumps(results))


def fit(image: str, folder: Path, session: LocalSession) -> str:
    """The URL of the trained artifact. Raises when the image's `train` exits with another code than 0."""
    estimator = Estimator(
        image, ROLE, 1, "local", output_path=f"file://{folder}/artifact", hyperparameters={"C": 0.5, "folds": 3},
        sagemaker_session=session,
    )  # fmt: skip
    estimator.fit({"training": f"file://{folder}/training"})
    return str(estimator.model_data)


def deploy_and_predict(model: Model) -> dict[str, Any]:
    """The answers of a local endpoint to CSV and JSON. It is deleted again."""
    predictor = model.deploy(1, "local", endpoint_name="e", wait=False)  # /ping is 200 then; wait=True sleeps 30 s more
    try:
        predictor.deserializer = JSONDeserializer()
        predictor.serializer = CSVSerializer()
        from_csv = predictor.predict(ROWS)
        predictor.serializer = JSONSerializer()
        return {"csv": from_csv, "json": predictor.predict({"instances": ROWS})}
    finally:
        predictor.delete_endpoint()


def transform(model_name: str, strategy: str, folder: Path, session: LocalSession) -> None:
    """Predictions as CSV in folder/out for each line of each file in the strategy's folder."""
    transformer = Transformer(
        model_name, 1, "local", strategy=strategy, max_payload=1, output_path=f"file://{folder}/out",
        accept="text/csv", assemble_with="Line", sagemaker_session=session,
    )  # fmt: skip
    source = f"file://{folder}/{strategy}"
    transformer.transform(source, content_type="text/csv", split_type="Line", wait=False)  # waiting asks AWS for logs


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
