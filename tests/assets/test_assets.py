"""A fetched file is the right one, whole, from the first source that has it; and what is there is
not fetched again.
"""

import hashlib
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic import assert_same, vgg, write

from stn import assets, files, images
from stn.assets import catalog, matconvnet
from stn.assets.catalog import Asset
from stn.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STN_IMAGES", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    return tmp_path / "cache"


class Server:
    """Serves `files` {path: bytes} on 127.0.0.1, `missing_bytes` fewer than it says; remembers what
    was asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.missing_bytes = 0
        self.asked: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                body = server.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - server.missing_bytes])

            def log_message(self, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def down() -> str:
    """An address where nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def mat(tmp_path: Path) -> bytes:
    """A VGG-19 file."""
    return write(tmp_path / "served.mat", vgg(19)).read_bytes()


def known(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    data: bytes,
    *sources: str,
    hashes: tuple = ("sha256",),
) -> Path:
    """Make `name` (or a picture of that file name) known as `data` at `sources`; returns the path
    it will have.
    """
    table = catalog.WEIGHTS if name in catalog.WEIGHTS else catalog.IMAGES
    file = catalog.WEIGHTS[name].file if name in catalog.WEIGHTS else name
    checksums = tuple(
        f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}" for algorithm in hashes
    )
    urls = tuple(f"{source}/{file}" for source in sources)
    monkeypatch.setitem(table, name, Asset(file, urls, checksums, len(data), "none"))
    return (
        assets.weights_path(name)
        if name in catalog.WEIGHTS
        else files.cache_dir() / "images" / name
    )


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("hashes", [("sha256",), ("md5",), ("sha256", "md5")], ids=str)
def test_a_good_download_is_kept_and_not_fetched_again(server, monkeypatch, mat, hashes):
    path = known(monkeypatch, "vgg19", mat, server.url, hashes=hashes)
    server.files[f"/{path.name}"] = mat
    for _ in range(2):
        assert assets.fetch("vgg19", progress=False) == [path]
        assert server.asked == [f"/{path.name}"]
    assert path.read_bytes() == mat
    assert assets.locate_weights("vgg19") == path
    assert_same(matconvnet.load(path), vgg(19))
    assert not [name for name in left_behind(path.parent) if name.startswith(".")]


def test_any_one_of_the_known_checksums_will_do(server, monkeypatch, mat):
    path = known(monkeypatch, "vgg19", mat, server.url)
    asset = catalog.WEIGHTS["vgg19"]
    checksums = (f"sha256:{'0' * 64}", f"md5:{'0' * 32}", f"md5:{hashlib.md5(mat).hexdigest()}")
    monkeypatch.setitem(catalog.WEIGHTS, "vgg19", Asset(asset.file, asset.urls, checksums, 1, ""))
    server.files[f"/{path.name}"] = mat
    assert assets.fetch("vgg19", progress=False) == [path]


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, monkeypatch, mat, cache):
    path = known(monkeypatch, "vgg19", mat, server.url)
    server.files[f"/{path.name}"] = mat[:-100] + bytes(100)
    with pytest.raises(InputError, match="damaged, or another file") as refusal:
        assets.fetch("vgg19", progress=False)
    for word in (path.name, str(path), server.url, "--mirror"):
        assert word in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert left_behind(cache) == []


@pytest.mark.parametrize(("name", "hashes"), [("vgg19", ("sha256",)), ("vgg16_full", ("md5",))])
def test_a_transfer_cut_off_is_refused_and_leaves_nothing(
    server, monkeypatch, tmp_path, cache, name, hashes
):
    data = write(tmp_path / "served.mat", vgg(int(name[3:5]))).read_bytes()
    path = known(monkeypatch, name, data, server.url, hashes=hashes)
    server.files[f"/{path.name}"] = data
    server.missing_bytes = 1000
    with pytest.raises(InputError, match="no source had it"):
        assets.fetch(name, progress=False)
    assert left_behind(cache) == []
    server.missing_bytes = 0
    assert assets.fetch(name, progress=False) == [path]


def test_a_source_whose_file_is_too_short_is_said_to_be_truncated(server, monkeypatch, mat, cache):
    path = known(monkeypatch, "vgg19", mat, server.url)
    server.files[f"/{path.name}"] = mat[:1000]
    with pytest.raises(InputError, match=f"1000 bytes of {len(mat)}: truncated"):
        assets.fetch("vgg19", progress=False)
    assert left_behind(cache) == []


def test_when_the_first_source_is_down_the_next_is_tried(server, monkeypatch, mat, down):
    path = known(monkeypatch, "vgg19", mat, down, f"{server.url}/gone", f"{server.url}/here")
    server.files[f"/here/{path.name}"] = mat
    assert assets.fetch("vgg19", progress=False) == [path]
    assert server.asked == [f"/gone/{path.name}", f"/here/{path.name}"]


def test_when_no_source_has_it_each_is_named_with_its_reason(server, monkeypatch, mat, down, cache):
    path = known(monkeypatch, "vgg19", mat, down, server.url)
    with pytest.raises(InputError) as refusal:
        assets.fetch("vgg19", (str(cache / "nowhere"),), progress=False)
    message = str(refusal.value)
    assert f"{down}/{path.name}: cannot be reached" in message
    assert f"{server.url}/{path.name}: 404" in message
    assert f"{cache}/nowhere/{path.name}: " in message and "No such file" in message
    assert message.isprintable() and left_behind(cache) == []


