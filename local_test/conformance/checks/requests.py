"""REQ: the requests that deploy it, read from files; nothing is sent anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from local_test.conformance import policy
from local_test.conformance.assertion import Broken, Group, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.claims import CAPABILITY
from local_test.conformance.deployment import (
    NO_REQUESTS,
    Body,
    Fault,
    beyond_limits,
    bodies,
    bodies_or_none,
    containers,
    members,
    shape,
    variants,
    wrong_members,
)
from local_test.conformance.members import of_folder
from local_test.conformance.subjects import Image

GROUP = Group()

VALIDATION = "The call is refused with a ValidationException."
NAMED = re.compile(r"(Name|Hostname)$|(^|\.)Environment(\.|$)")
"""Paths of members that REQ-02 is about."""
COMPONENT_ENV_LIMIT = 16
MODEL_ENV_LIMIT_BYTES = 32 * 1024
LARGE_BYTES = 10 * 10**9  # ours: at some 20 MB a second it takes all of the 8 minutes that a start may take
STARTUP = ("ModelDataDownloadTimeoutInSeconds", "ContainerStartupHealthCheckTimeoutInSeconds")
VOLUME = "VolumeSizeInGB"
OWN_DISK = re.compile(r"ml\.(\w+\d\w*d\w*|g[5-9]e?|p[4-9][\w-]*|trn\w+)\.")  # these come with one, and take no volume
POLICIES = "role-policy*.json"


@GROUP.must(
    "REQ-01", "Each body fits the service's model: members, types, sizes, ranges and patterns.",
    source="API", otherwise=VALIDATION, fix="Mend the members that are named; botocore's documentation lists them.",
)  # fmt: skip
def bodies_fit(bench: Bench) -> str:
    given = bodies(bench.options.requests_dir)
    for call, body in given.items():
        wrong = wrong_members(call, body)
        expect(not wrong, f"{call}: {wrong}")
        expect_none(call, [fault for fault in beyond_limits(body, shape(call)) if not NAMED.search(fault[0])])
    return ", ".join(given)


@GROUP.must(
    "REQ-02", "Names and environments keep to their lengths, patterns and counts.",
    source="API", otherwise=VALIDATION, fix="Names have at most 63 of a-z, A-Z, 0-9 and -; variables a-z, A-Z, 0-9, _.",
)  # fmt: skip
def names_fit(bench: Bench) -> None:
    for call, body in bodies(bench.options.requests_dir).items():
        faults = [fault for fault in beyond_limits(body, shape(call)) if NAMED.search(fault[0])]
        expect_none(call, [*faults, *environment_faults(body)])


def expect_none(call: str, faults: list[Fault]) -> None:
    expect(not faults, f"{call}: " + "; ".join(f"{path} {text}" for path, text in faults[:5]))


def environment_faults(body: Body) -> Iterator[Fault]:
    """What the service's model does not say, but its documentation."""
    for path in (("Specification", "Container"), ("Specifications", "Container")):
        for given in members(body, *path, "Environment"):
            if isinstance(given, dict) and len(given) > COMPONENT_ENV_LIMIT:
                yield ".".join((*path, "Environment")), f"has {len(given)} entries, not up to {COMPONENT_ENV_LIMIT}"
    given = [each.get("Environment") for each in containers(body)]
    words = [str(word) for each in given if isinstance(each, dict) for pair in each.items() for word in pair]
    size_bytes = sum(len(word.encode()) for word in words)
    if size_bytes > MODEL_ENV_LIMIT_BYTES:
        yield "Environment", f"of all containers has {size_bytes} bytes, not up to {MODEL_ENV_LIMIT_BYTES}"


def body_of(bench: Bench, call: str) -> Body:
    """Raises Untestable where its file is missing."""
    found = bodies(bench.options.requests_dir)
    if call not in found:
        raise Untestable(f"needs {call}.json in {bench.options.requests_dir}")
    return found[call]


@GROUP.must(
    "REQ-03", "A multi-model container has its models below a prefix, and an image with the label.",
    source="DG:mme; slash inf", otherwise="CreateModel is refused, or no TargetModel is ever found.", pains=(31,),
    fix=f'Give Mode MultiModel, ModelDataUrl "s3://BUCKET/PREFIX/", and an image with {CAPABILITY}multi-models=true.',
)  # fmt: skip
def multi_model_is_whole(bench: Bench) -> None:
    everyone = containers(body_of(bench, "CreateModel"))
    multi = [each for each in everyone if each.get("Mode") == "MultiModel"]
    if not multi:
        raise NotApplicable("no container has Mode MultiModel")
    for each in multi:
        url = str(each.get("ModelDataUrl", ""))
        expect(url.endswith("/"), f"ModelDataUrl is {url!r}: models are looked for below a prefix that ends in /")
        expect("ModelDataSource" not in each, "ModelDataSource is given, which multi-model endpoints do not know")
    if len(everyone) == 1 and isinstance(bench.subject, Image):
        label = bench.subject.labels.get(CAPABILITY + "multi-models")
        expect(label == "true", f"the image's label {CAPABILITY}multi-models is {label!r}")


