"""IMG: what the image says of itself, before it runs."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from local_test.conformance import deployment, registry
from local_test.conformance.assertion import Claim, Group, expect
from local_test.conformance.bench import Bench
from local_test.conformance.claims import CAPABILITY
from local_test.conformance.registry import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, Manifest

GROUP = Group()

REFUSED = "CreateModel refuses it: Unsupported manifest media type."
PLAIN_BUILD = (
    "Build with: docker buildx build --provenance=false --sbom=false --output type=image,oci-mediatypes=false,push=true"
)
GRAVITON = re.compile(r"ml\.([a-z]+\d+g|p\d+e-gb)")  # c7g, m6gd, g5g, and Grace beside a GPU
SHELLS = {"sh", "bash", "ash", "dash"}
INITS = re.compile(r"tini(-.+)?|init|docker-init")
DRIVER = re.compile(r"lib(cuda|nvidia-ml)\.so\.\d+")
NOT_A_DRIVER = {"compat", "stubs"}  # CUDA's own: forward compatibility, and empty ones to link with
SERVERLESS_LIMIT_BYTES = 10 * 10**9
REFERENCE_LIMIT = 255
ENV_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
ENV_LIMIT = 100
ENV_LIMIT_BYTES = 32 * 1024


@GROUP.must(
    "IMG-01", "In the registry it is an image, not an OCI index of images.",
    source="FR feedback#180", otherwise=REFUSED, fix=PLAIN_BUILD, pains=(21,),
)  # fmt: skip
def no_oci_index(bench: Bench) -> str:
    found = manifest(bench)
    expect(found.media_type != OCI_INDEX, f"the registry holds an {OCI_INDEX}")
    unknown = "; whether the platform takes a list is not known, one image is sure"
    return found.media_type + (unknown if found.media_type == DOCKER_LIST else "")


@GROUP.must(
    "IMG-02", "Its manifest is Docker's, version 2 schema 2.",
    source="FR feedback#180", otherwise=REFUSED, fix=PLAIN_BUILD, pains=(21,),
)  # fmt: skip
def manifest_is_dockers(bench: Bench) -> None:
    found = manifest(bench)
    types = {entry.get("mediaType", "") for entry in found.entries} if found.is_list else {found.media_type}
    other = sorted(types - {DOCKER_MANIFEST})
    expect(not other, f"the registry holds an image of the type {', '.join(other)}")


@GROUP.must(
    "IMG-03", "No attestation or list of contents was pushed beside it.",
    source="FR buildkit#5480", otherwise=REFUSED, pains=(21,),
    fix="Build with --provenance=false --sbom=false, or set BUILDX_NO_DEFAULT_ATTESTATIONS=1.",
)  # fmt: skip
def nothing_attested(bench: Bench) -> None:
    attested = [entry for entry in manifest(bench).entries if registry.is_attestation(entry)]
    expect(not attested, f"{len(attested)} of its manifests are of the platform unknown/unknown: attestations")


def manifest(bench: Bench) -> Manifest:
    image = bench.subject.image()
    return registry.pushed(image.name, image.attributes)


@GROUP.must(
    "IMG-04", "It is made for Linux and for the processor of the instance type.",
    source="DG, FR", pains=(20,),
    otherwise="The container ends with exec format error, again and again; the endpoint fails after some 24 minutes.",
    fix="Build with --platform linux/amd64, or linux/arm64 for Graviton types (ml.c7g, ml.m8g and so on).",
)  # fmt: skip
def architecture_fits(bench: Bench) -> str:
    attributes = bench.subject.image().attributes
    made_for = f"{attributes['Os']}/{attributes['Architecture']}"
    expect(made_for in ("linux/amd64", "linux/arm64"), f"it is made for {made_for}, which no instance type has")
    for instance_type in instance_types(bench):
        needed = f"linux/{'arm64' if GRAVITON.match(instance_type) else 'amd64'}"
        expect(made_for == needed, f"it is made for {made_for}, but {instance_type} needs {needed}")
    return made_for


def instance_types(bench: Bench) -> list[str]:
    """The one that the caller named, or those that the bodies of the calls name."""
    if bench.options.instance_type:
        return [bench.options.instance_type]
    config = deployment.bodies_or_none(bench.options.requests_dir).get("CreateEndpointConfig", {})
    return [each["InstanceType"] for each in deployment.variants(config) if isinstance(each.get("InstanceType"), str)]


@GROUP.must(
    "IMG-05", "The argument serve starts something: it has an ENTRYPOINT, or a program serve on PATH.",
    source="DG:host", pains=(6,),
    otherwise="The container dies at once with CannotStartContainerError: docker run <image> serve.",
    fix='Add ENTRYPOINT ["python", "-m", "your_server"], or an executable file serve in a folder of PATH.',
)  # fmt: skip
def serve_starts_something(bench: Bench) -> None:
    bench.subject.image()
    with bench.run(ready=False, needs_server=False):
        """The engine found a program to start."""


@GROUP.must(
    "IMG-06", "ENTRYPOINT has the exec form, a JSON array.",
    source="DG:host", pains=(36,),
    otherwise="A shell is process 1: SIGTERM does not reach the server, and serve is lost as the shell's $0.",
    fix='Write ENTRYPOINT ["program", "argument"] instead of ENTRYPOINT program argument.',
)  # fmt: skip
def entry_point_is_exec_form(bench: Bench) -> None:
    words = entry_point(bench)
    shell = len(words) > 1 and PurePosixPath(words[0]).name in SHELLS and words[1] == "-c"
    expect(not shell, f"ENTRYPOINT is a shell's: {words[:3]}")


@GROUP.must(
    "IMG-07", "ENTRYPOINT is neither tini nor init.",
    source="DG:host, DG:batch", otherwise="It takes train or serve for its own argument, says AWS.",
    fix="Let the server itself be process 1 and reap its children; dumb-init is not named by AWS.",
)  # fmt: skip
def entry_point_is_no_init(bench: Bench) -> None:
    words = entry_point(bench)
    expect(not words or not INITS.fullmatch(PurePosixPath(words[0]).name), f"ENTRYPOINT begins with {words[:1]}")


def entry_point(bench: Bench) -> list[str]:
    return bench.subject.image().config.get("Entrypoint") or []


@GROUP.should(
    "IMG-08", "It runs as root.",
    source="DG:host", otherwise="Another user may meet files that only root may read: the artifact, the logs.",
    fix="Leave USER out; drop rights later, in the server, where it is worth it.",
)  # fmt: skip
def runs_as_root(bench: Bench) -> None:
    user = bench.subject.image().config.get("User") or ""
    expect(user.partition(":")[0] in ("", "0", "root"), f"USER is {user}")


@GROUP.should(
    "IMG-09", "It stores no file where the platform mounts: /opt/ml/model, and all of /opt/ml for training.",
    source="DG:train; hosting inf", otherwise="What is stored there is hidden by the mount.", pains=(71,),
    fix="Keep code and default models elsewhere, in /opt/program for example.",
)  # fmt: skip
def nothing_under_the_mounts(bench: Bench) -> None:
    image = bench.subject.image()
    folder = "/opt/ml" if Claim.TRAINING in bench.claims else "/opt/ml/model"
    first = next((file.name for file in image.engine.files(image.name, under=folder) if not file.isdir()), "")
    expect(not first, f"{PurePosixPath(folder).parent / first} is stored in the image")


@GROUP.should(
    "IMG-10", "It holds no driver of NVIDIA's.",
    source="DG:host", otherwise="The driver inside does not fit the host's: CUDA cannot start.",
    fix="Install the CUDA toolkit only; the host brings libcuda.so and libnvidia-ml.so.", slow=True,
)  # fmt: skip
def no_gpu_driver(bench: Bench) -> None:
    image = bench.subject.image()
    paths = (PurePosixPath(file.name) for file in image.engine.files(image.name))
    first = next((path for path in paths if DRIVER.match(path.name) and not NOT_A_DRIVER & set(path.parts)), None)
    expect(first is None, f"/{first} is a driver's")


@GROUP.should(
    "IMG-11", "It has at most 10 GB, for serverless.", claim=Claim.SERVERLESS,
    source="DG:sls", otherwise="CreateEndpoint refuses it for a serverless variant.", pains=(43,),
    fix="Build in two stages, and leave compilers, caches, tests and CUDA out of the last one.",
)  # fmt: skip
def small_enough(bench: Bench) -> str:
    size_bytes = bench.subject.image().attributes["Size"]
    seen = f"{size_bytes / 1e9:.2f} GB unpacked"
    expect(size_bytes <= SERVERLESS_LIMIT_BYTES, seen)
    return seen


@GROUP.must(
    "IMG-12", "Its label says multi-models=true, for a multi-model endpoint.", claim=Claim.MULTI_MODEL,
    source="DG:mme", otherwise="CreateModel refuses Mode MultiModel.", pains=(31,),
    fix=f"LABEL {CAPABILITY}multi-models=true",
)  # fmt: skip
def label_multi_models(bench: Bench) -> None:
    expect_label(bench, "multi-models")


@GROUP.must(
    "IMG-13", "Its label says accept-bind-to-port=true, for several containers on one endpoint.", claim=Claim.PIPELINE,
    source="DG:mme", otherwise="The endpoint fails: the image does not contain the required label.", pains=(61,),
    fix=f"LABEL {CAPABILITY}accept-bind-to-port=true",
)  # fmt: skip
def label_accept_bind_to_port(bench: Bench) -> None:
    expect_label(bench, "accept-bind-to-port")


@GROUP.must(
    "IMG-14", "Its label says bidirectional-streaming=true, for streaming in both directions.",
    claim=Claim.BIDIRECTIONAL, source="DG:host", otherwise="The platform opens no WebSocket to the container.",
    fix=f"LABEL {CAPABILITY}bidirectional-streaming=true",
)  # fmt: skip
def label_bidirectional_streaming(bench: Bench) -> None:
    expect_label(bench, "bidirectional-streaming")


def expect_label(bench: Bench, name: str) -> None:
    value = bench.subject.image().labels.get(CAPABILITY + name)
    expect(value == "true", f"the label {CAPABILITY}{name} is {'missing' if value is None else repr(value)}")


@GROUP.should(
    "IMG-15", "Its name and its environment fit into CreateModel.",
    source="API", otherwise="CreateModel refuses the request with a ValidationException.",
    fix="Shorten the reference; name variables [a-zA-Z_][a-zA-Z0-9_]*, at most 100 of them, 32 KB in all.",
)  # fmt: skip
def name_and_environment_fit(bench: Bench) -> str:
    image = bench.subject.image()
    expect(len(image.name) <= REFERENCE_LIMIT and not re.search(r"\s", image.name), f"its name is {image.name!r}")
    environment = dict(word.partition("=")[::2] for word in image.config.get("Env") or ())
    environment |= deployment.environment(bench.options.requests_dir)
    wrong = [name for name in environment if not ENV_NAME.fullmatch(name)]
    size_bytes = sum(len(f"{name}{value}".encode()) for name, value in environment.items())
    expect(not wrong, f"no names for the platform: {', '.join(wrong[:5])}")
    expect(len(environment) <= ENV_LIMIT, f"{len(environment)} variables, its own and those of CreateModel")
    expect(size_bytes <= ENV_LIMIT_BYTES, f"{size_bytes} bytes of environment, its own and that of CreateModel")
    return f"{len(environment)} variables, {size_bytes} bytes"
