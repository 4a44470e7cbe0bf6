"""PKG: the model artifact."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from local_test.conformance import deployment
from local_test.conformance.assertion import Broken, Claim, Group, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench, open_to_all
from local_test.conformance.engine import CannotStart
from local_test.conformance.members import Kind, Member, Unreadable, key_faults, of_archive, of_folder, opened
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Image

GROUP = Group()

NO_ARTIFACT = "needs the artifact: --artifact FILE (model.tar.gz), or a folder that stands for an uncompressed prefix"
NOT_PACKED = "the artifact is a folder, which stands for an uncompressed prefix"
TREE = "Pack with: tar -C FOLDER -czf model.tar.gz --exclude __pycache__ --exclude .git ."
SCRIPT = "inference.py"
CODE = PurePosixPath("code")
REQUIREMENTS = "code/requirements.txt"
CODE_LIMIT_BYTES = 200 * 10**6
PIP_LIMIT_S = 60.0
PIP = ("-m", "pip", "install", "--dry-run", "--no-index", "--retries", "0", "--timeout", "2", "--quiet", "-r")
LITTER = {"__pycache__", ".git", ".DS_Store"}
RESOURCE_FORK = "._"  # macOS writes one beside each file


@dataclass(frozen=True)
class Artifact:
    """What will lie in /opt/ml/model."""

    text: str
    """What it is, for reports."""
    members: tuple[Member, ...]

    @property
    def files(self) -> list[Member]:
        return [each for each in self.members if each.kind is not Kind.FOLDER]


def artifact(bench: Bench) -> Artifact:
    """What the caller gave. Raises Untestable without one, or where PKG-01 says that it cannot be read."""
    path = bench.options.artifact
    if path is None and bench.options.model_dir is not None:
        return Artifact("an archive made of the model folder", of_folder(bench.options.model_dir))
    if path is None:
        raise Untestable(NO_ARTIFACT)
    if path.is_dir():
        return Artifact("the folder", of_folder(path))
    try:
        return Artifact("the archive", of_archive(existing(path)))
    except Unreadable as error:
        raise Untestable(f"{error}: PKG-01") from error


def existing(path: Path) -> Path:
    if not path.is_file():
        raise Untestable(f"there is no file {path}")
    return path


@GROUP.must(
    "PKG-01", "It is a tar compressed with gzip, whole, and named so: .tar.gz.",
    source="DG:host", otherwise="The platform cannot unpack it: the endpoint fails.", fix=TREE, pains=(28,),
)  # fmt: skip
def is_a_tar_gz(bench: Bench) -> str:
    path = bench.options.artifact
    if path is None:
        raise Untestable(NO_ARTIFACT)
    if path.is_dir():
        raise NotApplicable(NOT_PACKED)
    expect(existing(path).name.endswith(".tar.gz"), f"it is named {path.name!r}")
    try:
        members = of_archive(path)
    except Unreadable as error:
        raise Broken(str(error)) from error
    return f"{len(members)} members, {sum(each.size_bytes for each in members) / 1e6:.1f} MB unpacked"


@GROUP.must(
    "PKG-02", "It holds files and folders only, all below the place where it is unpacked.",
    source="DG:host", pains=(28,),
    otherwise="CreateModel refuses an archive with symbolic links; what leads elsewhere may overwrite anything.",
    fix="Pack the files that links lead to (tar --dereference --hard-dereference), with relative names.",
)  # fmt: skip
def no_links(bench: Bench) -> None:
    given = artifact(bench)
    odd = [each for each in given.members if each.kind not in (Kind.FILE, Kind.FOLDER)]
    outside = [each for each in given.members if each.path.is_absolute() or ".." in each.path.parts]
    expect(not odd, f"{given.text} holds a {odd[0].kind}: {odd[0].name!r}" if odd else "")
    expect(not outside, f"{given.text} holds a name that leads elsewhere: {names(outside)}")


@GROUP.should(
    "PKG-03", "Its files lie at its root, with no folder wrapped around all.",
    source="inf DG:host", otherwise="All lies one folder deeper than the server looks: FileNotFoundError.", fix=TREE,
    pains=(28,),
)  # fmt: skip
def nothing_wrapped_around(bench: Bench) -> None:
    given = artifact(bench)
    parts = [each.path.parts for each in given.files]
    tops = {each[0] for each in parts if each}
    at_root = any(len(each) == 1 for each in parts)
    meant = tops <= {CODE.name} or all(top.isdigit() for top in tops)  # TensorFlow Serving's version folders
    expect(len(tops) != 1 or at_root or meant, f"all of {given.text} lies in the folder {'/'.join(tops)!r}")


@GROUP.should(
    "PKG-04", "Its script is where scripts are looked for: code/inference.py, or what SAGEMAKER_PROGRAM names.",
    source="DG:faq", otherwise="The script is ignored, and the default handlers answer, or none.", pains=(5, 28),
    fix="Move it to code/inference.py, or name it in the variable SAGEMAKER_PROGRAM.", claim=Claim.SCRIPTS,
)  # fmt: skip
def script_is_found(bench: Bench) -> None:
    paths = {each.path for each in artifact(bench).files}
    scripts = sorted(str(path) for path in paths if path.suffix == ".py" and path.parent in (CODE, PurePosixPath()))
    if not scripts:
        raise NotApplicable("it holds no script")
    wanted = CODE / environment(bench).get("SAGEMAKER_PROGRAM", SCRIPT)
    expect(wanted in paths, f"there is no {wanted}, but {', '.join(scripts[:5])}")


def environment(bench: Bench) -> dict[str, str]:
    """The container's, as far as the image and CreateModel.json say."""
    own = bench.subject.config.get("Env") or () if isinstance(bench.subject, Image) else ()
    return dict(word.partition("=")[::2] for word in own) | deployment.environment(bench.options.requests_dir)


