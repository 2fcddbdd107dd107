"""The live page: what it shows while runs go on, in a browser; what its server gives out, and to
whom.
"""

import contextlib
import http.client
import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from conftest import Ended, at_evaluation, listing, start
from made_runs import CHROMIUM, make_run
from PIL import Image

from stn import config, errors, images, runs
from stn.assets import pictures
from stn.images import color, resizing
from stn.report import live_server, progress, tree
from stn.runs import previews, record

NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
SHOWN = (
    "[...document.querySelectorAll('#grid img')].filter(image => image.complete &&"
    " image.naturalWidth > 0).length"
)
COUNT = "document.getElementById('count').textContent"

# Three processes of a sweep and its page, half a minute: with STN_LONG=1.
LONG = pytest.mark.skipif(os.environ.get("STN_LONG") != "1", reason="long: STN_LONG=1 runs it")


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree is read with every question, and a run that was made is not taken for dead, however
    slow the machine.
    """
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 600.0)
    monkeypatch.setattr(tree, "SECOND", 0.0)
    monkeypatch.setattr(tree, "TIMES", 0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@contextlib.contextmanager
def served(root: Path, port: int = 0) -> Iterator[live_server.Server]:
    with live_server.Server(root, port) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        yield server
        server.shutdown()


def ask(
    server: live_server.Server,
    path: str,
    host: str | None = "127.0.0.1",
    method: str = "GET",
    tag: str = "",
) -> Any:
    """Status, headers and body; `path` goes as it is, `host` into the header of that name."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in (("Host", host), ("If-None-Match", tag or None)):
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def data_of(server: live_server.Server) -> dict[str, Any]:
    return json.loads(ask(server, "/data.json")[2])


def going_on(run_dir: Path) -> None:
    (run_dir / record.LOCK).touch()


@NEEDS_CHROMIUM
def test_a_run_is_watched_from_before_its_start_to_its_end(
    browser: Browser, run: Any, tmp_path: Path
) -> None:
    root = tmp_path / "watched"
    with served(root) as server:
        page = browser.open(server.address)
        page.until("document.body.innerText.includes('No run yet in watched')")

        def look() -> None:
            page.until(f"{SHOWN} === 1 && document.querySelector('progress')?.max === 6")
            assert "0 finished, 0 unfinished, 0 failed, 1 running" in page.value(COUNT)
            assert re.search(r"watched\s+[1-4] of 6 evaluations", page.text())
            assert (root / previews.VIEW).is_file()

        def die() -> None:
            look()
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"), at_evaluation(3, die):
            run(root)
        page.until(f"{COUNT}.includes('1 unfinished') && {SHOWN} === 1")
        with at_evaluation(4, look):
            run(root)
        page.until(f"{COUNT}.includes('1 finished') && {SHOWN} === 1")
        assert "of 6 evaluations" not in page.text()
    run(tmp_path / "alone")
    assert listing(root) == listing(tmp_path / "alone")
    assert (root / runs.PICTURE).read_bytes() == (tmp_path / "alone" / runs.PICTURE).read_bytes()


@NEEDS_CHROMIUM
def test_two_pages_watch_a_sweep_over_a_server_that_is_killed(
    browser: Browser, tmp_path: Path
) -> None:
    make_run(tmp_path / "0", 90.0, "seed=0")
    make_run(tmp_path / "1", None, "seed=1", "optimizer.max_evaluations=500", rows=50)
    going_on(tmp_path / "1")
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / runs.FAILED).write_text(
        json.dumps({"error": "a disk is full", "overrides": ["seed=2"]})
    )
    write_sweep(tmp_path, "seed=0,1,2,3,4")
    with served(tmp_path) as server:
        pages = [browser.open(server.address), browser.open(server.address, width=360, height=640)]
        for page in pages:
            page.until(
                f"{COUNT} === '5 of 5 runs shown; 1 finished, 0 unfinished, 1 failed, 1 running, 2"
                " waiting'"
            )
            assert "1 50 of 500 evaluations, 2 a second, 4 min left" in page.text().replace(
                "\n", " "
            )
            assert (
                "2 cells of the sweep not started: waiting for those before" in page.text()
                and "a disk is full" in page.text()
            )
        wide = "each => each.getBoundingClientRect().right > 361 && !each.closest('.wide, .chart')"
        assert (
            pages[1].value(
                f"[...document.querySelectorAll('*')].filter({wide}).map(each => each.outerHTML)"
            )
            == []
        )
        assert pages[1].value("document.documentElement.scrollWidth") <= 360
        pages[1].value("document.querySelector('#queue').open = true")
        assert re.search(r"for those before\s+3\s+4\s", pages[1].text())
    for page in pages:
        page.until("document.body.innerText.includes('The server does not answer')")
    make_run(tmp_path / "3", 70.0, "seed=3")
    with served(tmp_path, port=server.server_port):
        for page in pages:
            page.until(
                f"{COUNT}.startsWith('5 of 5 runs shown; 2 finished') &&"
                f" !{COUNT}.includes('failed, 2')"
            )
            assert "does not answer" not in page.text()


