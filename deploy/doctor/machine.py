"""This machine: what building and packing need. A check of doctor."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from deploy.doctor.finding import Finding, fine, note

ASK = ("docker", "version", "--format", "{{.Server.Version}}, {{.Server.Os}}/{{.Server.Arch}}")
ANSWER_S = 20
NEEDED = "build_and_push.sh and `package` need it; all other verbs do without"


def docker() -> Iterator[Finding]:
    """A note where there is none: whoever deploys from CI may have none."""
    try:
        done = subprocess.run(ASK, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except FileNotFoundError:
        yield note("Docker", f"not installed; {NEEDED}", "https://docs.docker.com/get-docker/")
    except subprocess.TimeoutExpired:
        yield note("Docker", f"no answer within {ANSWER_S} s; {NEEDED}", "Start the engine anew.")
    else:
        if done.returncode:
            yield note("Docker", f"no engine answers; {NEEDED}", "Start it: `docker version` says more.")
        else:
            yield fine("Docker", done.stdout.strip())
