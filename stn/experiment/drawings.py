"""What an experiment leaves besides its runs: figure, table, caption; a copy of the last ones above
them.
"""

import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from stn import files, runs
from stn.study import figures, tables


def write(
    folder: Path,
    figure: Figure,
    caption: str,
    finished: Mapping[str, runs.Run] | None = None,
    root: Path | None = None,
) -> Path:
    """Write figure.png and .pdf, caption.txt and, of finished runs by name, runs.csv; gives the
    path of figure.png.

    In runs.csv directories are as seen from `root`, `folder` unless given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "figure.png"
    figures.save(figure, path, folder / "figure.pdf")
    files.write_text(folder / "caption.txt", f"{caption}\n")
    if finished:
        files.write_text(folder / "runs.csv", tables.of_runs(finished, root or folder))
    return path


def copy(folder: Path, above: Path) -> None:
    """Copy the files of `folder`, each whole, over those of the last call."""
    for path in folder.iterdir():
        with files.atomic_write(above / path.name) as partial:
            shutil.copyfile(path, partial)


def filled(caption: str) -> str:
    """The paragraphs of a caption, each in lines of at most 120 letters."""
    return "\n\n".join(textwrap.fill(" ".join(each.split()), 120) for each in caption.split("\n\n"))


def conditions(finished: Mapping[str, runs.Run]) -> str:
    """What a reader must know to compare the figure with the paper's."""
    every = [run.settings for run in finished.values()]

    def values(*keys: str) -> str:
        found: list[str] = []
        for settings in every:
            value: Any = settings
            for key in keys:
                value = value[key]
            found.append(str(value))
        return ", ".join(dict.fromkeys(found))

    names, scaled = values("network", "name"), values("network", "rescale")
    return (
        f"Network {names},"
        f" {'plain' if scaled == 'None' else f'mean activations scaled to one ({scaled})'}; pooling"
        f" {values('network', 'pooling')}; {values('image', 'size_px')} px;"
        f" {values('optimizer', 'max_evaluations')} evaluations of {values('optimizer', 'name')};"
        f" first image {values('init', 'name')}; alpha {values('objective', 'content_weight')},"
        f" beta {values('objective', 'style_weight')}."
    )
