"""The whole way once: train the sample, serve it with nginx and gunicorn, ask it, stop. What `make demo` runs."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from local_test.run import PROJECT_DIR, TEST_DIR, LocalServer

REQUESTS = (
    ("text/csv", "5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n", "application/json"),
    ("application/json", '{"instances": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}', "application/json"),
    ("text/csv", "5.1,3.5,1.4,0.2\n", "text/csv"),
    ("text/csv", "5.1,3.5,1.4,0.2\n6.7,3.0,long,2.3\n", "application/json"),
)


def main() -> int:
    """Returns 0 when every request was answered as it should be."""
    parser = argparse.ArgumentParser(prog="python -m local_test.demo", description="Train, serve, ask, stop.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    options = parser.parse_args()
    step(1, "train: python train, on local_test/test_dir/input/data/training")
    if (code := train()) != 0:
        return code
    with tempfile.TemporaryFile("w+") as log:
        try:
            serve_and_ask(options.port, log)
        except RuntimeError as error:
            log.seek(0)
            sys.stderr.write(f"{log.read()}\ndemo: {error}\n")
            return 1
    print("\nDone; nothing is left running. Next: edit predictor.py and train, then: make serve")
    return 0


def train() -> int:
    """Run the user's `train` as the platform would, on the sample's folder."""
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(TEST_DIR), "PYTHONPATH": str(PROJECT_DIR)}
    return subprocess.call([sys.executable, "-m", "container", "train"], cwd=PROJECT_DIR, env=environment)


def serve_and_ask(port: int, log: object) -> None:
    """Start the server, send REQUESTS, print both sides, stop it."""
    with LocalServer(TEST_DIR / "model", port, log=log) as server:  # type: ignore[arg-type]
        step(2, f"serve: nginx and gunicorn on {server.url}")
        print(f"/ping answered 200 after {server.wait_ready():.1f} s")
        step(3, "ask")
        for content_type, body, accept in REQUESTS:
            ask(server.url, content_type, body, accept)
        step(4, "stop: SIGTERM, drain, exit")
    if server.process.returncode != 0:
        raise RuntimeError(f"the server ended with exit code {server.process.returncode}")


def ask(url: str, content_type: str, body: str, accept: str) -> None:
    """Send one request and print it with its answer."""
    headers = {"Content-Type": content_type, "Accept": accept}
    request = urllib.request.Request(f"{url}/invocations", body.encode(), headers)  # noqa: S310 - our own http URL
    print(f"\nPOST /invocations  Content-Type: {content_type}  Accept: {accept}")
    print(indent("> ", body))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            print(indent(f"< {answer.status} ", answer.read().decode()))
    except urllib.error.HTTPError as error:
        if error.code != 400:  # the last request is wrong on purpose, to show what an error looks like
            raise RuntimeError(f"status {error.code}: {error.read().decode()}") from error
        print(indent("< 400 ", json.loads(error.read())["detail"]))


def step(number: int, text: str) -> None:
    print(f"\n[{number}/4] {text}", flush=True)


def indent(prefix: str, text: str) -> str:
    return "\n".join(prefix + line for line in text.rstrip().splitlines())


if __name__ == "__main__":
    raise SystemExit(main())
