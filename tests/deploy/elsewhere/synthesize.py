"""What the CDK makes of examples/deploy/cdk/app.py, as cdk.json beside this file: for whoever changes the app.

aws-cdk-lib is 463 MB and needs Node, so CI has the result, and test_cdk.py sees that it is this app's:
python -m tests.deploy.elsewhere.synthesize PYTHON-THAT-HAS-AWS-CDK-LIB
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.deploy.configs import TABLE
from tests.dockerfile import ROOT

APP = ROOT / "examples" / "deploy" / "cdk" / "app.py"
RESULT = Path(__file__).with_name("cdk.json")
VERSION = "import importlib.metadata as m; print(m.version('aws-cdk-lib'))"


def main(python: str) -> None:
    context = json.dumps({name: TABLE[name] for name in ("name", "image", "artifact", "role")})
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CDK_OUTDIR": folder, "CDK_CONTEXT_JSON": context}
        subprocess.run([python, APP.name], cwd=APP.parent, env=environment, check=True)
        (template,) = Path(folder).glob("*.template.json")
        made = json.loads(template.read_text())
    version = subprocess.run([python, "-c", VERSION], capture_output=True, text=True, check=True).stdout.strip()
    told = {"aws-cdk-lib": version, "app.py": app_hash(), "template": made}
    RESULT.write_text(json.dumps(told, indent=1) + "\n")


def app_hash() -> str:
    return hashlib.sha256(APP.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1])
