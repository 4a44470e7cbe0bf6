"""The environment in which nothing of a developer's AWS account can be found or reached. Used by the fixtures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.deploy.loopback import LOG

HERE = Path(__file__).absolute().parent
NOWHERE = "http://127.0.0.1:9"  # discard: nothing listens there
REGION = "eu-central-1"


def closed(url: str, folder: Path, former: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The former environment with every AWS variable replaced: fake keys, the double at url, no file, no metadata.

    Programs that are not Python's get a proxy that does not exist for all that is not loopback.
    """
    kept = {name: value for name, value in former.items() if not name.upper().startswith("AWS_")}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
        "DOCKER_CONFIG": str(folder / "docker"),
        "PYTHONPATH": os.pathsep.join([str(HERE / "children"), kept.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        LOG: str(folder / "refused"),
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOWHERE),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost,::1"),
    }
