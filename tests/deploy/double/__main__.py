"""The double alone, for a look by hand: python -m tests.deploy.double PORT [ENDPOINT=http://127.0.0.1:8080 ...]"""

from __future__ import annotations

import sys
import threading

from tests.deploy.double.server import running


def main(port: int, routes: dict[str, str | list[str]]) -> None:
    with running(port) as double:
        double.routes = routes
        sys.stdout.write(f"export AWS_ENDPOINT_URL={double.url} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    pairs = (word.partition("=") for word in sys.argv[2:])
    main(int(sys.argv[1]), {name: url for name, _, url in pairs})
