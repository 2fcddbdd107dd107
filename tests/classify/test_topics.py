"""Side topics: golden values, gradients by differences, heads against scikit-learn, the scripts on
small networks.
"""

import csv
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stn import config, errors, images, optimize
from stn.backend import tf
from stn.classify import classifier, labeled
from stn.classify.classifier import ClassLoss
from stn.loss import losses
from stn.network import network, vgg
from stn.quantities import Terms

FOLDER = config.CONFIG_DIR.parent / "experiments"


def names_in(script: str) -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / f"{script}.py"))


EDGES = names_in("edges")


def command(monkeypatch: pytest.MonkeyPatch, script: str, *words: object) -> None:
    """A script's `main` with these words behind it."""
    monkeypatch.setattr("sys.argv", [f"{script}.py", *map(str, words)])
    names_in(script)["main"]()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`headed`: a narrow VGG-16 with fc6 to fc8 for four classes; `other`: another of the kind;
    `trunk`: no head.
    """
    folder = tmp_path_factory.mktemp("networks")
    found = {name: folder / f"{name}.mat" for name in ("headed", "other", "trunk")}
    for seed, (name, path) in enumerate(found.items()):
        synthetic.write(path, synthetic.vgg(channels=4, head=name != "trunk", seed=seed))
    return found


# Golden values: x = .5 + .4 sin(.5 k) of shape [5, 7, 3], float64.
WAVE = 0.5 + 0.4 * np.sin(0.5 * np.arange(105.0)).reshape(5, 7, 3)


def test_differences_and_sobel_have_the_golden_values() -> None:
    dx, dy = EDGES["high_pass"](WAVE)
    down, across = EDGES["sobel"](WAVE)
    np.testing.assert_allclose(
        down[1, 1], [-1.271752691864, -1.503758599875, -1.367591957222], rtol=1e-11
    )
    np.testing.assert_allclose(
        across[1, 1], [0.706338552226, 0.835195930095, 0.759568215801], rtol=1e-11
    )
    sums = [np.abs(each).sum() for each in (down, across, dx, dy)]
    np.testing.assert_allclose(
        sums,
        [67.14764745339234, 55.07191630155503, 31.317070810650144, 36.927542974220216],
        rtol=1e-13,
    )
    variation = losses.total_variation(tf.constant(WAVE[None], tf.float64), "absolute")
    assert float(variation) == pytest.approx(68.24461378487035, rel=1e-13)


def test_sobel_is_tensorflows() -> None:
    theirs = tf.image.sobel_edges(tf.constant(WAVE[None]))[0].numpy()
    np.testing.assert_allclose(np.stack(EDGES["sobel"](WAVE), axis=-1), theirs, atol=1e-12)


def test_the_share_of_high_frequencies_is_that_of_two_waves() -> None:
    """3 cos of 1/16 cycle a pixel and cos of 3/8, both of the DCT: a share of 1 / (9 + 1), whatever
    the mean.
    """
    x = np.arange(32) + 0.5
    waves = 100 + 3 * np.cos(2 * np.pi * x / 16) + np.cos(2 * np.pi * x * 3 / 8)
    rgb = np.broadcast_to(waves[:, None, None], (32, 24, 3))
    assert EDGES["high_share"](rgb) == pytest.approx(0.1, rel=1e-12)


def slope(value: Any, image: np.ndarray, direction: np.ndarray, step: float) -> float:
    """Central difference along a direction."""
    return (value(image + step * direction) - value(image - step * direction)) / (2 * step)


def assert_gradient(value_and_grad: Any, image: np.ndarray, step: float = 0.003) -> None:
    """The gradient along itself and along a smooth direction, by differences; the network computes
    in float32.
    """
    terms, gradient = value_and_grad(image)
    assert gradient.dtype == np.float64 and np.abs(gradient).max() > 0
    y, x = np.mgrid[: image.shape[1], : image.shape[2]]
    wave = np.sin(0.1 * y + 0.07 * x)[None, :, :, None] * (1, -1, 0.5)
    for direction in (gradient / np.abs(gradient).max(), wave + np.sign(gradient)):
        found = slope(lambda moved: value_and_grad(moved)[0].total, image, direction, step)
        assert found == pytest.approx(float((gradient * direction).sum()), rel=0.02)
    assert terms.total == pytest.approx(terms.content + terms.style + terms.total_variation)


def rough_image(side: int) -> np.ndarray:
    """A disc in noise: neighbors differ by far more than a step of the differences, so that few
    rectifiers, maxima and absolute values meet their kinks."""
    y, x = np.mgrid[:side, :side] / side
    disc = 60.0 * (np.hypot(x - 0.6, y - 0.4) < 0.3)
    return (
        disc[:, :, None] * (1, -1, 0.5) + np.random.default_rng(5).normal(0, 40, (side, side, 3))
    )[None]


def test_the_class_loss_through_the_own_head(paths: dict[str, Path]) -> None:
    known = classifier.own(paths["headed"])
    image = rough_image(224)
    loss = ClassLoss(known, 1, 10.0, 0.005, watched={"goldfish": 1})
    terms, _ = loss.value_and_grad(image)
    p = classifier.class_probabilities(image, synthetic.vgg(channels=4, head=True, seed=0)).numpy()[
        0
    ]
    assert terms.content == pytest.approx(-10 * np.log(p[1]), rel=1e-4)
    assert terms.per_layer == {"probability/goldfish": pytest.approx(p[1], rel=1e-4)}
    variation = sum(np.abs(np.diff(image, axis=axis)).sum() for axis in (1, 2))
    assert terms.total_variation == pytest.approx(0.005 * variation, rel=1e-5)
    assert_gradient(loss.value_and_grad, image)


def test_scores_differ_as_the_logarithms_of_probabilities_do(paths: dict[str, Path]) -> None:
    """The softmax takes a common number from all scores, and no more."""
    known = classifier.own(paths["headed"])
    image = rough_image(224)
    losses = [ClassLoss(known, target, 10.0, 0.0, of_score=True) for target in (1, 3)]
    one, other = (loss.value_and_grad(image)[0].content for loss in losses)
    p = classifier.class_probabilities(image, synthetic.vgg(channels=4, head=True, seed=0)).numpy()[
        0
    ]
    assert one - other == pytest.approx(10 * np.log(p[3] / p[1]), rel=1e-3)


@pytest.fixture(scope="module")
def digits() -> labeled.Labeled:
    return labeled.read("digits", 32, 6, seed=0)


@pytest.mark.parametrize("of_score", [False, True])
def test_the_class_loss_through_a_linear_head(
    of_score: bool, paths: dict[str, Path], digits: labeled.Labeled
) -> None:
    known = classifier.linear(network.load(paths["trunk"]), "relu2_1", digits)
    assert_gradient(ClassLoss(known, 3, 1.0, 1e-4, of_score).value_and_grad, rough_image(32))


@pytest.mark.parametrize("classes", [2, 10])
def test_a_linear_head_says_what_scikit_learn_says(
    classes: int,
    paths: dict[str, Path],
    digits: labeled.Labeled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STN_CACHE", str(tmp_path))
    known = digits.take(np.flatnonzero(digits.labels < classes))
    trunk = network.load(paths["trunk"])
    ours = classifier.linear(trunk, "pool2", known)
    weights = synthetic.vgg(channels=4, seed=2)
    X = np.stack(
        [
            vgg.features((rgb - weights.mean_pixel)[None], weights, ["pool2"])["pool2"]
            .numpy()
            .mean((0, 1, 2))
            for rgb in known.rgb
        ]
    )
    theirs = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, known.labels)
    for picture in (0, 7):
        expected = theirs.predict_proba(X[picture : picture + 1])[0]
        np.testing.assert_allclose(
            ours.probabilities(known.rgb[picture])[:classes], expected, atol=2e-3
        )
    monkeypatch.setattr(classifier, "_fit", None)  # the second time it is read
    again = classifier.linear(trunk, "pool2", known)
    np.testing.assert_array_equal(
        again.probabilities(known.rgb[0]), ours.probabilities(known.rgb[0])
    )


def test_a_class_goes_by_name_number_or_word(paths: dict[str, Path]) -> None:
    known = classifier.own(paths["headed"])
    assert [known.number(name) for name in ("3", "hammerhead", "GREAT", "tench, Tinca tinca")] == [
        3,
        3,
        2,
        0,
    ]
    with pytest.raises(errors.InputError, match="class zebra: there is none; give one of tench"):
        known.number("zebra")
    with pytest.raises(errors.InputError, match="class a: several have that word"):
        known.number("a")


def test_what_has_no_head_or_no_such_layer_is_refused(
    paths: dict[str, Path], digits: labeled.Labeled
) -> None:
    with pytest.raises(
        errors.InputError, match=r"no fully connected layers.*--head linear.*vgg16_full"
    ):
        classifier.own(paths["trunk"])
    with pytest.raises(errors.InputError, match="has no pool6"):
        classifier.linear(network.load(paths["trunk"]), "pool6", digits)


def test_labeled_pictures(tmp_path: Path) -> None:
    digits = labeled.read("digits", 16, 3, seed=0)
    assert digits.rgb.shape == (30, 16, 16, 3) and digits.names == tuple("0123456789")
    assert np.bincount(digits.labels).tolist() == [3] * 10
    assert (
        digits.sha256
        == labeled.read("digits", 16, 3, seed=0).sha256
        != labeled.read("digits", 16, 3, seed=1).sha256
    )
    crops = labeled.read("photographs", 24, 2, seed=0)
    assert crops.rgb.shape == (20, 24, 24, 3) and len(set(crops.names)) == 10
    for name, values in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        (tmp_path / "colors" / name).mkdir(parents=True)
        for i in range(2):
            images.write(
                tmp_path / "colors" / name / f"{i}.png",
                np.broadcast_to(np.array(values, float), (5, 7, 3)),
            )
    colors = labeled.read(str(tmp_path / "colors"), 4, 9, seed=0)
    assert colors.names == ("blue", "red") and colors.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(colors.rgb[0], np.broadcast_to((0, 0, 200), (4, 4, 3)), atol=1e-3)
    with pytest.raises(errors.InputError, match="nowhere: no such folder"):
        labeled.read(str(tmp_path / "nowhere"), 4, 9, seed=0)
    with pytest.raises(errors.InputError, match="holds 1 folders"):
        labeled.read(str(tmp_path), 4, 9, seed=0)
    (tmp_path / "colors" / "red" / "0.png").unlink()
    with pytest.raises(errors.InputError, match="red: holds 1 pictures"):
        labeled.read(str(tmp_path / "colors"), 4, 9, seed=0)


def test_descent_is_plain_gradient_descent() -> None:
    """Against x - g, for f = ½ Σ c x² with slopes from 0.1 to 1.5."""
    curvature = np.linspace(0.1, 1.5, 12).reshape(1, 2, 2, 3)
    start = np.full((1, 2, 2, 3), 50.0)
    optimizer = names_in("class_image")["optimizers"](6)["descent"]
    seen = []

    def value_and_grad(image: np.ndarray) -> tuple[Terms, np.ndarray]:
        return Terms(
            0.5 * float((curvature * image**2).sum()), 0.0, 0.0, 0.0, {}
        ), curvature * image

    optimize.minimize(
        optimize.Problem(value_and_grad),
        optimize.State(start.copy()),
        optimizer,
        optimize.Callbacks(lambda _, image: seen.append(image)),
    )
    for step, image in enumerate(seen):
        np.testing.assert_allclose(image, start * (1 - curvature) ** step, rtol=1e-8, atol=1e-8)
    assert len(seen) == 6


def test_class_images_raise_their_class(
    paths: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "--network",
        "vgg16_full",
        "--weights",
        paths["headed"],
        "--head",
        "own",
        "goldfish",
        "--evaluations",
        8,
    )
    command(monkeypatch, "class_image", *words)
    folder = tmp_path / "outputs" / "experiments" / "class_image"
    assert {"figure.png", "figure.pdf", "caption.txt", "runs.csv", "losses.png"} <= {
        p.name for p in folder.iterdir()
    }
    found = {row["run"].rpartition("-")[2]: row for row in rows(folder / "runs.csv")}
    assert list(found) == ["no V", "descent", "adam", "lbfgs", "spectral", "score"]
    first = {
        column: rows(folder / row["directory"] / "metrics.csv")[0] for column, row in found.items()
    }
    for column in (
        "no V",
        "descent",
        "lbfgs",
        "spectral",
        "score",
    ):  # Adam's steps of a pixel take longer than noise of one
        assert float(found[column]["loss/total"]) < float(first[column]["loss/total"]), column
    for column in ("no V", "lbfgs", "spectral", "score"):
        p = float(found[column]["picture/probability/class"])
        assert p > float(first[column]["probability/class"]) + 0.01, column
    picture = images.read(folder / found["lbfgs"]["directory"] / "image.png")
    p = classifier.own(paths["headed"]).probabilities(picture)[1]
    assert float(found["lbfgs"]["picture/probability/class"]) == pytest.approx(p, rel=1e-3)

    capsys.readouterr()
    monkeypatch.setattr("stn.classify.search.minimize", None)  # a second call computes nothing
    command(monkeypatch, "class_image", *words)
    assert capsys.readouterr().out.splitlines() == [str(folder / "figure.png")]


def test_an_adversarial_picture_stays_in_its_bound(
    paths: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "--network",
        "vgg16_full",
        "--weights",
        paths["headed"],
        "--other",
        "vgg16_full",
        "--head",
        "own",
    )
    photograph = ("--other-weights", paths["other"], "--photograph", "skimage:chelsea.png")
    command(monkeypatch, "adversarial", *words, *photograph, "--bound", 3, "--evaluations", 12)
    folder = tmp_path / "outputs" / "experiments" / "adversarial"
    [run] = rows(folder / "runs.csv")
    names = names_in("adversarial")
    arguments = type("Arguments", (), {"photograph": "skimage:chelsea.png", "size": 224})
    rgb, _ = names["photograph"](arguments, None)
    difference = images.read(folder / run["directory"] / "image.png") - rgb
    assert 0 < np.abs(difference).max() <= 3
    found = {(row["network"], row["picture"]): row for row in rows(folder / "numbers.csv")}
    assert len(found) == 2 * 3
    before, after = found["vgg16_full", "photograph"], found["vgg16_full", "adversarial"]
    assert float(after["probability of target"]) > float(before["probability of target"])
    chance = names["random_changes"](rgb, 3, 0)
    assert np.abs(chance - rgb).max() == 3


def test_an_adversarial_picture_of_one_that_the_linear_head_has_not_seen(
    paths: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "--weights",
        paths["trunk"],
        "--other",
        "vgg16",
        "--other-weights",
        paths["other"],
        "--layer",
        "pool2",
    )
    data = ("--pictures", "digits", "--size", 32, "--count", 6, "--evaluations", 20, "--bound", 8)
    command(monkeypatch, "adversarial", *words, *data)
    found = rows(tmp_path / "outputs" / "experiments" / "adversarial" / "numbers.csv")
    assert float(found[2]["probability of target"]) > float(found[0]["probability of target"])
    known = labeled.read("digits", 32, 6, seed=0)
    arguments = type(
        "Arguments", (), {"photograph": None, "size": 32, "seed": 0, "pictures": "digits"}
    )
    rgb, seen = names_in("adversarial")["photograph"](arguments, known)
    assert len(seen.labels) == 48 and np.bincount(seen.labels).min() >= 4
    assert not any(np.array_equal(np.rint(each), rgb) for each in seen.rgb)
    assert any(np.array_equal(np.rint(each), rgb) for each in known.rgb)


def test_filter_images(
    paths: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_in("filter_image")
    trunk = network.load(paths["trunk"])
    image = rough_image(20)
    loss = names["ChannelLoss"](trunk, "conv2_1", 2, image)
    F = vgg.features(image, synthetic.vgg(channels=4, seed=2), ["conv2_1"])["conv2_1"].numpy()[0]
    expected = F[:, :, 2].mean() / F.std()
    terms, _ = loss.value_and_grad(image)
    assert terms.per_layer == {"activation": pytest.approx(expected, rel=1e-4)}
    assert terms.content == pytest.approx(-expected, rel=1e-4)
    dy, dx = np.diff(image, axis=1), np.diff(image, axis=2)
    assert terms.total_variation == pytest.approx(
        0.01 * ((dy**2).mean() + (dx**2).mean()), rel=1e-4
    )
    assert_gradient(loss.value_and_grad, image)


def test_the_command_of_filter_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = synthetic.write(tmp_path / "eight.mat", synthetic.vgg(channels=8, last="conv2_1"))
    words = ("--weights", path, "--size", 12, "--evaluations", 4, "--layers")
    command(monkeypatch, "filter_image", *words, "conv1_1")
    folder = tmp_path / "outputs" / "experiments" / "filter_image"
    for row in rows(folder / "runs.csv"):
        first = rows(folder / row["directory"] / "metrics.csv")[0]
        assert float(row["loss/total"]) < float(first["loss/total"])
    with pytest.raises(errors.InputError, match="conv5_3: not one of the network's convolutions"):
        command(monkeypatch, "filter_image", *words, "conv5_3")
    with pytest.raises(SystemExit):
        command(monkeypatch, "filter_image", "--size", "0")
    with pytest.raises(errors.InputError, match="--size 64: the network's own head takes 224"):
        command(monkeypatch, "class_image", "--size", "64", "--head", "own")
    assert "'0' is not a whole number of at least 2" in capsys.readouterr().err


def test_grams_of_the_real_network_know_digits_better_than_pixels(vgg19_q8: Path) -> None:
    """On 150 digits by 0.03 at least; docs/experiments/side_topics.md has 500."""
    names = names_in("linear_classifier")
    pictures = labeled.read("digits", 48, 15, seed=0)
    described = names["described"](network.load(vgg19_q8), pictures, ["pool3"])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    accuracy = {
        key: np.mean(names["predicted"](X, pictures.labels, folds) == pictures.labels)
        for key, X in described.items()
    }
    assert accuracy["pool3", "Gram"] >= accuracy["pixels", ""] + 0.03


def test_the_command_of_the_linear_classifier(
    paths: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command(
        monkeypatch,
        "linear_classifier",
        "--weights",
        paths["trunk"],
        "--size",
        16,
        "--count",
        6,
        "--layers",
        "pool1",
    )
    folder = tmp_path / "outputs" / "experiments" / "linear_classifier"
    found = rows(folder / "numbers.csv")
    assert [(row["layer"], row["kind"], row["features"]) for row in found] == [
        ("pixels", "", "768"),
        ("pool1", "mean", "4"),
        ("pool1", "Gram", "10"),
    ]
    assert all(
        float(row["least"]) <= float(row["accuracy"]) <= float(row["most"]) <= 1 for row in found
    )
    assert "60 pictures (digits) of 16 px" in (folder / "caption.txt").read_text().replace(
        "\n", " "
    )
    with pytest.raises(errors.InputError, match="a class has 3 pictures; give at least 5"):
        command(
            monkeypatch,
            "linear_classifier",
            "--weights",
            paths["trunk"],
            "--size",
            16,
            "--count",
            3,
        )
