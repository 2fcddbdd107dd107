"""What the features of each layer know: mean activations and Gram matrices before a linear
classifier.

python experiments/linear_classifier.py

Accuracy over depth with cross-validation, on digits or a folder of pictures, next to that from the
pixels; and where the best is wrong. After Gatys, Ecker and Bethge 2015 (NIPS, arXiv:1505.07376),
figure 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stn import command_line, errors, files
from stn.analysis import figures, tables
from stn.classify import classifier, labeled, options
from stn.experiment import frame
from stn.loss import losses
from stn.network.network import Network

if TYPE_CHECKING:
    from sklearn.model_selection import StratifiedKFold

EXAMPLE = "python experiments/linear_classifier.py --network vgg19_q8 --pictures digits"
# As in the paper's textures.
LAYERS = ("relu1_1", "pool1", "pool2", "pool3", "pool4", "pool5")
FOLDS = 5


def described(
    network: Network, pictures: labeled.Labeled, layers: list[str]
) -> dict[tuple[str, str], np.ndarray]:
    """What is classified, [n, features] by layer and kind; of the Gram the entries on and above the
    diagonal.
    """
    found: dict[tuple[str, str], list[np.ndarray]] = {
        (layer, kind): [] for layer in layers for kind in ("mean", "Gram")
    }
    for features in classifier.features(network, layers, pictures.rgb):
        for layer, F in features.items():
            G = losses.gram(F[None], "m").numpy()
            found[layer, "mean"].append(F.mean((0, 1)))
            found[layer, "Gram"].append(G[np.triu_indices(len(G))])
    pixels = pictures.rgb.reshape(len(pictures.rgb), -1)
    return {("pixels", ""): pixels, **{key: np.stack(values) for key, values in found.items()}}


def predicted(X: np.ndarray, labels: np.ndarray, folds: StratifiedKFold) -> np.ndarray:
    """Each picture's class [n] by a logistic regression fitted to the folds without it.

    With its L2 penalty (C = 1) the regression sees inner products only, so that the at most n
    coordinates which KernelPCA keeps of standardized features lose nothing, however many features
    there are."""
    from sklearn.decomposition import KernelPCA  # scikit-learn takes a second to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = (
        StandardScaler(),
        KernelPCA(eigen_solver="dense"),
        LogisticRegression(solver="newton-cg", max_iter=1000),
    )
    return cross_val_predict(make_pipeline(*steps), X, labels, cv=folds)


def draw(
    accuracies: dict[tuple[str, str], np.ndarray],
    best: tuple[str, str],
    confused: np.ndarray,
    names: tuple[str, ...],
) -> figures.Figure:
    """Accuracy over depth, means of the folds with their least and most; the confusion matrix of
    the best.
    """
    layers = list(dict.fromkeys(layer for layer, kind in accuracies if kind))
    with figures.paper_style():
        figure, (curve, matrix) = figures.subplots(1, 2, figsize=(figures.TEXT_WIDTH, 3))
        curve.axhline(accuracies["pixels", ""].mean(), color="0.5", linestyle="--", label="pixels")
        for kind in ("mean", "Gram"):
            values = np.array([accuracies[layer, kind] for layer in layers])
            line = curve.plot(
                layers,
                values.mean(axis=1),
                ".-",
                label={"mean": "mean activations"}.get(kind, kind),
            )[0]
            curve.fill_between(
                layers, values.min(axis=1), values.max(axis=1), alpha=0.2, color=line.get_color()
            )
        curve.set(ylabel=f"accuracy, {FOLDS} folds")
        curve.legend()
        matrix.imshow(confused, cmap="Greys")
        for row, column in np.argwhere(confused):
            color = "white" if confused[row, column] > confused.max() / 2 else "black"
            matrix.text(
                column,
                row,
                confused[row, column],
                ha="center",
                va="center",
                color=color,
                fontsize=6,
            )
        ticks = range(len(names))
        matrix.set_xticks(ticks, names, rotation=90 if max(map(len, names)) > 2 else 0)
        matrix.set_yticks(ticks, names)
        matrix.set(title=" ".join(best), xlabel="said", ylabel="true")
    return figure


def main() -> None:
    made = options.parser(__doc__, EXAMPLE, size=64)
    options.add_pictures(made, "digits")
    made.add_argument(
        "--layers", nargs="+", default=list(LAYERS), metavar="LAYER", help=", ".join(LAYERS)
    )
    arguments = options.parse(made)
    pictures = options.read_labeled(arguments)
    fewest = np.bincount(pictures.labels).min()
    if fewest < FOLDS:
        raise errors.InputError(
            f"--pictures {arguments.pictures}: a class has {fewest} pictures; give at least {FOLDS}"
        )
    network = options.trunk(arguments)
    from sklearn.metrics import confusion_matrix  # after the checks: it takes a second to import
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=arguments.seed)
    tests = [test for _, test in folds.split(pictures.rgb, pictures.labels)]
    rows: list[list[object]] = [["layer", "kind", "features", "accuracy", "least", "most"]]
    accuracies, said = {}, {}
    for key, X in described(network, pictures, arguments.layers).items():
        said[key] = predicted(X, pictures.labels, folds)
        accuracies[key] = np.array(
            [np.mean(said[key][test] == pictures.labels[test]) for test in tests]
        )
        numbers = (accuracies[key].mean(), accuracies[key].min(), accuracies[key].max())
        rows.append([*key, X.shape[1], *(f"{value:.4f}" for value in numbers)])
    best = max(accuracies, key=lambda key: accuracies[key].mean())

    folder = options.folder_of("linear_classifier")
    caption = f"""
A linear classifier on mean activations, on Gram matrices over their positions, and on pixels.
Accuracy over depth is the mean of {FOLDS} folds, with the least and the most. On the right is where
{" ".join(best)} is wrong. Logistic regression with C = 1 on standardized features. After Gatys,
Ecker and Bethge 2015 (arXiv:1505.07376), figure 4: there ImageNet.

{arguments.network}, max pooling; {len(pictures.labels)} pictures ({arguments.pictures}) of
{arguments.size} px in {len(pictures.names)} classes; seed {arguments.seed}."""
    confused = confusion_matrix(pictures.labels, said[best])
    print(frame.write(folder, draw(accuracies, best, confused, pictures.names), caption))
    files.write_text(folder / "numbers.csv", tables.csv_lines(rows))


if __name__ == "__main__":
    command_line.run_command(main)
