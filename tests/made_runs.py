"""Run directories as stn writes them, made in no time; a report's page, read from its file or drawn
by a browser.
"""

import functools
import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stn import config, images

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


def settings_of(*overrides: str) -> dict[str, Any]:
    return config.to_dict(config.compose(*overrides))


@functools.cache
def _composed(*overrides: str) -> dict[str, Any]:
    return settings_of("content=coffee", "style=strokes", *overrides)


def make_run(
    run_dir: Path, total: float | None, *overrides: str, rows: int = 7, **extra: Any
) -> None:
    """A run directory as stn writes it; without `total`, one that did not finish."""
    run_dir.mkdir(parents=True)
    seeds = [int(text.removeprefix("seed=")) for text in overrides if text.startswith("seed=")]
    settings = dict(_composed(*(text for text in overrides if not text.startswith("seed="))))
    settings["seed"] = seeds[0] if seeds else settings["seed"]
    (run_dir / "provenance.json").write_text(json.dumps({"config": settings, "inputs_sha256": {}}))
    lines = [
        "evaluation,iteration,seconds,loss/total,loss/content,loss/style,loss/total_variation,content/relu4_2"
    ]
    lines += [
        f"{i},{i},{i / 2},{100 / (i + 1)},{60 / (i + 1)},{40 / (i + 1)},0.0,1" for i in range(rows)
    ]
    (run_dir / "metrics.csv").write_text("\n".join(lines) + "\n")
    if total is None:
        return
    summary = {
        "loss/total": total,
        "loss/content": 0.6 * total,
        "loss/style": 0.4 * total,
        "loss/total_variation": 0.0,
    }
    summary |= {f"picture/{key}": 2 * value for key, value in summary.items()} | {
        "picture/clipped_share": 0.25
    }
    (run_dir / "summary.json").write_text(
        json.dumps(summary | {"evaluations": rows, "seconds": 3.5} | extra)
    )
    y, x = np.mgrid[:20, :30]
    images.write(run_dir / "image.png", np.stack([8.0 * x, 12.0 * y, 0 * x + total], axis=-1))
    (run_dir / "progress").mkdir()
    images.write(run_dir / "progress" / "000100.png", np.stack([8.0 * x, 12.0 * y, 0 * x], axis=-1))


def page_of(path: Path) -> dict[str, Any]:
    found = re.search(
        r'<script id="data" type="application/json">(.*?)</script>', path.read_text(), re.DOTALL
    )
    assert found
    return json.loads(found[1])


def drawn(path: Path, fragment: str = "") -> str:
    """The page's elements after a headless Chromium has run its script."""
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
    ]
    options += ["--disable-background-networking", "--disable-component-update", "--dump-dom"]
    with tempfile.TemporaryDirectory() as profile:
        address = path.absolute().as_uri() + fragment
        command = [str(CHROMIUM), *options, f"--user-data-dir={profile}", address]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=120
        ).stdout


def table(dom: str, name: str = "runs") -> list[list[str]]:
    """The text of a table's cells, row by row."""
    body = dom.split(f'<table id="{name}">')[1].split("<tbody>")[1].split("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL) for line in body.split("<tr")[1:]]
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in row] for row in rows]