@NEEDS_CHROMIUM
def test_the_keyboard_is_enough_and_keeps_its_place_when_news_come(
    browser: Browser, tmp_path: Path
) -> None:
    for seed in range(3):
        make_run(tmp_path / str(seed), 90.0 - seed, f"seed={seed}")
    with served(tmp_path) as server:
        page = browser.open(server.address)
        page.until(f"{SHOWN} === 3")

        def tab_to(condition: str) -> None:
            for _ in range(60):
                page.press("Tab")
                if page.value(f"(at => {condition})(document.activeElement)"):
                    return
            pytest.fail(f"no way to {condition}")

        tab_to("at.title === '1' && at.className === 'picture'")
        page.press("Enter")
        assert page.value("location.hash.includes('run=1') && document.activeElement.title === '1'")
        tab_to("at.tagName === 'BUTTON' && at.textContent === 'loss/total ↓'")
        page.press("Enter")
        make_run(tmp_path / "3", 10.0, "seed=3")
        page.until(f"{COUNT}.startsWith('4 of 4')")
        assert page.value("document.activeElement.textContent") == "loss/total ↓ ▴"
        assert page.value("document.querySelector('#runs tbody button').textContent") == "3"


@NEEDS_CHROMIUM
def test_of_500_runs_only_the_pictures_that_are_seen_are_asked_for(
    browser: Browser, tmp_path: Path
) -> None:
    make_run(tmp_path / "0", 1.0, "seed=0", rows=3)
    provenance = (tmp_path / "0" / runs.PROVENANCE).read_text()
    for seed in range(1, 500):
        (tmp_path / str(seed)).mkdir()
        for name in (runs.METRICS, runs.SUMMARY, runs.PICTURE):
            os.link(tmp_path / "0" / name, tmp_path / str(seed) / name)
        (tmp_path / str(seed) / runs.PROVENANCE).write_text(
            provenance.replace('"seed": 0', f'"seed": {seed}')
        )
    with served(tmp_path) as server:
        page = browser.open(server.address)
        page.until(f"{COUNT}.startsWith('500 of 500 runs shown; 500 finished') && {SHOWN} > 0")
        in_sight = (
            "image => { const { top, bottom } = image.getBoundingClientRect(); return top < 800 &&"
            " bottom > 0; }"
        )
        assert page.value("document.querySelectorAll('#grid img').length") == 500
        seen = page.value(f"[...document.querySelectorAll('img')].filter({in_sight}).length")
        # The places of those that are not loaded are a little lower than the pictures, which push
        # some out of sight.
        assert 1 <= seen <= len(page.asked_for("picture/")) <= seen + 3
        page.value("document.querySelectorAll('#grid img')[400].scrollIntoView()")
        page.until("document.querySelectorAll('#grid img')[400].naturalWidth")
        assert len(page.asked_for("picture/")) < 20


def write_sweep(folder: Path, *overrides: str) -> None:
    """What Hydra's sweeper leaves of a sweep's settings, as far as it is read."""
    target = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
    kept = {"sweep": {"subdir": "${hydra.job.num}"}, "sweeper": {"_target_": target}}
    (folder / "multirun.yaml").write_text(
        json.dumps({"hydra": {**kept, "overrides": {"task": list(overrides)}}})
    )


def test_the_queue_is_what_nothing_is_there_of(tmp_path: Path) -> None:
    assert progress.waiting(tmp_path) == {}
    write_sweep(tmp_path, "preset=demo", "seed=0,1", "init=noise,content")
    make_run(tmp_path / "1", 1.0)
    assert progress.waiting(tmp_path) == {
        "0": ["preset=demo", "seed=0", "init=noise"],
        "2": ["preset=demo", "seed=1", "init=noise"],
        "3": ["preset=demo", "seed=1", "init=content"],
    }
    (tmp_path / "multirun.yaml").write_text("hydra: [")
    assert progress.waiting(tmp_path) == {}


