"""Rules of CreateModel: containers, artifacts, environment. Part of RULES.

https://docs.aws.amazon.com/sagemaker/latest/dg/multi-model-endpoints.html, multi-container-endpoints.html,
inference-pipelines.html, large-model-inference-uncompressed.html
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.call import Call
from deploy.problem import Problem
from deploy.rules.parts import Part, containers, dig, of, region_of

ENVIRONMENT_BYTES = 32 * 1024
"""Of all containers of a model together."""


def containers_are_given_in_one_way(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        ways = [name for name in ("PrimaryContainer", "Containers", "ModelPackageName") if name in call.parameters]
        if len({"PrimaryContainer", "Containers"} & set(ways)) != 1:
            yield Problem(call.key, "takes either PrimaryContainer or Containers")


def an_artifact_is_given_in_one_way(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        if any("ModelDataUrl" in each and "ModelDataSource" in each for each in containers(call)):
            yield Problem(call.key, "takes either ModelDataUrl (an archive) or ModelDataSource for a container")


def an_archive_ends_in_tar_gz(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        for each in containers(call):
            address = each.get("ModelDataUrl", "")
            if address and each.get("Mode") != "MultiModel" and not address.endswith(".tar.gz"):
                yield Problem(call.key, f"artifact {address} has to end in .tar.gz, or in / for the files themselves")


def many_models_are_a_prefix(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        for each in containers(call):
            if each.get("Mode") == "MultiModel" and not each.get("ModelDataUrl", "").endswith("/"):
                text = "mode multi-model needs a prefix with archives below it, ending in /, not"
                yield Problem(call.key, f"{text} {each.get('ModelDataUrl')}")


def files_are_a_prefix(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        for each in containers(call):
            source = dig(each, "ModelDataSource", "S3DataSource") or {}
            if source.get("S3DataType") == "S3Prefix" and not source.get("S3Uri", "").endswith("/"):
                yield Problem(call.key, f"artifact {source.get('S3Uri')} is a prefix and has to end in /")


def direct_containers_have_names(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        hosts = _hostnames(call)
        if _mode(call) == "Direct" and (None in hosts or len(set(hosts)) < len(hosts)):
            yield Problem(call.key, "mode multi-container needs a hostname for each container, all different")


def serial_containers_are_named_all_or_none(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        hosts = _hostnames(call)
        named = [each for each in hosts if each]
        if _mode(call) == "Serial" and named and len(set(named)) < len(hosts):
            yield Problem(call.key, "a pipeline needs hostnames for all containers, all different, or for none")


def several_containers_are_at_least_two(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        if _mode(call) and not 2 <= len(containers(call)) <= 15:
            yield Problem(call.key, f"{len(containers(call))} containers; several are 2 to 15, one is mode realtime")


def one_of_several_may_hold_many_models(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        if sum(each.get("Mode") == "MultiModel" for each in containers(call)) > 1:
            yield Problem(call.key, "at most one container of a model may be multi-model")


def the_environment_is_small(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        size = sum(_bytes(each) for each in containers(call))
        if size > ENVIRONMENT_BYTES:
            yield Problem(call.key, f"environment of {size} bytes over all containers; at most {ENVIRONMENT_BYTES}")


def an_image_is_of_the_region(calls: list[Call]) -> Iterator[Problem]:
    """As far as the calls themselves tell: all images of one model are."""
    for call in of(calls, "CreateModel"):
        regions = {region_of(each.get("Image", "")) for each in containers(call)} - {""}
        if len(regions) > 1:
            yield Problem(
                call.key, f"images are in {' and '.join(sorted(regions))}; they have to be in the endpoint's region"
            )


def an_image_is_named_by_digest(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateModel"):
        for image in sorted({each.get("Image", "") for each in containers(call)}):
            if image and "@sha256:" not in image:
                text = f"image {image} is named by a tag, which may mean another image tomorrow; use the digest"
                yield Problem(call.key, text, warning=True)


def _mode(call: Call) -> str | None:
    mode: str | None = dig(call.parameters, "InferenceExecutionConfig", "Mode")
    return mode


def _hostnames(call: Call) -> list[str | None]:
    return [each.get("ContainerHostname") for each in containers(call)]


def _bytes(container: Part) -> int:
    return sum(len(f"{name}{value}".encode()) for name, value in container.get("Environment", {}).items())


MODEL_RULES = (
    containers_are_given_in_one_way,
    an_artifact_is_given_in_one_way,
    an_archive_ends_in_tar_gz,
    many_models_are_a_prefix,
    files_are_a_prefix,
    direct_containers_have_names,
    serial_containers_are_named_all_or_none,
    several_containers_are_at_least_two,
    one_of_several_may_hold_many_models,
    the_environment_is_small,
    an_image_is_of_the_region,
    an_image_is_named_by_digest,
)
