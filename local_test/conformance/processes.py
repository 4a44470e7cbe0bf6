"""The processes in a container: how many are alike, and what comes of killing them. Used by files of checks/."""

from __future__ import annotations

from collections import Counter
from itertools import takewhile

from local_test.conformance.assertion import Untestable
from local_test.conformance.server import Server

NAME_WORDS = 4
NOT_ALLOWED = 3

# Kills every process that has none of its own below it, but the first; a plain shell's words alone, as images are slim.
KILL_WORKERS = """
parents=' ' pids=''
for folder in /proc/[0-9]*; do
    read -r line 2>/dev/null < "$folder/stat" || continue
    set -- ${line##*) }
    [ "$1" = Z ] && continue
    parents="$parents$2 " pids="$pids ${folder#/proc/}"
done
for pid in $pids; do
    case "$parents 1 $$ " in *" $pid "*) continue ;; esac
    if kill -9 "$pid" 2>/dev/null; then echo "$pid"; elif [ -d "/proc/$pid" ]; then exit 3; fi
done
"""


def kill_workers(server: Server) -> int:
    """SIGKILL for each process without a child, but the first: how many. Raises Untestable where it cannot be done."""
    code, output = server.execute("sh", "-c", KILL_WORKERS)
    if code == NOT_ALLOWED:
        raise Untestable("its user may not kill its workers")
    if code in (126, 127):
        raise Untestable("there is no shell in the image by which a worker could be killed")
    return len(output.split())


def most_alike(workers: list[list[str]]) -> tuple[str, int]:
    """The most frequent command among them, without its options, and how many run it."""
    names = Counter(
        " ".join(takewhile(lambda word: not word.startswith("--"), words[:NAME_WORDS])) for words in workers
    )
    return names.most_common(1)[0] if names else ("", 0)