def test_the_pace_of_a_run_and_of_a_pyramid_and_none_of_one_that_was_killed(tmp_path: Path) -> None:
    make_run(tmp_path / "a", None, "optimizer.max_evaluations=20", rows=5)
    run, now = runs.Run(tmp_path / "a"), time.time()
    assert progress.pace(run, now) is None  # nobody holds it
    going_on(run.path)
    assert progress.pace(run, now) == {
        "done": 5,
        "of": 20,
        "rate": 2.0,
        "left": 7.5,
    }  # two a second
    assert progress.pace(run, now + progress.PATIENCE_SECONDS + 5) is None
    make_run(
        tmp_path / "b",
        None,
        "optimizer.max_evaluations=20",
        "pyramid.levels=[{scale: 0.5, max_evaluations: 8}]",
    )
    lines = ["evaluation,seconds,loss/total,level", *(f"{i},{i / 4},1,0" for i in range(6))]
    (tmp_path / "b" / runs.METRICS).write_text("\n".join(lines))
    going_on(tmp_path / "b")
    # Two more of a quarter second, then twenty with four times the pixels.
    assert progress.pace(runs.Run(tmp_path / "b"), now) == {
        "done": 6,
        "of": 28,
        "rate": 4.0,
        "left": 20.5,
    }
    make_run(tmp_path / "c", 1.0)
    going_on(tmp_path / "c")
    assert progress.pace(runs.Run(tmp_path / "c"), now) is None


def test_the_picture_of_an_unfinished_run_is_its_newest(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1.0)
    run_dir = tmp_path / "a"
    Image.new("RGB", (8, 8)).save(run_dir / previews.VIEW)
    for age, name in enumerate(("progress/000100.png", previews.VIEW, runs.PICTURE)):
        os.utime(run_dir / name, (0, 1000 - age))
    assert progress.latest(runs.Run(run_dir)) == run_dir / runs.PICTURE
    (run_dir / runs.SUMMARY).unlink()
    assert progress.latest(runs.Run(run_dir)) == run_dir / "progress/000100.png"
    os.utime(run_dir / previews.VIEW, (0, 2000))
    assert progress.latest(runs.Run(run_dir)) == run_dir / previews.VIEW


