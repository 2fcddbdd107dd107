"""The image that a class looks like to a network: AI-For-Beginners, lesson 8. python
experiments/class_image.py cat

From noise, by plain gradient descent as in the lesson and by our optimizers: the images and the
losses on the way."""

from __future__ import annotations

from collections.abc import Mapping

from stn import command_line, config, optimize, runs
from stn.analysis import figures
from stn.classify import options, search
from stn.classify.classifier import ClassLoss
from stn.experiment import frame
from stn.transfer import initialize

EXAMPLE = "python experiments/class_image.py cat flower --network vgg19_q8"
# AdversarialCat_TF.ipynb: 10 H + 0.005 V, a step of 1, x0 ~ N(0, 1); classes 284 (Siamese cat) and
# 340 (zebra).
WEIGHT, TOTAL_VARIATION, STEP, AMPLITUDE, CLASSES = 10.0, 0.005, 1.0, 1.0, ("284", "340")
# With beta1 = beta2 = 0 Adam's step is rate g / (|g| + epsilon): for an epsilon far above any
# gradient, STEP g.
FAR = 1e12
SCORE = "score"  # the column that raises the class's score: H vanishes once the class is certain


def optimizers(evaluations: int) -> dict[str, config.Optimizer]:
    """Each column's: the lesson's descent, whose pixels are free, and ours, which keep them in
    0-255.
    """
    flat = {
        "learning_rate": STEP * FAR,
        "epsilon": FAR,
        "beta1": 0.0,
        "beta2": 0.0,
        "bounds": False,
    }
    return {
        "descent": search.optimizer("adam", evaluations, **flat),
        "adam": search.optimizer("adam", evaluations, learning_rate=STEP),
        "lbfgs": search.optimizer("lbfgs", evaluations),
        "spectral": search.optimizer("spectral_lbfgs", evaluations),
    }


def draw(finished: Mapping[tuple[str, str], runs.Run]) -> figures.Figure:
    """A row a class, a column an optimizer; the number is the picture's own probability of its
    class.
    """
    rows: dict[str, list[figures.Panel]] = {}
    for (name, column), run in finished.items():
        title = f"{column} {run.summary['picture/probability/class']:.3f}"
        row = rows.setdefault(name, [])
        row.append(figures.Panel(run.rgb, title, "" if row else name))
    return figures.panels(list(rows.values()))


def curves(finished: Mapping[tuple[str, str], runs.Run], total_variation: float) -> figures.Figure:
    """The loss over evaluations, an axis a class."""
    names = list(dict.fromkeys(name for name, _ in finished))
    with figures.paper_style():
        figure, axes = figures.subplots(
            1, len(names), figsize=(figures.TEXT_WIDTH, 2.4), squeeze=False, sharey=True
        )
        for axis, name in zip(axes[0], names, strict=True):
            for (each, column), run in finished.items():
                if each == name and column not in ("no V", SCORE):
                    axis.plot(
                        run.metrics["loss/total"][runs.best_so_far(run.metrics)],
                        label=column,
                        linewidth=1,
                    )
            axis.set(title=name, xlabel="evaluation", yscale="log")
        axes[0][0].set_ylabel(f"10 H + {total_variation:g} V, best so far")
        axes[0][0].legend()
    return figure


def main() -> None:
    made = options.parser(__doc__, EXAMPLE)
    made.add_argument(
        "classes", nargs="*", help="names or numbers; default: the first three, or the lesson's"
    )
    options.add_head(made)
    options.add_budget(made, 300)
    made.add_argument(
        "--total-variation",
        type=float,
        default=TOTAL_VARIATION,
        metavar="WEIGHT",
        help=f"of V; {TOTAL_VARIATION:g}, the lesson's",
    )
    arguments = options.parse(made)
    pictures = options.read_labeled(arguments) if arguments.head == "linear" else None
    known = options.read_classifier(arguments, pictures)
    asked = [
        known.number(name)
        for name in arguments.classes or (known.classes[:3] if pictures else CLASSES)
    ]

    folder = options.folder_of("class_image")
    first = initialize.noise(arguments.size, arguments.size, "normal", AMPLITUDE, arguments.seed)
    given = {
        key: getattr(arguments, key)
        for key in ("network", "head", "layer", "pictures", "size", "seed")
    }
    searches = search.Searches(folder, known.network, known.checksums, given)
    finished = {}
    for target in asked:
        name = known.classes[target]
        of_lesson = optimizers(arguments.evaluations)
        columns = {"no V": of_lesson["descent"], **of_lesson, SCORE: of_lesson["spectral"]}
        for column, optimizer in columns.items():
            total_variation = 0.0 if column == "no V" else arguments.total_variation
            watched = {"class": target}
            loss = ClassLoss(known, target, WEIGHT, total_variation, column == SCORE, watched)
            settings = {
                "class": name,
                "total_variation_weight": total_variation,
                "of_score": loss.of_score,
                "optimizer": optimizer,
            }
            problem = optimize.Problem(loss.value_and_grad, known.network.limits)
            called = f"{target}-{column.replace(' ', '_')}"
            finished[name, column] = searches.find(called, settings, problem, first)
    caption = f"""
The image that a class looks like: from N(0, 1) around the mean pixel to the least of 10 H +
{arguments.total_variation:g} V. H is the cross-entropy of the softmax against the class, V the
total variation (AI-For-Beginners, AdversarialCat_TF.ipynb, which has 10 and 0.005). `no V` and
`descent` are gradient descent with a step of 1 and free pixels; the others keep pixels in 0-255.
`score` has minus the class's score, which enters the softmax, in place of H (Simonyan, Vedaldi &
Zisserman 2014). Over each picture: the probability of its class for the picture as it is written,
8 bits.

{arguments.network}, {arguments.head}
head{f" on {arguments.layer}, {arguments.pictures}" if pictures else ""}; {arguments.size} px;
{arguments.evaluations} evaluations; seed {arguments.seed}."""
    table = {f"{name}-{column}": run for (name, column), run in finished.items()}
    print(frame.write(folder, draw(finished), caption, table))
    figures.save(curves(finished, arguments.total_variation), folder / "losses.png")


if __name__ == "__main__":
    command_line.run_command(main)
