"""Our default next to crowsonkb's program, in its time and longer: ours.

python experiments/default_crowson.py"""

import functools
import math
from pathlib import Path

from stn import config, files
from stn.analysis import tables
from stn.config import overrides
from stn.experiment import frame

# A face with much black, a town, fur, a still life: each under another painting.
PAIRS = (
    ("astronaut", "the_scream"),
    ("tubingen", "starry_night"),
    ("chelsea", "composition_vii"),
    ("coffee", "shipwreck"),
)
# What is painted of the program's 3000 evaluations, most of them at smaller sizes.
SHARES = {"a fortieth": 40, "a tenth": 10}
MEASURES = ("checkerboard", "ssim_to_content", "patches_to_style")


def cells(base: config.Config) -> list[frame.Cell]:
    program = config.compose("preset=crowson_w2")
    found = []
    for content, style in PAIRS:
        pictures = (f"content={content}", f"style={style}")
        found.append(
            frame.Cell(
                (content, style, "default"),
                ("preset=default", *pictures),
                before=("content", "style"),
            )
        )
        found += [
            frame.Cell(
                (content, style, f"crowson_w2, {name}"),
                (
                    *("preset=crowson_w2", *pictures),
                    *overrides.budgets(program, functools.partial(_share, share)),
                ),
            )
            for name, share in SHARES.items()
        ]
    return found


def _share(share: int, evaluations: int) -> int:
    return math.ceil(evaluations / share)


def write(folder: Path, finished: frame.Finished) -> None:
    """table.md: evaluations, seconds and measures of every picture."""
    rows = [["pictures", "program", "evaluations", "seconds", *MEASURES]]
    for (content, style, name), run in finished.items():
        told = [str(run.summary["evaluations"]), f"{run.summary['seconds']:.0f}"]
        measured = [f"{run.summary[f'measures/{each}']:.3g}" for each in MEASURES]
        rows.append([f"{content}, {style}", str(name), *told, *measured])
    files.write_text(folder / "table.md", tables.markdown(rows))


EXPERIMENT = frame.Experiment(
    "default_crowson",
    "Ours: preset=default next to crowsonkb/style-transfer-pytorch (crowson_w2), four pairs, the"
    " same network. Its whole budget is 3000 evaluations on five levels. Here are a fortieth of it,"
    " about as many as the default's, and a tenth. table.md has seconds and measures.",
    ("network=vgg19_q8",),
    cells,
    "image.size_px=256 image.side=long",
    minutes=30,
    quick="image.size_px=128 image.side=long",
    quick_minutes=10,
    columns=5,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