def test_a_directory_or_an_address_is_a_mirror_and_comes_first(server, monkeypatch, mat, tmp_path):
    path = known(monkeypatch, "vgg19", mat, server.url)
    server.files[f"/{path.name}"] = mat
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / path.name).write_bytes(mat)
    assert assets.fetch("vgg19", (f"{tmp_path}/mirror/",), progress=False) == [path]
    assert path.read_bytes() == mat and server.asked == []
    path.unlink()
    server.files[f"/models/{path.name}"] = mat
    assert assets.fetch(
        "vgg19", (f"{tmp_path}/empty", f"{server.url}/models/"), progress=False
    ) == [path]
    assert path.read_bytes() == mat and server.asked == [f"/models/{path.name}"]


def test_a_mirror_with_another_file_is_passed_over(server, monkeypatch, mat, tmp_path):
    path = known(monkeypatch, "vgg19", mat, server.url)
    (tmp_path / path.name).write_bytes(b"another")
    server.files[f"/{path.name}"] = mat
    assert assets.fetch("vgg19", (str(tmp_path),), progress=False) == [path]
    assert path.read_bytes() == mat


@pytest.mark.parametrize(("name", "hashes"), [("vgg19", ("sha256",)), ("vgg16_full", ("md5",))])
def test_a_damaged_file_in_its_place_is_fetched_again(server, monkeypatch, tmp_path, name, hashes):
    data = write(tmp_path / "served.mat", vgg(int(name[3:5]))).read_bytes()
    path = known(monkeypatch, name, data, server.url, hashes=hashes)
    path.parent.mkdir()
    path.write_bytes(data[:-1])
    server.files[f"/{path.name}"] = data
    assert assets.fetch(name, progress=False) == [path]
    assert path.read_bytes() == data


def test_a_network_of_the_other_depth_is_refused(server, monkeypatch, mat):
    path = known(monkeypatch, "vgg16_full", mat, server.url)
    server.files[f"/{path.name}"] = mat
    with pytest.raises(InputError, match="holds a VGG-19, not vgg16_full"):
        assets.fetch("vgg16_full", progress=False)


def test_weights_not_fetched_yet_say_how_to_get_them(cache):
    with pytest.raises(
        InputError, match=r"fetch\.py vgg19`.*network=vgg19_q8.*fetch\.py vgg19_q8`"
    ) as refusal:
        assets.locate_weights("vgg19")
    assert str(cache) in str(refusal.value) and str(refusal.value).isprintable()
    with pytest.raises(InputError, match=r"network=vgg16: .*`python scripts/fetch\.py vgg16`"):
        assets.locate_weights("vgg16")


def test_the_full_vgg16_stands_in_for_its_convolutions_alone_until_they_are_there(cache):
    cache.mkdir()
    full = write(assets.weights_path("vgg16_full"), vgg(16, head=True))
    assert assets.locate_weights("vgg16") == full == assets.locate_weights("vgg16_full")
    trunk = write(assets.weights_path("vgg16"), vgg(16))
    assert assets.locate_weights("vgg16") == trunk != full


# Pictures


def test_pictures_are_fetched_then_found(server, monkeypatch, cache):
    monkeypatch.setattr(catalog, "IMAGES", {})
    pictures = {f"stn-test-{i}.jpg": bytes([i]) * 100 for i in (1, 2)}
    for name, data in pictures.items():
        path = known(monkeypatch, name, data, server.url)
        with pytest.raises(
            InputError, match=r"not fetched yet; get it with `python scripts/fetch\.py images`"
        ):
            assets.locate_image(f"asset:{name}")
        server.files[f"/{name}"] = data
    assert assets.fetch("images", progress=False) == [cache / "images" / name for name in pictures]
    for name, data in pictures.items():
        assert assets.locate_image(f"asset:{name}") == cache / "images" / name
        assert (cache / "images" / name).read_bytes() == data
    monkeypatch.setenv("STN_IMAGES", str(cache.parent / "own"))
    (cache.parent / "own").mkdir()
    (cache.parent / "own" / path.name).touch()
    assert assets.locate_image(f"asset:{path.name}") == cache.parent / "own" / path.name
    assert assets.fetch("images", progress=False) and len(server.asked) == 2


def test_an_unknown_picture_is_refused_with_the_known_ones():
    with pytest.raises(
        InputError, match=r"asset:mona\.jpg: not a known picture; known are .*tubingen\.jpg"
    ):
        assets.locate_image("asset:mona.jpg")


def test_other_pictures_are_a_path_or_lie_in_scikit_image():
    assert assets.locate_image("some/photo.jpg") == Path("some/photo.jpg")
    assert images.read(assets.locate_image("skimage:coffee.png")).shape == (400, 600, 3)


def test_a_picture_drawn_before_is_not_drawn_again(cache):
    (cache / "images").mkdir(parents=True)
    (cache / "images" / "strokes.png").write_bytes(b"drawn before")
    assert assets.locate_image("drawn:strokes").read_bytes() == b"drawn before"


def test_the_script_refuses_an_unknown_name_in_the_usual_way():
    child = subprocess.run(
        [sys.executable, "scripts/fetch.py", "vgg11"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        child.returncode == 2
        and "invalid choice: 'vgg11'" in child.stderr
        and "Traceback" not in child.stderr
    )
