"""Optimizers on photographs that can tell them apart: python scripts/compare_optimizers.py

Fifteen photographs that packages ship and three made of them, mostly dark, mostly white and
saturated; six paintings, three objectives, from the photograph and from noise. After so many
evaluations it measures the loss of the written picture, its patch distance, structural similarity,
checkers and isolated pixels. Rows go to OUT/measures.csv; a row that stands there is not computed
again. OUT/table.md says when each optimizer first has the loss and the patch distance of the
reference's last picture. What is read from it stands in docs/science/time_to_quality.md."""

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stn import assets, command_line, config, files, images, optimize, transfer
from stn.analysis import tables
from stn.assets import pictures
from stn.metrics import artifacts, measures, patches
from stn.network.network import Network
from stn.objective import objective
from stn.transfer import initialize

# Photographs and the painting each is done with, so that every painting has three.
PAINTINGS = (
    "the_scream", "starry_night", "composition_vii",
    "shipwreck", "vangogh_starry_night", "strokes",
)  # fmt: skip
PHOTOGRAPHS = (
    "skimage:astronaut.png",
    "skimage:chelsea.png",
    "skimage:coffee.png",
    "skimage:rocket.jpg",
    "skimage:motorcycle_left.png",
    "skimage:hubble_deep_field.jpg",
    "sklearn:china.jpg",
    "sklearn:flower.jpg",
    "matplotlib:grace_hopper.jpg",
    "skimage:retina.jpg",
    "skimage:ihc.png",
    "asset:tubingen.jpg",
    "asset:golden_gate.jpg",
    "skimage:camera.png",
    "skimage:moon.png",
)


def dark(rgb: np.ndarray) -> np.ndarray:
    """Mostly black: the brightest half of the range, stretched."""
    return np.clip(2 * rgb - 255, 0, 255)


def light(rgb: np.ndarray) -> np.ndarray:
    """Mostly white: the darkest half of the range, stretched."""
    return np.clip(2 * rgb, 0, 255)


def saturated(rgb: np.ndarray) -> np.ndarray:
    """Each pixel four times as far from its gray."""
    gray = rgb.mean(axis=2, keepdims=True)
    return np.clip(gray + 4 * (rgb - gray), 0, 255)


MADE = {
    "dark": ("sklearn:china.jpg", dark),
    "light": ("skimage:chelsea.png", light),
    "saturated": ("skimage:coffee.png", saturated),
}
OBJECTIVES = ("gatys_released", "gatys2016", "johnson2016")
NOISY = 6  # of the photographs, the first, are also done from noise
# Optimizers by name, and how many evaluations each gets.
OPTIMIZERS = {
    "torch_lbfgs": (("optimizer=torch_lbfgs", "optimizer.bounds=false"), 500),
    "spectral_lbfgs": (("optimizer=spectral_lbfgs",), 160),
}
REFERENCE = "torch_lbfgs"
NETWORK = "vgg19_q8"
# Evaluations after which the best picture so far is measured.
QUARTER = 125  # of the reference's evaluations
MARKS = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 125, 160, 200, 250, 320, 400, 500)
MEASURES = ("loss", "patches", "ssim", "checkerboard", "isolated", "at_most_2", "at_least_253")
HEADER = ("photograph", "painting", "objective", "init", "optimizer", "evaluations", *MEASURES)


@dataclass(frozen=True)
class Problem:
    """A photograph, by its name in the table, and a painting under an objective, from an initial
    image."""

    photograph: str
    painting: str
    preset: str
    init: str

    @property
    def key(self) -> tuple[str, ...]:
        return self.photograph, self.painting, self.preset, self.init


def photographs() -> dict[str, np.ndarray]:
    """All of the set, `rgb` [h, w, 3], 0-255, by name."""

    def read(path: str) -> np.ndarray:
        return images.read(assets.locate_image(path))

    found = {name(path): read(path) for path in PHOTOGRAPHS}
    return found | {made: change(read(path)) for made, (path, change) in MADE.items()}


def name(path: str) -> str:
    """`skimage:astronaut.png` -> `astronaut`."""
    return path.partition(":")[2].partition(".")[0]


