"""A photograph changed by a few steps of 255 until a network says another class. python
experiments/adversarial.py

Both probabilities over the steps, the difference enlarged, and whether another network falls for
it, next to random changes of the same size. After AI-For-Beginners, lesson 8, but in the network's
own space throughout."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from stn import assets, command_line, errors, files, images, optimize, runs
from stn.analysis import figures, tables
from stn.assets import catalog
from stn.classify import labeled, options, search
from stn.classify.classifier import Classifier, ClassLoss
from stn.experiment import frame
from stn.images import resizing
from stn.quantities import Terms

EXAMPLE = (
    "python experiments/adversarial.py --photograph skimage:chelsea.png --target coffee --bound 4"
)
CONFIDENCE = 0.9  # of the target class, at which the search ends; ours


def photograph(
    arguments: argparse.Namespace, pictures: labeled.Labeled | None
) -> tuple[np.ndarray, labeled.Labeled | None]:
    """The photograph, `rgb` in 8 bits, and the pictures that heads may see: not those set apart,
    one of which it is.
    """
    from sklearn.model_selection import train_test_split  # scikit-learn takes a second to import

    if pictures is None and not arguments.photograph:
        raise errors.InputError("--head own: give a picture with --photograph FILE")
    seen, apart = pictures, None
    if pictures is not None:
        indices = np.arange(len(pictures.labels))
        try:
            kept, out = train_test_split(
                indices, test_size=0.2, random_state=arguments.seed, stratify=pictures.labels
            )
        except ValueError as error:  # too few of a class
            raise errors.InputError(
                f"--pictures {arguments.pictures}: {error}; give more pictures a class"
            ) from error
        seen, apart = pictures.take(kept), pictures.take(out)
    if arguments.photograph:
        rgb = images.read(assets.locate_image(arguments.photograph))
        rgb = resizing.resize(rgb, arguments.size, arguments.size)
    else:
        assert apart is not None  # as there are pictures
        rgb = apart.rgb[np.argmin(apart.labels)].astype(np.float64)  # the first of the first class
    return np.rint(rgb), seen


def random_changes(rgb: np.ndarray, bound: int, seed: int) -> np.ndarray:
    """The photograph with every value moved by the bound, up or down by chance: as far as the
    search may go.
    """
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), rgb.shape)
    return np.clip(rgb + bound * signs, 0, 255)


def towards(
    arguments: argparse.Namespace,
    known: Classifier,
    rgb: np.ndarray,
    origin: int,
    target: int,
    folder: Path,
) -> runs.Run:
    """The least cross-entropy of the target class within the bound around the photograph, until it
    is believed.
    """
    bound, (black, white) = arguments.bound, known.network.limits
    first = known.network.image(rgb).astype(np.float64)
    limits = np.maximum(first - bound, black), np.minimum(first + bound, white)

    def until(terms: Terms) -> str | None:
        return (
            f"probability {CONFIDENCE}"
            if terms.per_layer["probability/target"] >= CONFIDENCE
            else None
        )

    given = {
        key: getattr(arguments, key)
        for key in ("network", "head", "layer", "pictures", "size", "seed", "bound", "photograph")
    }
    photograph_sum = {"photograph": files.digest(rgb.tolist())}
    searches = search.Searches(folder, known.network, known.checksums | photograph_sum, given)
    settings = {
        "from": known.classes[origin],
        "target": known.classes[target],
        "optimizer": search.optimizer("lbfgs", arguments.evaluations),
    }
    loss = ClassLoss(known, target, watched={"origin": origin, "target": target})
    problem = optimize.Problem(loss.value_and_grad, limits)
    return searches.find(f"{origin}-{target}", settings, problem, first, until)


def draw(rgb: np.ndarray, noisy: np.ndarray, run: runs.Run, bound: int) -> figures.Figure:
    """Photograph, random changes, the result and its difference, enlarged so that the bound is
    black and white.
    """
    origin, target = run.settings["from"], run.settings["target"]
    enlarged = 127.5 + (run.rgb - rgb) * (127.5 / bound)
    return figures.panels(
        [
            [
                figures.Panel(rgb, f"photograph: {origin}"),
                figures.Panel(noisy, f"± {bound} by chance"),
                figures.Panel(run.rgb, f"towards: {target}"),
                figures.Panel(enlarged, f"difference × {127.5 / bound:.0f}"),
            ]
        ]
    )


def curves(run: runs.Run) -> figures.Figure:
    """Both probabilities over the evaluations."""
    with figures.paper_style():
        figure, axis = figures.subplots(figsize=(figures.TEXT_WIDTH / 2, 2.2))
        for key, role in (("origin", "from"), ("target", "target")):
            axis.plot(
                run.metrics["evaluation"],
                run.metrics[f"probability/{key}"],
                ".-",
                label=run.settings[role],
            )
        axis.set(xlabel="evaluation", ylabel="probability", ylim=(-0.05, 1.05))
        axis.legend()
    return figure


def numbers(
    networks: dict[str, Classifier], pictures: dict[str, np.ndarray], origin: int, target: int
) -> str:
    """A CSV of what each network says of each picture."""
    shares = ("probability", "probability of origin", "probability of target")
    rows = [["network", "picture", "says", *shares]]
    for network, known in networks.items():
        for picture, rgb in pictures.items():
            p = known.probabilities(rgb)
            values = (f"{p[i]:.4f}" for i in (int(p.argmax()), origin, target))
            rows.append([network, picture, known.classes[int(p.argmax())], *values])
    return tables.csv_lines(rows)


def other_of(arguments: argparse.Namespace) -> argparse.Namespace:
    """The same arguments for the other network."""
    return argparse.Namespace(
        **{**vars(arguments), "network": arguments.other, "weights": arguments.other_weights}
    )


def main() -> None:
    made = options.parser(__doc__, EXAMPLE)
    made.add_argument(
        "--photograph", help="a picture, as content.path; default: one that no head has seen"
    )
    made.add_argument(
        "--target", help="the class to be said; default: the second most probable one"
    )
    made.add_argument(
        "--bound",
        type=command_line.whole,
        default=8,
        help="the most a value may change, of 255 (8)",
    )
    made.add_argument(
        "--other", choices=list(catalog.NETWORKS), default="vgg19_q8", help="is it fooled as well?"
    )
    made.add_argument("--other-weights", type=Path)
    options.add_head(made)
    options.add_budget(made, 100)
    arguments = options.parse(made)

    pictures = options.read_labeled(arguments) if arguments.head == "linear" else None
    rgb, seen = photograph(arguments, pictures)
    known = options.read_classifier(arguments, seen)
    other = options.read_classifier(other_of(arguments), seen)
    before = known.probabilities(rgb).argsort()[::-1]
    origin = int(before[0])
    target = known.number(arguments.target) if arguments.target else int(before[1])
    if target == origin:
        raise errors.InputError(
            f"--target {arguments.target}: the network says so already; give another class"
        )

    folder = options.folder_of("adversarial")
    run = towards(arguments, known, rgb, origin, target, folder)
    noisy = random_changes(rgb, arguments.bound, arguments.seed)
    shown = {"photograph": rgb, "by chance": noisy, "adversarial": run.rgb}
    table = numbers(
        {arguments.network: known, f"other: {arguments.other}": other}, shown, origin, target
    )
    caption = f"""
A photograph changed by at most {arguments.bound} of 255 towards {known.classes[target]}: SciPy's
L-BFGS-B on the cross-entropy of that class, in the box around the photograph. It ends where
{arguments.network} gives the class a probability of {CONFIDENCE}, or the evaluations are spent.
What two networks say of the pictures in 8 bits is in numbers.csv.

{arguments.head} head{f" on {arguments.layer}, {arguments.pictures}" if seen else ""};
{arguments.size} px; seed {arguments.seed}; {len(run.metrics["evaluation"])} evaluations
({run.summary["stop_reason"]})."""
    figure = draw(rgb, noisy, run, arguments.bound)
    print(frame.write(folder, figure, caption, {"adversarial": run}))
    files.write_text(folder / "numbers.csv", table)
    figures.save(curves(run), folder / "probabilities.png")


if __name__ == "__main__":
    command_line.run_command(main)
