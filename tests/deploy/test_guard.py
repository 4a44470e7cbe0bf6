"""No test reaches a real account: what the guard refuses, in this process and in its children."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.deploy.conftest import refused
from tests.deploy.double import Double
from tests.deploy.loopback import NotLoopback

TEST_NET = ("192.0.2.1", 443)  # RFC 5737: nobody's
CONNECT = "import socket; socket.create_connection(('192.0.2.1', 443), 1)"


def aws(*words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The AWS CLI beside this Python."""
    command = [sys.executable, str(Path(sys.executable).with_name("aws")), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


WAYS_OUT = {
    "connect": lambda: socket.create_connection(TEST_NET, 1),
    "connect_ex": lambda: socket.socket().connect_ex(TEST_NET),
    "ipv6": lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 443)),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", TEST_NET),
    "name": lambda: socket.getaddrinfo("sts.amazonaws.com", 443),
    "old_name": lambda: socket.gethostbyname("sts.amazonaws.com"),
    "boto3": lambda: boto3.client("sts", endpoint_url="https://sts.amazonaws.com").get_caller_identity(),
}


@pytest.mark.parametrize("leave", WAYS_OUT.values(), ids=WAYS_OUT)
def test_this_process_cannot_leave_the_machine(leave: Any, environment: dict[str, str]) -> None:
    with pytest.raises(Exception, match=r"nothing but loopback|proxy"):
        leave()
    refused(environment)


def test_refused_attempt_fails_the_test_even_where_the_code_swallows_it(environment: dict[str, str]) -> None:
    with pytest.raises(NotLoopback):
        socket.create_connection(TEST_NET, 1)
    (told,) = refused(environment)
    assert "192.0.2.1" in told


def test_loopback_and_unix_sockets_stay_open(double: Double, tmp_path: Path) -> None:
    socket.create_connection(("127.0.0.1", int(double.url.rpartition(":")[2])), 1).close()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as near:
        server.bind(str(tmp_path / "s"))
        server.listen()
        near.connect(str(tmp_path / "s"))


def test_python_child_cannot_leave_the_machine(environment: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", CONNECT], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "NotLoopback" in done.stderr) == (1, True)
    (told,) = refused(environment)
    assert "192.0.2.1" in told


def test_aws_cli_cannot_leave_the_machine(environment: dict[str, str]) -> None:
    """Even where the endpoint is lost: the keys are fake, and the guard is in the CLI's own process."""
    del environment["AWS_ENDPOINT_URL"]
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        del environment[name]
    done = aws("sts", "get-caller-identity", environment=environment)
    assert done.returncode != 0
    assert any("sts.eu-central-1.amazonaws.com" in told for told in refused(environment))


def test_aws_cli_speaks_to_the_double(double: Double, environment: dict[str, str]) -> None:
    done = aws("sts", "get-caller-identity", "--query", "Account", "--output", "text", environment=environment)
    assert (done.stdout, done.stderr) == ("123456789012\n", "")
    assert [str(call) for call in double.calls] == ["sts:GetCallerIdentity"]


def test_no_account_of_the_developer_is_seen(environment: dict[str, str]) -> None:
    credentials = boto3.Session().get_credentials()
    assert (credentials.access_key, credentials.token, boto3.Session().available_profiles) == ("test", None, [])
    assert {name for name in environment if name.startswith("AWS_")} >= {"AWS_CONFIG_FILE", "AWS_ENDPOINT_URL"}
