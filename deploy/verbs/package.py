"""python -m deploy package MODEL_DIR: the model as SageMaker wants it, tried in the image, in S3 by its content."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy import flags, placeholders
from deploy.aws import Aws
from deploy.config import FILE, check, merged
from deploy.errors import DeployError, Usage
from deploy.packing import archive, pickles, storage, trial
from deploy.packing.members import Member, content_hash, members, outside, wrapping
from deploy.terminal import Terminal

BIG = 2 << 30
"""From here on an archive costs minutes at both ends; SageMaker reads plain files as well."""
MB = 1 << 20
SHOWN = 5
"""Links that are named."""
RENEW_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model_dir", type=Path, metavar="MODEL_DIR", help="what /opt/ml/model is to hold")
    parser.add_argument("--image", help="serve the model in this image first; default: of deploy.toml, if it is here")
    parser.add_argument("--no-trial", action="store_true", help="do not serve it in an image first")
    parser.add_argument(
        "--load-timeout", type=flags.number(0), default=600.0, metavar="S", help="how long that may take"
    )
    parser.add_argument("--to", metavar="s3://BUCKET/PREFIX", help="default: s3://sagemaker-REGION-ACCOUNT/NAME")
    parser.add_argument("--uncompressed", action="store_true", help="the files as they are, for big models")
    parser.add_argument("--level", type=int, choices=range(10), default=archive.LEVEL, metavar="0-9", help="of gzip")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the archive here, and upload nothing")
    parser.add_argument("--file", type=Path, default=FILE, help="instead of ./deploy.toml, for name and region")
    parser.add_argument("--name", help="default: of deploy.toml, or of the folder")
    parser.add_argument("--region")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    said = merged(args.file, {name: value for name in ("name", "region") if (value := getattr(args, name))})
    told: dict[str, Any] = {name: said[name] for name in ("name", "region", "image") if name in said}
    check(told)
    packer = Packer(args, terminal, str(told.get("image", "")))
    if args.out and args.uncompressed:
        raise Usage("--out writes one archive, --uncompressed uploads files.", "Leave one of them out.")
    if args.out:
        archive.check(args.out)
    found = packer.checked()
    if args.out:
        packer.tried(found)
        packer.archive(found, args.out)
        terminal.result({"archive": str(args.out)}, str(args.out))
        return 0
    aws, name = Aws(told.get("region")), str(told.get("name") or args.model_dir.resolve().name)
    bucket, prefix = storage.bucket_and_prefix(aws, args.to, name)  # before the trial, which may take minutes
    packer.tried(found)
    uri = packer.upload(aws, found, bucket, prefix)
    terminal.result({"artifact": uri, "uncompressed": args.uncompressed}, uri)
    return 0


class Packer:
    """The steps of one run."""

    def __init__(self, args: argparse.Namespace, terminal: Terminal, image: str) -> None:
        """image: that of deploy.toml."""
        self.args, self.terminal, self.image = args, terminal, image

    def checked(self) -> list[Member]:
        """The members, after all that can be known of them without serving them. Raises DeployError."""
        found = members(self.args.model_dir)
        size = sum(each.size for each in found)
        self.terminal.say(f"{self.args.model_dir}: {len(found)} file{'s' * (len(found) != 1)}, {size / MB:.1f} MB")
        if named := pickles.of_main(found):
            raise DeployError(
                f"{'; '.join(named)}, which exists only in the script that trained it.",
                "Move the class into a module that the image has (predictor.py, or the artifact's code/), import it "
                "from there, and train again.",
            )
        if folder := wrapping(found):
            self.terminal.warn(f"all lies in {folder}/; pack that folder instead, unless your model_fn looks there")
        if links := outside(self.args.model_dir, found):
            more = f" and {len(links) - SHOWN} more" if len(links) > SHOWN else ""
            self.terminal.warn(f"what links lead to outside of it is packed too: {', '.join(links[:SHOWN])}{more}")
        if size >= BIG and not (self.args.uncompressed or self.args.out):
            self.terminal.warn("a model of this size starts sooner with --uncompressed")
        return found

    def tried(self, found: Sequence[Member]) -> None:
        """An image that is asked for has to be there; that of deploy.toml is tried where it can be."""
        image = self.args.image or self.image
        if left_out := self.no_trial():
            self.terminal.say(f"not tried in an image: {left_out}")
            return
        told = trial.serve(
            image,
            found,
            beside=self.args.model_dir.resolve().parent,
            timeout_s=self.args.load_timeout,
            waiting=lambda elapsed_s: self.terminal.progress(image, "loads the model", elapsed_s, ""),
        )
        self.terminal.say(f"{image} is ready with it after {told:.1f} s")

    def no_trial(self) -> str:
        """Why there is none, or nothing."""
        if self.args.no_trial:
            return "--no-trial"
        if self.args.image:
            return ""
        if not self.image or placeholders.in_value(self.image):
            return "none is named; --image names one, or image in deploy.toml"
        return trial.impossible(self.image)

    def archive(self, found: Sequence[Member], path: Path) -> None:
        bar = self.bar("packs", sum(each.size for each in found))
        archive.write(found, path, level=self.args.level, progress=bar)

    def upload(self, aws: Aws, found: Sequence[Member], bucket: str, prefix: str) -> str:
        """The address in S3, after everything is there."""
        digest = content_hash(found, self.bar("reads", sum(each.size for each in found)))
        key = storage.key_of(prefix, digest, uncompressed=self.args.uncompressed)
        uri = f"s3://{bucket}/{key}"
        if self.args.uncompressed:
            left = storage.missing(aws, bucket, key, found)
            self.put(aws, bucket, [(each.path, key + each.name) for each in left])
        elif storage.is_there(aws, bucket, key):
            self.terminal.say("it is there already")
        else:
            with tempfile.TemporaryDirectory() as scratch:
                packed = Path(scratch) / archive.NAME
                self.archive(found, packed)
                self.put(aws, bucket, [(packed, key)])
        return uri

    def put(self, aws: Aws, bucket: str, files: Sequence[tuple[Path, str]]) -> None:
        if not files:
            self.terminal.say("it is there already")
            return
        aws.upload(bucket, files, self.bar("uploads", sum(path.stat().st_size for path, _ in files)))

    def bar(self, what: str, total: int) -> Any:
        """Told of bytes that are done, says how many there are."""
        began_s = renewed_s = time.monotonic()
        done = 0

        def progress(size: int) -> None:
            nonlocal done, renewed_s
            done += size
            if (now_s := time.monotonic()) - renewed_s > RENEW_S:
                renewed_s = now_s
                self.terminal.advance(what, f"{done / MB:.0f} of {total / MB:.0f} MB", now_s - began_s)

        return progress
