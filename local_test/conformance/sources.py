"""What the codes in Assertion.source stand for: pages of AWS's documentation, open-source packages, field reports."""

from __future__ import annotations

GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg/"
GITHUB = "https://github.com/"

ADDRESSES = {
    "DG:host": GUIDE + "your-algorithms-inference-code.html",
    "DG:batch": GUIDE + "your-algorithms-batch-code.html",
    "DG:train": GUIDE + "your-algorithms-training-algo.html",
    "DG:model-checkpoints": GUIDE + "model-checkpoints.html",
    "DG:mme": GUIDE + "mms-container-apis.html",
    "DG:mce": GUIDE + "multi-container-endpoints.html",
    "DG:sip": GUIDE + "inference-pipelines.html",
    "DG:sls": GUIDE + "serverless-endpoints.html",
    "DG:async": GUIDE + "async-inference.html",
    "DG:sess": GUIDE + "stateful-sessions.html",
    "DG:faq": GUIDE + "hosting-faqs.html",
    "DG:ts": GUIDE + "deploy-model-troubleshoot.html",
    "DG:unc": GUIDE + "large-model-inference-uncompressed.html",
    "DG:net": GUIDE + "mkt-algo-model-internet-free.html",
    "DG:oai": GUIDE + "realtime-endpoints-openai-compatible.html",
    "DG:roles": GUIDE + "sagemaker-roles.html",
    "DG:obs": "the developer guide's page on detailed observability of endpoints",
    "API": "the service model of Amazon SageMaker, 2017-07-24, in botocore",
    "RT2": "the service model of the bidirectional runtime, 2025-10-01",
    "RT": "the service model of the SageMaker runtime, 2017-05-13, in botocore",
    "IT": GITHUB + "aws/sagemaker-inference-toolkit",
    "SC": GITHUB + "aws/sagemaker-containers",
    "MMS": GITHUB + "awslabs/multi-model-server",
    "MHCS": GITHUB + "aws/model-hosting-container-standards",
    "XGB": GITHUB + "aws/sagemaker-xgboost-container",
    "DJL": GITHUB + "deepjavalibrary/djl-serving",
    "DLC": GITHUB + "aws/deep-learning-containers",
    "SDK2": GITHUB + "aws/sagemaker-python-sdk, version 2, local mode",
    "SDK3": GITHUB + "aws/sagemaker-python-sdk, version 3, local mode",
    "FR": "reports from the field, in the issue that is named where one is",
    "OBS": "seen in code or in reports from the field, written down nowhere",
    "convention": "what engineers expect of any server; the platform does not say so",
}


def addresses(source: str) -> list[str]:
    """One line for each code in it; the text itself where it has none."""
    words = source.replace(",", " ").replace(";", " ").replace("#", " ").split()
    inferred = ["inferred from:"] if "inf" in words else []
    return inferred + [f"{word}: {ADDRESSES[word]}" for word in dict.fromkeys(words) if word in ADDRESSES] or [source]
