"""Looks at the processes of a server from outside. Called by server.Server."""

from __future__ import annotations

from pathlib import Path

import psutil

AS_INIT = (  # prctl(PR_SET_CHILD_SUBREAPER, 1) outlives exec
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0);"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def children(pid: int, program: str | None = None) -> list[int]:
    """Pids of the children of a process, oldest first, of one program or of all; none when it is gone."""
    try:
        found = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []
    return [each.pid for each in found if program is None or program_of(each) == program]


def program_of(process: psutil.Process) -> str:
    """nginx or gunicorn; a child that has not yet become either is none."""
    try:
        line = " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # gone meanwhile, or a zombie
        return ""
    return "nginx" if line.startswith("nginx:") or "nginx.conf" in line else "gunicorn" if "gunicorn" in line else ""


def processes_in(*folders: Path) -> list[psutil.Process]:
    """Every living process whose working folder is one of these."""
    return [each for each in psutil.process_iter() if _working_folder(each) in map(str, folders)]


def open_connections(pid: int, port: int) -> int:
    """Established connections that a process has accepted on a port."""
    kernel = psutil.Process(pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in kernel)


def listening_ports(process: psutil.Process) -> set[int]:
    """The TCP ports that a process listens on."""
    return {each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}


def _working_folder(process: psutil.Process) -> str:
    try:
        return process.cwd() if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.Error:
        return ""