@GROUP.should(
    "PKG-05", "Its code/requirements.txt asks for nothing that must be fetched.",
    source="IT", pains=(5, 30, 44),
    otherwise="The start depends on a package index: it fails under network isolation, and takes longer elsewhere.",
    fix="Install packages when the image is built, or put wheels beside it and --find-links at its top.",
)  # fmt: skip
def nothing_is_fetched(bench: Bench) -> str:
    if not any(str(each.path) == REQUIREMENTS for each in artifact(bench).files):
        return f"it has no {REQUIREMENTS}"
    command = (*PIP, f"/opt/ml/model/{REQUIREMENTS}")
    code, log = run_python(bench, Setup(command, ("python",), model_dir=code_folder(bench), network="none"))
    if "No module named pip" in log or "no such option: --dry-run" in log:
        raise Untestable(f"the image's Python has no pip that could try {REQUIREMENTS} out")
    expect(code == 0, f"pip says without a network: {' '.join(log.split())[-300:]}")
    return "pip is satisfied without a network"


def code_folder(bench: Bench) -> Path:
    """A folder to be mounted that has what the artifact's code/ has."""
    path = bench.options.artifact
    if path is None or path.is_dir():
        folder = path or bench.options.model_dir
        assert folder is not None  # noqa: S101 - artifact() has found one
        return folder
    folder = bench.folder()
    with opened(path) as archive:
        for member in archive:
            unpack_code(archive, member, folder)
    return open_to_all(folder)


def unpack_code(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a file of code/; leave all else, and whatever would lead out of the folder."""
    path = PurePosixPath(member.name)
    if not member.isfile() or path.parts[:1] != CODE.parts or ".." in path.parts:
        return
    content = archive.extractfile(member)
    if content is None or member.size > CODE_LIMIT_BYTES:
        return
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.read())


def run_python(bench: Bench, setup: Setup) -> tuple[int, str]:
    """Exit code and log of the image's Python."""
    try:
        with bench.subject.image().start(setup) as container:
            return container.wait_end(PIP_LIMIT_S).code, container.log()
    except CannotStart as error:
        raise Untestable(f"the image has no program named python that could run pip: {error}") from error


@GROUP.should(
    "PKG-06", "It holds no litter: __pycache__, .git, .DS_Store, ._*.",
    source="DG:host", otherwise="It is larger than needed; a ._ file beside a model may be taken for one.",
    fix=f"{TREE} On macOS set COPYFILE_DISABLE=1.", pains=(28,),
)  # fmt: skip
def no_litter(bench: Bench) -> None:
    given = artifact(bench)
    found = [each for each in given.members if any(is_litter(part) for part in each.path.parts)]
    expect(not found, f"{given.text} holds {names(found)}")


def is_litter(part: str) -> bool:
    return part in LITTER or part.startswith(RESOURCE_FORK)


def names(members: list[Member]) -> str:
    more = f" and {len(members) - 3} more" if len(members) > 3 else ""
    return ", ".join(repr(each.name) for each in members[:3]) + more


@GROUP.should(
    "PKG-07", "An uncompressed prefix has only names that can be files and folders.",
    source="DG:unc", otherwise="The platform cannot lay the objects out as files: the endpoint fails.",
    fix="Rename what is listed; remove folder objects that the S3 console made; end S3Uri with a slash.",
)  # fmt: skip
def keys_can_be_files(bench: Bench) -> str:
    path = bench.options.artifact
    if path is None:
        raise Untestable(NO_ARTIFACT)
    if not path.is_dir():
        raise NotApplicable("the artifact is an archive, no uncompressed prefix")
    keys = [each.name for each in artifact(bench).files]
    faults = [*key_faults(keys), *prefix_faults(bench)]
    expect(not faults, "; ".join(faults[:5]))
    return f"{len(keys)} names"


def prefix_faults(bench: Bench) -> Iterator[str]:
    """Where CreateModel.json names a prefix without the slash at its end."""
    model = deployment.bodies_or_none(bench.options.requests_dir).get("CreateModel", {})
    for container in deployment.containers(model):
        for source in deployment.members(container, "ModelDataSource", "S3DataSource"):
            uri = source.get("S3Uri") if isinstance(source, dict) and source.get("S3DataType") == "S3Prefix" else "/"
            if not str(uri).endswith("/"):
                yield f"S3Uri is {uri!r}: a prefix ends in /"