def test_a_picture_forms_only_where_someone_asks_and_costs_its_share_at_most(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("STN_CACHE", str(tmp_path / "cache"))
    made: list[float] = []
    clock = [100.0]
    monkeypatch.setattr(previews.time, "monotonic", lambda: clock[0])

    def make() -> np.ndarray:
        made.append(clock[0])
        clock[0] += 0.05  # what it takes
        return np.full((600, 1200, 3), 99.0)

    run_dir = tmp_path / "sweep" / "0"
    run_dir.mkdir(parents=True)

    def at(seconds: float) -> None:
        clock[0] = seconds
        preview.show(make)

    preview = previews.Preview(run_dir / previews.VIEW, 2.0)
    at(100)
    previews.ask(tmp_path / "other")
    at(103)
    assert not made and not (run_dir / previews.VIEW).exists()
    previews.ask(tmp_path / "sweep")
    for seconds in (106, 109, 110.9, 111.1):  # 0.05 s are 1 % of 5
        at(seconds)
    assert made == [106, 111.1]
    assert Image.open(run_dir / previews.VIEW).size == (512, 256)
    for request in (tmp_path / "cache" / "previews").iterdir():
        os.utime(request, (0, time.time() - previews.LASTING - 1))
    at(200)
    assert len(made) == 2
    previews.ask(tmp_path / "sweep")
    previews.Preview(run_dir / previews.VIEW, 0.0).show(make)
    previews.Preview(tmp_path / "gone" / previews.VIEW, 2.0).show(
        make
    )  # cannot be written, which ends nothing
    assert len(made) == 2


def test_only_pictures_that_the_page_names_are_given_and_none_behind_a_link(tmp_path: Path) -> None:
    root, secret = tmp_path / "sweep", tmp_path / "secret.png"
    for name in "abc":
        make_run(root / name, 1.0, f"seed={ord(name)}")
    images.write(secret, np.zeros((9, 9, 3)))
    (root / "b" / runs.PICTURE).unlink()
    (root / "b" / runs.PICTURE).symlink_to(secret)
    (tmp_path / "other.json").write_text((root / "c" / runs.PROVENANCE).read_text())
    (root / "c" / runs.PROVENANCE).unlink()
    (root / "c" / runs.PROVENANCE).symlink_to(tmp_path / "other.json")
    with served(root) as server:
        page = data_of(server)
        assert [(run["name"], bool(run["after"])) for run in page["runs"]] == [
            ("a", True),
            ("b", False),
        ]
        assert page["notes"] == ["c: not read, since a file of it is a link that leads out of it"]
        address = "/" + page["pictures"][page["runs"][0]["after"]]
        status, headers, body = ask(server, address)
        assert (status, headers["Content-Type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")
        (root / "a" / runs.PICTURE).unlink()
        (root / "a" / runs.PICTURE).symlink_to(secret)  # after the page was told of it
        assert ask(server, address)[0] == 404
        (root / "a" / runs.PICTURE).unlink()
        os.mkfifo(root / "a" / runs.PICTURE)
        assert data_of(server)["runs"][0]["after"] is None
        for path in (
            *(
                "/a/provenance.json",
                "/../secret.png",
                "/picture/../../secret.png",
                "/picture/%2e%2e/secret.png",
            ),
            *(
                "//etc/passwd",
                "/picture/",
                "/picture/0123456789abcdef.jpg",
                "/data.json/",
                "secret.png",
            ),
        ):
            assert ask(server, path)[0] in (403, 404)


def test_only_requests_that_name_this_server_are_answered_and_none_that_write(
    tmp_path: Path,
) -> None:
    make_run(tmp_path / "a", 1.0)
    with served(tmp_path) as server:
        assert server.server_address[0] == "127.0.0.1"
        port = server.server_port
        for host in (f"127.0.0.1:{port}", "localhost:9000", "LOCALHOST", "[::1]:1", "127.0.0.1"):
            assert ask(server, "/", host)[0] == 200
        for host in (
            None,
            "",
            "evil.example",
            f"localhost.evil.example:{port}",
            "192.168.1.5",
            "[",
            "127.0.0.1@evil.example",
        ):
            assert ask(server, "/data.json", host)[0] == 403
        before = listing(tmp_path)
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert ask(server, "/data.json", method=method)[0] == 501
        assert listing(tmp_path) == before
        status, headers, body = ask(server, "/", method="HEAD")
        assert (status, body) == (200, b"") and int(headers["Content-Length"]) > 1000
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"] and "*" not in str(
            headers
        )
        tag = ask(server, "/data.json")[1]["ETag"]
        assert ask(server, "/data.json", tag=tag)[0] == 304
        make_run(tmp_path / "b", 2.0)
        assert ask(server, "/data.json", tag=tag)[0] == 200


def test_a_thousand_requests_at_once_are_answered(tmp_path: Path) -> None:
    """Pages opened again after a restart, or a page of many pictures, do not wait for a timeout."""
    count = 1000
    with served(tmp_path) as server:
        together, answers = threading.Barrier(count, timeout=60), []

        def request() -> None:
            together.wait()
            asked = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
            asked.request("HEAD", "/", headers={"Host": "localhost"})
            answers.append(asked.getresponse().status)

        threads = [threading.Thread(target=request, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert answers == [200] * count


def test_an_address_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    with (
        served(tmp_path) as server,
        pytest.raises(errors.InputError, match=f"port {server.server_port}: cannot be"),
    ):
        live_server.Server(tmp_path, server.server_port)
    with pytest.raises(errors.InputError, match="port 99999: cannot be served"):
        live_server.Server(tmp_path, 99999)
    (tmp_path / "file").touch()
    with pytest.raises(errors.InputError, match="is a file"):
        live_server.Server(tmp_path / "file")
    with (
        live_server.Server(tmp_path),
        live_server.Server(tmp_path) as second,
    ):  # whether or not the usual port is free
        assert second.server_port != live_server.PORT


def test_what_has_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        make_run(tmp_path / name, 1.0, f"seed={ord(name)}")
    read: list[str] = []
    read_json = runs.read_json
    monkeypatch.setattr(
        record, "read_json", lambda path: (read.append(path.parent.name), read_json(path))[1]
    )
    shown = tree.Tree(tmp_path)
    first = json.loads(shown.data())
    assert set(read) == {"a", "b"}
    read.clear()
    assert json.loads(shown.data()) == first and not read
    (tmp_path / "b" / runs.SUMMARY).write_text(json.dumps({"loss/total": 7.0, "evaluations": 8}))
    assert json.loads(shown.data())["runs"][1]["results"]["loss/total"] == 7.0
    assert set(read) == {"b"}


def test_the_command_serves_until_interrupted_and_refuses_what_does_not_go_together(
    tmp_path: Path, monkeypatch
) -> None:
    script = str(config.CONFIG_DIR.parent / "scripts" / "report.py")
    command = [sys.executable, script, str(tmp_path), "--live"]
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        contextlib.ExitStack() as end,
    ):
        end.callback(process.kill)
        assert process.stdout and process.stderr
        address = process.stdout.readline().strip()
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", address)[1])  # type: ignore[index]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/data.json")
        assert json.loads(connection.getresponse().read())["runs"] == []
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == "Ctrl-C ends it; it only reads, and the runs go on\n"
    for words in (["--live", "--wandb"], ["more", "--live"], ["--port", "1"]):
        monkeypatch.setattr(sys, "argv", [script, str(tmp_path), *words])
        with pytest.raises(errors.InputError, match="--live"):
            runpy.run_path(script)["main"]()


def test_view_starts_the_page_beside_a_run(
    command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []

    def start(directory: Path) -> previews.Page:
        started.append(directory)
        return subprocess.Popen(["true"])  # a page that has ended

    monkeypatch.setattr(previews, "start", start)
    ended = command("view=true")
    assert (ended.code, started) == (0, [ended.run_dir])


@LONG
def test_view_shows_a_sweep_in_a_browser_and_stays_until_interrupted(
    small: tuple[str, ...], tmp_path: Path
) -> None:
    told, folder = tmp_path / "told", tmp_path / "sweep"
    environment = os.environ | {
        "BROWSER": f'{sys.executable} -c \'open("{told}","w").write("%s")\''
    }
    words = (
        "-m",
        *small,
        "seed=0,1",
        "init.amplitude=1,-1",
        "init=noise",
        "view=true",
        "hydra.sweep.dir=sweep",
    )
    with start(tmp_path, *words, env=environment) as process, contextlib.ExitStack() as end:
        end.callback(process.kill)
        assert process.stderr
        said = ""
        while "the page stays until Ctrl-C" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        [port] = re.findall(r"^live: http://127.0.0.1:(\d+)/$", said, re.MULTILINE)
        shutil.rmtree(folder / "init.amplitude=1,seed=0")

        def data() -> dict[str, Any]:
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
            connection.request("GET", "/data.json")
            return json.loads(connection.getresponse().read())

        page = data()
        assert {run["name"]: run["state"] for run in page["runs"]} == {
            **{f"init.amplitude=-1,seed={seed}": "failed" for seed in (0, 1)},
            **{f"init.amplitude=1,seed={seed}": ("missing", "finished")[seed] for seed in (0, 1)},
        }
        assert page["live"]["waiting"] == ["init.amplitude=1,seed=0"]
        assert told.read_text() == f"http://127.0.0.1:{port}/"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 2  # as without the page: a cell failed
        with pytest.raises(OSError):
            data()


def test_a_preview_of_local_affine_colors_skips_their_averaging(
    run: Any, composed: Any, tmp_path: Path
) -> None:
    """Of the initial image, which is the painting at the photograph's size."""
    words = ("color=local_affine", "init=style", "optimizer.max_evaluations=2")
    sized = pictures.read(composed(*words)).at(1.0)
    painting = resizing.resize(sized.styles[0].rgb, *sized.shape)
    seen: list[np.ndarray] = []
    previews.ask(tmp_path)
    with at_evaluation(2, lambda: seen.append(images.read(tmp_path / "run" / previews.VIEW))):
        run(tmp_path / "run", *words)

    def apart(averaged: bool) -> float:
        data = io.BytesIO()
        rgb = color.local_affine(painting, sized.photograph, averaged)
        Image.fromarray(images.to_bytes(rgb)).save(data, "JPEG", quality=previews.JPEG_QUALITY)
        return float(np.abs(seen[0] - np.asarray(Image.open(data), float)).mean())

    assert apart(averaged=False) < 0.1 < 1 < apart(averaged=True)
