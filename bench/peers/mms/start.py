"""Becomes multi-model-server as sagemaker-inference starts it, but on loopback, with its files in RUN_DIR."""

import os
import shutil
import sys
from pathlib import Path

import sagemaker_inference

run_dir = Path(os.environ["RUN_DIR"])
code = run_dir / "model" / "code"
code.mkdir(parents=True)
shutil.copy(Path(__file__).with_name("inference.py"), code)
etc = Path(sagemaker_inference.__file__).parent / "etc"
address = f"http://127.0.0.1:{os.environ['PORT']}"
more = f"""
default_response_timeout=60
default_workers_per_model={os.environ["WORKERS"]}
inference_address={address}
management_address={address}
default_service_handler=sagemaker_inference.default_handler_service
"""
config = run_dir / "mms.properties"
config.write_text((etc / "default-mms.properties").read_text() + more)
os.environ |= {"TMPDIR": str(run_dir), "LOG_LOCATION": str(run_dir), "METRICS_LOCATION": str(run_dir),
               "SAGEMAKER_BASE_DIR": str(run_dir), "PYTHONPATH": f"{code}:{os.environ['PYTHONPATH']}"}  # fmt: skip
os.chdir(run_dir)
program = str(Path(sys.executable).with_name("multi-model-server"))
os.execv(program, [program, "--start", "--foreground", "--model-store", "/", "--mms-config", str(config),
                   "--log-config", str(etc / "log4j2.xml"), "--models", f"model={run_dir / 'model'}"])  # fmt: skip
