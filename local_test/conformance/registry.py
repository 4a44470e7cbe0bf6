"""What a registry holds under an image's name: the manifest that the platform would be given.

Used by checks of the image. Asked as docker does: with its login, without TLS only on this machine.
Source: OCI Distribution Specification 1.1, "Pulling manifests"; OCI Image Specification 1.1, "Image Index".
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker.auth
import docker.errors
import docker.utils
import requests

from local_test.conformance.assertion import Untestable

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ANY = ", ".join((DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX))
LIMIT_BYTES = 4 * 2**20  # what the specification asks a registry to take
LIMIT_S = 10.0
ATTESTATION = "vnd.docker.reference.type"  # moby/buildkit docs/attestations/attestation-storage.md
NOT_PUSHED = (
    "needs the manifest that a push makes: push it, then run it again with the name it has there, HOST/REPOSITORY:TAG"
)

Entry = Mapping[str, Any]
"""A descriptor in a list of manifests."""


@dataclass(frozen=True)
class Manifest:
    """A manifest, or a list of them."""

    media_type: str
    known: tuple[Entry, ...] | None = ()
    """What a list holds. None: it could not be read."""

    @property
    def is_list(self) -> bool:
        return self.media_type in (DOCKER_LIST, OCI_INDEX)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What a list holds; nothing for one manifest. Raises Untestable."""
        if self.known is None and self.is_list:
            raise Untestable(NOT_PUSHED)
        return self.known or ()


@dataclass(frozen=True)
class Reference:
    """A name that says which registry it is of."""

    host: str
    repository: str
    tag: str
    """Or a digest."""

    @property
    def url(self) -> str:
        name = self.host.rpartition(":")[0] or self.host
        scheme = "http" if name == "localhost" or name.startswith("127.") else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}/manifests/{self.tag}"


def reference(name: str) -> Reference | None:
    """The parts of HOST/REPOSITORY:TAG or @DIGEST. None for a name without a host: it may never have been pushed."""
    path, tag = docker.utils.parse_repository_tag(name)
    try:
        host, repository = docker.auth.resolve_repository_name(path)
    except docker.errors.InvalidRepository:
        return None
    return None if host == docker.auth.INDEX_NAME else Reference(host, repository, tag or "latest")


def pushed(name: str, attributes: Mapping[str, Any]) -> Manifest:
    """What a registry holds of an image of the engine, or would be sent. Raises Untestable where nobody can say."""
    for each in (name, *(attributes.get("RepoDigests") or ())):
        if (wanted := reference(each)) is not None:
            return manifest(wanted)
    descriptor = attributes.get("Descriptor")  # of engines that store images as containerd does
    if descriptor is None:
        raise Untestable(NOT_PUSHED)
    return Manifest(descriptor["mediaType"], None)


def is_attestation(entry: Entry) -> bool:
    platform = entry.get("platform") or {}
    unknown = (platform.get("os"), platform.get("architecture")) == ("unknown", "unknown")
    return unknown or ATTESTATION in (entry.get("annotations") or {})


def manifest(wanted: Reference) -> Manifest:
    """What the registry answers whoever takes any type. Raises Untestable where it gives none."""
    try:
        with requests.get(
            wanted.url, headers={"Accept": ANY}, auth=_login(wanted.host), timeout=LIMIT_S, stream=True,
            proxies={"http": ""},  # plain HTTP stays on this machine
        ) as answer:  # fmt: skip
            if answer.status_code != requests.codes.ok:
                raise Untestable(_refusal(wanted, answer.status_code))
            content = json.loads(_bounded(answer))
            media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    except (requests.RequestException, ValueError) as error:
        raise Untestable(f"the registry {wanted.host} does not give the manifest: {error}") from error
    return Manifest(media_type, tuple(content.get("manifests") or ()))


def _bounded(answer: requests.Response) -> bytes:
    """The body. Raises ValueError past the limits: timeout= bounds the wait for some bytes only."""
    data, end_s = b"", time.monotonic() + LIMIT_S
    for chunk in answer.iter_content(1 << 16):
        data += chunk
        if len(data) > LIMIT_BYTES or time.monotonic() > end_s:
            raise ValueError(f"more than {LIMIT_BYTES} bytes or {LIMIT_S:g} s")
    return data


def _login(host: str) -> tuple[str, str] | None:
    """What `docker login` has left for this registry."""
    try:
        found = docker.auth.resolve_authconfig(docker.auth.load_config(), host)
    except docker.errors.DockerException:
        return None
    return (found["username"], found["password"]) if found and found.get("username") else None


def _refusal(wanted: Reference, status: int) -> str:
    if status in (401, 403):
        return f"the registry {wanted.host} asks for a login: docker login {wanted.host}, then run it again"
    if status == requests.codes.not_found:
        return f"the registry {wanted.host} has no {wanted.repository}:{wanted.tag}: push it, then run it again"
    return f"the registry {wanted.host} answered {status} for {wanted.repository}:{wanted.tag}"