@GROUP.must(
    "REQ-04", "Containers that are called directly have a hostname each.",
    source="DG:mce", otherwise="CreateModel is refused, or a container cannot be called by TargetContainerHostname.",
    fix="Give each of Containers a ContainerHostname of its own.",
)  # fmt: skip
def hostnames_are_distinct(bench: Bench) -> None:
    body = body_of(bench, "CreateModel")
    if "Direct" not in members(body, "InferenceExecutionConfig", "Mode"):
        raise NotApplicable("its containers are not called directly")
    hostnames = [str(each.get("ContainerHostname", "")) for each in containers(body)]
    expect(all(hostnames), f"{hostnames.count('')} of {len(hostnames)} containers have no ContainerHostname")
    expect(len(set(hostnames)) == len(hostnames), f"hostnames are not distinct: {', '.join(sorted(hostnames))}")


@GROUP.must(
    "REQ-05", "A serverless variant asks for nothing that serverless endpoints do not have.",
    source="DG:sls", otherwise="CreateModel, CreateEndpointConfig or CreateEndpoint is refused.", pains=(69,),
    fix="Remove the members that are named, or give InstanceType and InitialInstanceCount instead of ServerlessConfig.",
)  # fmt: skip
def serverless_is_plain(bench: Bench) -> None:
    config = body_of(bench, "CreateEndpointConfig")
    if not any("ServerlessConfig" in each for each in variants(config)):
        raise NotApplicable("no variant has ServerlessConfig")
    model = bodies(bench.options.requests_dir).get("CreateModel", {})
    asked = [*refused_by_serverless(config), *refused_by_serverless(model)]
    expect(not asked, f"not for serverless: {', '.join(asked)}")


def refused_by_serverless(body: Body) -> Iterator[str]:
    yield from (name for name in ("VpcConfig", "DataCaptureConfig", "ShadowProductionVariants") if body.get(name))
    if body.get("EnableNetworkIsolation"):
        yield "EnableNetworkIsolation"
    if len(variants(body)) > 1:
        yield "several variants"
    if len(containers(body)) > 1:
        yield "several containers"
    for each in containers(body):
        yield from (name for name in ("ModelDataSource", "ImageConfig") if name in each)
        if each.get("Mode") == "MultiModel":
            yield "Mode MultiModel"


@GROUP.should(
    "REQ-06", "A large model is given time to be fetched and loaded, and disk to lie on.",
    source="API", otherwise="The start is given up after the default times, or the disk is full.", pains=(2, 53),
    fix=f"Set {STARTUP[0]} and {STARTUP[1]} (60 to 3600), and {VOLUME} (1 to 512) on the variant.",
)  # fmt: skip
def large_model_has_time(bench: Bench) -> str:
    places = list(startup_places(bodies(bench.options.requests_dir)))
    if not places:
        raise NotApplicable("no variant or component starts a container on an instance")
    size_bytes = model_bytes(bench)
    seen = f"the model has {size_bytes / 1e9:.1f} GB"
    if size_bytes < LARGE_BYTES:
        raise NotApplicable(f"{seen}: small")
    for where, given, needed in places:
        missing = [name for name in needed if not isinstance(given.get(name), int)]
        expect(not missing, f"{seen}, and {where} sets no {', '.join(missing)}")
        volume_gb = given.get(VOLUME)
        suffices = not isinstance(volume_gb, int) or volume_gb * 1e9 > size_bytes
        expect(suffices, f"{seen}, and {where} has {VOLUME} {volume_gb}")
    return seen


def startup_places(given: dict[str, Body]) -> Iterator[tuple[str, Body, tuple[str, ...]]]:
    """Where a start is described: by what name, how, and which members it ought to have."""
    for each in variants(given.get("CreateEndpointConfig", {})):
        if "ModelName" in each and "ServerlessConfig" not in each:
            has_disk = OWN_DISK.match(str(each.get("InstanceType")))
            yield f"the variant {each.get('VariantName')}", each, STARTUP if has_disk else (*STARTUP, VOLUME)
    for each in members(given.get("CreateInferenceComponent", {}), "Specification"):
        parameters = each.get("StartupParameters", {}) if isinstance(each, dict) else {}
        yield "the component", parameters if isinstance(parameters, dict) else {}, STARTUP


def model_bytes(bench: Bench) -> int:
    """The artifact's size as far as it is known: packed, if it is packed. Raises Untestable."""
    path = bench.options.artifact or bench.options.model_dir
    if path is None or not path.exists():
        raise Untestable("needs the model, to know its size: --artifact FILE, or --model-dir DIR")
    return sum(each.size_bytes for each in of_folder(path)) if path.is_dir() else path.stat().st_size


@GROUP.should(
    "REQ-07", "The role may do what the platform does in its name.",
    source="DG:roles", otherwise="The endpoint or job fails with AccessDenied, or runs without logs.", pains=(7,),
    fix="Allow the actions that are named in the role's policy, on the buckets, repositories and keys that it needs.",
)  # fmt: skip
def role_suffices(bench: Bench) -> str:
    folder = bench.options.requests_dir
    paths = sorted(folder.glob(POLICIES)) if folder else []
    if not paths:
        raise Untestable(f"needs the role's policy: {POLICIES} in {folder}" if folder else NO_REQUESTS)
    try:
        statements: list[Any] = [each for path in paths for each in policy.statements(json.loads(path.read_bytes()))]
    except ValueError as error:
        raise Broken(f"{POLICIES} is not JSON: {error}") from error
    needed = policy.needed(bodies_or_none(folder))
    missing = sorted(action for action in needed if not policy.allows(statements, action))
    expect(not missing, f"it does not allow {', '.join(missing)}")
    return f"{len(needed)} actions"
