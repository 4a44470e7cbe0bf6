"""Where the time of your requests goes, by stage and by line: python -m bench.profile [--model-dir DIR]

Starts the real server, loads it with the manifest's sample request or --payload, and lets py-spy watch the worker that
answers most. Prints a table of stages and one of lines, yours marked; writes a flame graph. `make profile` runs it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench.environments import BUILD_DIR, PROJECT_DIR
from bench.frames import Line, by_line, parse_stacks
from bench.load import counted, wrk
from bench.machine import prepare
from bench.servers import Failed
from bench.slots import Form, Unknown
from bench.stages import read_stages, requests, whole_ms
from container.manifest import read_manifest
from local_test.run import TEST_DIR, LocalServer

PY_SPY = BUILD_DIR / "tools" / "venv" / "bin" / "py-spy"
FOLDER = BUILD_DIR / "profile"
NOT_ALLOWED = (
    "py-spy may not read other processes here: run it as root (sudo -E make profile), in Docker with "
    "--cap-add SYS_PTRACE, or set kernel.yama.ptrace_scope=0"
)


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when something failed, 2 for a wrong command line; each with a sentence."""
    options = read_options(arguments)
    try:
        form, payload = request_of(options)
        prepare()
        profile(options, form, payload)
    except Unknown as unknown:
        print(f"profile: {unknown}", file=sys.stderr)
        return 2
    except (Failed, RuntimeError) as failed:
        print(f"profile: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model-dir", type=Path, default=TEST_DIR / "model", help="default: the sample's")
    parser.add_argument("--payload", type=Path, help="a file to send (default: the sample request of manifest.json)")
    parser.add_argument("--content-type", default="text/csv", help="of --payload (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=10, help="of each of two recordings (default: %(default)s)")
    parser.add_argument("--lines", type=int, default=20, help="of the table (default: %(default)s)")
    return parser.parse_args(arguments)


def request_of(options: argparse.Namespace) -> tuple[Form, Path]:
    """What is sent, as a file. Raises Unknown when there is nothing to send."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if options.payload is not None:
        if not options.payload.is_file():
            raise Unknown(f"there is no file {options.payload}")
        return Form("/invocations", options.content_type, "", "", accept="*/*"), options.payload
    manifest = read_manifest(options.model_dir)
    if manifest is None or manifest.sample is None:
        raise Unknown(f"{options.model_dir} has no manifest.json with a sample request; name a file with PAYLOAD=")
    path = FOLDER / "sample"
    path.write_text(manifest.sample.body)
    return Form("/invocations", manifest.sample.content_type, "", "", accept="*/*"), path


def profile(options: argparse.Namespace, form: Form, payload: Path) -> None:
    """Record twice, lines and then the flame graph, each under load; print what was seen. Raises Failed."""
    log_path = FOLDER / "log"
    with log_path.open("wb") as log, LocalServer(options.model_dir, log=log) as server:
        print(f"starting the server of {options.model_dir}; its log is {log_path}", file=sys.stderr)
        server.wait_ready()
        url = f"{server.url}/invocations"
        with wrk(url, form, payload, options.connections, 1) as process:
            counted(process)
        start, pid = log_path.stat().st_size, busiest(log_path)
        told, stacks = under_load(options, url, form, payload, pid, "raw")
        stages = stages_since(log_path, start, whole_ms(options.connections, told))
        _, graph = under_load(options, url, form, payload, pid, "flamegraph")
    if told["refused"] or told["socket"]:
        print(f"{told['refused'] + told['socket']} answers were errors; {log_path} says why", file=sys.stderr)
    print(stage_table(stages, told, options.connections))
    print(line_table(by_line(parse_stacks(stacks.read_text()), [PROJECT_DIR, options.model_dir]), options.lines))
    print(f"\nflame graph: {graph}")


def busiest(log_path: Path) -> int:
    """The process that answered most requests. Raises Failed when none did."""
    with log_path.open("rb") as log:
        answered = Counter(each["pid"] for each in requests(log))
    if not answered:
        raise Failed(f"no request was answered with 200; {log_path} says why")
    pid: int = answered.most_common(1)[0][0]
    return pid


def under_load(
    options: argparse.Namespace, url: str, form: Form, payload: Path, pid: int, kind: str
) -> tuple[dict[str, int], Path]:
    """Record a process while wrk asks: what wrk counted, and the recording."""
    with wrk(url, form, payload, options.connections, options.seconds + 1) as process:
        path = record(pid, kind, options.seconds)
        return counted(process), path


def record(pid: int, kind: str, seconds: int) -> Path:
    """What py-spy saw of a process, as folded stacks or as an SVG file. Raises Failed, with what to do."""
    path = FOLDER / {"raw": "stacks.txt", "flamegraph": "flame.svg"}[kind]
    command = [str(PY_SPY), "record", "--pid", str(pid), "--duration", str(seconds), "--rate", "200",
               "--format", kind, "--full-filenames", "--output", str(path)]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Failed("py-spy is not installed; make profile installs it") from error
    if done.returncode:
        allowed = "ermission" not in done.stderr
        raise Failed(f"py-spy: {done.stderr.strip()[-300:]}" if allowed else NOT_ALLOWED)
    return path


def stages_since(log_path: Path, start: int, whole: float) -> dict[str, float]:
    with log_path.open("rb") as log:
        log.seek(start)
        return read_stages(log, whole)


def stage_table(stages: dict[str, float], told: dict[str, int], connections: int) -> str:
    """Mean milliseconds a request, and how much of the whole that is."""
    whole = sum(stages.values())
    lines = [f"{stage:10} {mean:9.3f} ms {100 * mean / whole:5.1f} %" for stage, mean in stages.items()]
    rate = told["requests"] * 1e6 / told["took_us"]
    return "\n".join([f"\n{rate:,.0f} requests/s, {connections} connections; a request by stage:", *lines])


def line_table(lines: list[Line], limit: int) -> str:
    """The lines with the most time in them or below them, up to the next line of yours or ours."""
    head = "\n  time  whose  line, with the libraries that it calls"
    return "\n".join(
        [head, *(f"{each.share:5.1f} %  {each.owner:5}  {each.place}  {each.source}" for each in lines[:limit])]
    )


if __name__ == "__main__":
    raise SystemExit(main())