def problems() -> list[Problem]:
    """All of the set, those from the photograph first: paintings and objectives take turns, so that
    each meets each three times."""
    names = [*(name(path) for path in PHOTOGRAPHS), *MADE]
    in_turn = [
        (photograph, number % len(PAINTINGS), number + number // len(PAINTINGS))
        for number, photograph in enumerate(names)
    ]
    return [
        Problem(
            photograph,
            PAINTINGS[painting],
            OBJECTIVES[(turn + shift) % len(OBJECTIVES)],
            init,
        )
        for shift, (init, count) in enumerate((("content", len(names)), ("noise", NOISY)))
        for photograph, painting, turn in in_turn[:count]
    ]


class Setting:
    """A problem made ready: its objective, its initial image and what its pictures are held
    against."""

    def __init__(
        self, problem: Problem, rgb: np.ndarray, size: int, networks: dict[str, Network]
    ) -> None:
        """`networks` keeps what was loaded for other problems."""
        self.settings = config.compose(
            f"preset={problem.preset}",
            f"network={NETWORK}",
            f"style={problem.painting}",
            f"init={problem.init}",
            f"image.size_px={size}",
            "image.side=long",
            "image.filter=skimage",  # others alias at such sizes
            "tracking=off",
        )
        self.settings.content.path = pictures.ARRAY
        read = pictures.read(self.settings, {"content": (rgb, None)})
        key = str(self.settings.network)
        if key not in networks:
            networks[key] = transfer.network_of(self.settings)
        self.network = networks[key]
        self.sized = read.at(1.0)
        self.loss = objective.build(transfer.objective_of(self.settings), self.network, self.sized)

    def picture(self, image: np.ndarray) -> np.ndarray:
        """What would be written of an image, [h, w, 3], 0-255."""
        return np.rint(self.network.rgb(image))

    def measured(self, image: np.ndarray) -> tuple[float, ...]:
        """The MEASURES of the picture that would be written of an image."""
        rgb = self.picture(image)
        content, style = self.sized.photograph, self.sized.styles[0].rgb
        return (
            self.loss.value_and_grad(self.network.image(rgb))[0].total,
            patches.distance(rgb, style),
            float(measures.structural_similarity(rgb, content, channel_axis=2, **measures.SSIM)),
            artifacts.checkerboard(rgb),
            artifacts.isolated_pixels(rgb),
            float((rgb <= 2).mean()),
            float((rgb >= 253).mean()),
        )

    def course(self, overrides: tuple[str, ...], evaluations: int) -> list[tuple[int, np.ndarray]]:
        """The best image so far after each of the MARKS."""
        settings = config.compose(*overrides, f"optimizer.max_evaluations={evaluations}")
        state = optimize.State(
            initialize.initial_image(
                self.settings.init, self.sized, self.network, self.settings.seed
            )
        )
        found: list[tuple[int, np.ndarray]] = []

        def keep(evaluation: optimize.Evaluation, image: np.ndarray) -> None:
            if state.evaluations in MARKS and state.best_image is not None:
                found.append((state.evaluations, state.best_image))

        problem = optimize.Problem(
            self.loss.value_and_grad,
            limits=self.network.limits,
            unit=np.array(config.pixel_unit(self.settings)),
        )
        optimize.minimize(problem, state, settings.optimizer, optimize.Callbacks(keep))
        return found


def main() -> None:
    parser = command_line.parser(__doc__)
    parser.add_argument("optimizers", nargs="*", default=list(OPTIMIZERS), metavar="OPTIMIZER")
    parser.add_argument("--size", type=command_line.whole, default=96, help="long side, pixels")
    parser.add_argument("--only", nargs="*", default=[], help="words of a problem's key")
    parser.add_argument("--pictures", action="store_true", help="keep the last pictures")
    parser.add_argument("--out", type=Path, default=Path("outputs/compare_optimizers"))
    arguments = parser.parse_args()
    unknown = [each for each in arguments.optimizers if each not in OPTIMIZERS]
    if unknown:
        parser.error(f"{unknown[0]}: no such optimizer; there are {', '.join(OPTIMIZERS)}")
    asked = [each for each in problems() if set(arguments.only) <= set(each.key)]
    run(asked, arguments.optimizers, arguments.size, arguments.out, arguments.pictures)


def run(asked: list[Problem], optimizers: list[str], size: int, out: Path, keep: bool) -> None:
    """Compute the rows that are missing, then write the table."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "measures.csv"
    rows = rows_of(path)
    done = {tuple(row[column] for column in HEADER[:5]) for row in rows}
    of_name, networks = photographs(), dict[str, Network]()
    for problem in asked:
        missing = [each for each in optimizers if (*problem.key, each) not in done]
        if not missing:
            continue
        setting = Setting(problem, of_name[problem.photograph], size, networks)
        for optimizer in missing:
            began = time.perf_counter()
            course = setting.course(*OPTIMIZERS[optimizer])
            for count, image in course:
                row = (*problem.key, optimizer, count, *setting.measured(image))
                rows.append(dict(zip(HEADER, row, strict=True)))
            if keep:
                file = out / f"{'-'.join((*problem.key, optimizer))}.png"
                images.write(file, setting.picture(course[-1][1]))
            write(path, rows)
            print(*problem.key, optimizer, f"{time.perf_counter() - began:.0f} s", flush=True)
    wanted = {problem.key for problem in asked}
    compared = [row for row in rows if tuple(row[column] for column in HEADER[:4]) in wanted]
    files.write_text(out / "table.md", f"{extremes(of_name)}\n{table(compared, optimizers)}")


def extremes(of_name: dict[str, np.ndarray]) -> str:
    """How much of each photograph is black or white already."""
    lines = [["photograph", "share of values at most 2", "at least 253"]]
    for photograph, rgb in of_name.items():
        lines.append([photograph, f"{(rgb <= 2).mean():.3f}", f"{(rgb >= 253).mean():.3f}"])
    return tables.markdown(lines)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV, numbers as numbers; none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            {key: value if key in HEADER[:5] else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    short = (
        {key: f"{each:.6g}" if isinstance(each, float | int) else each for key, each in row.items()}
        for row in rows
    )
    files.write_text(path, tables.csv_text(HEADER, short))


def table(rows: list[dict[str, Any]], optimizers: list[str]) -> str:
    """For each problem the share of the reference's evaluations until the loss and the patch
    distance of its last picture are reached, and the artifacts of both after QUARTER and all."""
    of: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        of.setdefault(tuple(row[column] for column in HEADER[:5]), []).append(row)
    lines = [
        [
            *HEADER[:5],
            *("share to its loss", "to its patch distance"),
            *("SSIM", "its", "checkerboard", "its", "isolated", "its"),
        ]
    ]
    for optimizer in optimizers:
        if optimizer == REFERENCE:
            continue
        shares: list[list[float]] = []
        for key, ours in of.items():
            reference = of.get((*key[:4], REFERENCE))
            if key[4] != optimizer or reference is None:
                continue
            last = reference[-1]
            then = [row for row in ours if row["evaluations"] <= QUARTER][-1]
            shares.append([_share(ours, last, measure) for measure in ("loss", "patches")])
            both = [
                f"{row[measure]:.{digits}f}"
                for measure, digits in (("ssim", 2), ("checkerboard", 1), ("isolated", 0))
                for row in (then, last)
            ]
            lines.append([*key, *map(_shown, shares[-1]), *both])
        medians = [_shown(each) for each in np.median(shares, axis=0)] if shares else ["", ""]
        lines.append(["median", "", "", "", optimizer, *medians, *[""] * 6])
    return tables.markdown(lines)


def _share(ours: list[dict[str, Any]], last: dict[str, Any], measure: str) -> float:
    """Evaluations until ours is as low as the reference's last, over the reference's."""
    reached = [row["evaluations"] for row in ours if row[measure] <= last[measure]]
    return float(min(reached, default=np.inf) / last["evaluations"])


def _shown(share: float) -> str:
    return "not reached" if np.isinf(share) else f"{share:.2f}"


if __name__ == "__main__":
    main()
