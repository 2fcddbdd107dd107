"""Several styles, scale, color, guides, borders and loss variants: what each adds to a run, against
float64 oracles.
"""

import contextlib
import dataclasses
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import oracle_controls as oracle
import pytest
from conftest import at_evaluation
from omegaconf import OmegaConf
from scipy.ndimage import map_coordinates

from stn import config, errors, images, optimize, runs, transfer
from stn.assets import pictures
from stn.backend import tf
from stn.config import composition, overrides
from stn.config.schema import Guidance
from stn.images import color, masks, resizing
from stn.layers import VGG19
from stn.loss import distributions, hypercolumns, pixels, statistics
from stn.loss.statistics import STATISTICS
from stn.network import vgg
from stn.objective import guides, objective, references
from stn.quantities import Terms
from stn.transfer import initialize

LAYERS = ("relu1_1", "relu2_1")
# The oracle's form of a style loss: Σ(G/M − A/M)² / (4N²).
FORM = (
    "objective.gram_divisor=m",
    "objective.style_reduction=sum_over_4n2",
    "network.convolution=direct",
)
UP, DOWN = "polygon:0 0 1 0 1 .5 0 .5", "polygon:0 .5 1 .5 1 1 0 1"


@pytest.fixture(scope="module")
def files(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A second painting, and masks: `left` soft, on the result; `low` hard, on a painting; a
    cut-out photograph.
    """
    folder = tmp_path_factory.mktemp("controls")
    y, x = np.mgrid[:50, :39]
    rings = 127 + 120 * np.sin(np.hypot(x - 20, y - 31) / 2)
    drawn = {
        "rings": np.stack([rings, 0 * x + 200.0, 255 - rings], -1),
        "left": np.repeat(255 * np.clip((24 - x[:41, :39]) / 12, 0, 1)[..., None], 3, -1),
        "low": np.repeat(255.0 * (y > 28)[..., None], 3, -1),
        "black": np.zeros((9, 9, 3)),
    }
    paths = {
        name: str(images.write(folder / f"{name}.png", rgb) or folder / f"{name}.png")
        for name, rgb in drawn.items()
    }
    photograph = images.read(inputs["content"])
    hole = 255.0 * (np.hypot(*np.mgrid[-20:21, -23:24]) < 15)
    images.write(folder / "cut.png", np.dstack([photograph, hole]))
    return paths | {"cut": str(folder / "cut.png")}


def features(
    rgb: np.ndarray, network: Any, settings: config.Config, painting: bool = False
) -> dict[str, np.ndarray]:
    image = network.image(rgb)
    chosen = settings.network
    border = "replicate" if painting and chosen.border == "wrap" else chosen.border
    found = vgg.features(image, network.kernels, LAYERS, network.options._replace(border=border))
    return {layer: F.numpy()[0].astype(np.float64) for layer, F in found.items()}


def check(settings: config.Config, expected: Any) -> Terms:
    """The style losses and their gradient at a picture that is none of the run's, against
    `expected`.

    `expected(X, styles, layer, sized)` gives a layer's loss and its gradient with respect to the
    features X."""
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    loss = objective.build(transfer.objective_of(settings), network, sized)
    y, x, c = np.mgrid[: sized.shape[0], : sized.shape[1], :3]
    rgb = 128 + 90 * np.sin(x / 5 + y / 7 * (c + 1))
    image = network.image(rgb)
    X, styles = (
        features(rgb, network, settings),
        [features(s.rgb, network, settings, painting=True) for s in sized.styles],
    )
    wanted = {
        layer: expected(X[layer], [S[layer] for S in styles], layer, sized) for layer in LAYERS
    }
    terms, gradient = loss.value_and_grad(image)
    plain = objective.build(
        transfer.objective_of(no_style(settings)), network, sized
    ).value_and_grad(image)[1]
    weights = {each.layer: each.weight for each in settings.objective.style_layers}
    for layer, (value, _) in wanted.items():
        assert terms.per_layer[f"style/{layer}"] == pytest.approx(value, rel=2e-5), layer
    with tf.GradientTape() as tape:
        watched = tf.constant(image)
        tape.watch(watched)
        F = vgg.features(
            watched,
            network.kernels,
            LAYERS,
            network.options,
        )
    slopes = [
        tf.constant(
            settings.objective.style_weight * weights[layer] * wanted[layer][1][None], tf.float32
        )
        for layer in LAYERS
    ]
    own = tape.gradient([F[layer] for layer in LAYERS], watched, slopes).numpy()
    assert np.linalg.norm(own) > 0
    assert np.linalg.norm(gradient - plain - own) <= 1e-4 * np.linalg.norm(own)
    return terms


def no_style(settings: config.Config) -> config.Config:
    copied = config.parse(composition.OmegaConf.structured(settings))
    copied.objective.style_layers = []
    return copied


def gram_of(X: np.ndarray, styles: list[np.ndarray], *_: Any) -> oracle.Loss:
    return oracle.gram(X, styles[0])


VARIANTS = {
    "objective.activation_shift=-1": lambda X, S, *_: oracle.shifted(X, S[0]),
    "objective.components=2": lambda X, S, *_: oracle.components(X, S[0], 2),
    "objective.style_statistic=covariance": lambda X, S, *_: oracle.covariance(X, S[0]),
    "objective.style_statistic=mean_std": lambda X, S, *_: oracle.mean_std(X, S[0]),
    "objective.style_statistic=mean": lambda X, S, *_: oracle.linear_mmd(X, S[0]),
    "network.border=reflect": gram_of,
    "network.border=replicate": gram_of,
    "network.border=wrap": gram_of,
    "objective.layer_weighting=geometric": gram_of,
}


@pytest.mark.parametrize("override", VARIANTS)
def test_a_loss_variant_is_its_formula(composed, override):
    check(composed(*FORM, override), VARIANTS[override])


def test_first_loss_divides_each_style_loss_by_what_it_is_at_the_photograph(composed):
    """Also of a second statistic and of hypercolumns, which have one loss; by weights typed out."""
    more = [
        {"statistic": "mean_std", "layers": ["relu1_1"], "weight": 3.0},
        {"statistic": "relaxed_emd", "layers": ["relu1_1", "relu2_1"]},
    ]
    typed = (*FORM, f"objective.more_statistics={overrides.text(more)}")
    weighed = composed(*typed, "objective.layer_weighting=first_loss")
    network, sized = transfer.network_of(weighed), pictures.read(weighed).at(1.0)
    photograph = network.image(sized.content)
    plain, found = (
        objective.build(transfer.objective_of(settings), network, sized)
        for settings in (composed(*typed), weighed)
    )
    E = plain.value_and_grad(photograph)[0].per_layer
    by_hand = transfer.objective_of(composed(*typed))
    by_hand = dataclasses.replace(
        by_hand,
        style_layers={k: w / E[f"style/{k}"] for k, w in by_hand.style_layers.items()},
        more_terms=tuple(
            term._replace(
                layers={
                    layer: w / (E.get(f"{term.name}/{layer}") or E[f"{term.name}/hypercolumn"])
                    for layer, w in term.layers.items()
                }
            )
            for term in by_hand.more_terms
        ),
    )
    wanted = objective.build(by_hand, network, sized)
    for image in (photograph, 0.7 * photograph + 11):
        [(terms, gradient), (expected, slope)] = [
            each.value_and_grad(image) for each in (found, wanted)
        ]
        assert terms.per_layer == expected.per_layer
        assert terms.style == pytest.approx(expected.style, rel=1e-12)
        np.testing.assert_array_equal(gradient, slope)
    weights = 1 + 3 + 1
    style = found.value_and_grad(photograph)[0].style
    assert style == pytest.approx(weights * weighed.objective.style_weight, rel=1e-6)


def test_shifts_count_at_the_layers_that_they_suit(composed):
    settings = composed(
        *FORM,
        "objective.style_statistic=shifted_gram",
        "objective.shifts=[2,1]",
        "image.size_px=20",
    )
    shifts = {"relu1_1": (2, 1), "relu2_1": (1,)}
    check(settings, lambda X, S, layer, _: oracle.shifted_grams(X, S[0], shifts[layer]))


def test_the_polynomial_kernel_is_a_gram_matrix_with_a_constant_channel(composed):
    settings = composed(
        *FORM,
        "objective.style_statistic=polynomial",
        "objective.style_reduction=sum",
        "image.size_px=20",
    )
    check(settings, lambda X, S, *_: oracle.polynomial_mmd(X, S[0]))


def test_a_painting_under_two_masks_passes_the_network_once(composed, inputs, files, monkeypatch):
    """Also where it is asked for the statistics of the whole picture; another painting has a pass
    of its own.
    """
    found, passed = references.statistics, []

    def noted(specification, network, image, asked, *rest):
        passed.append([(statistic is STATISTICS["gram"], T is not None) for statistic, T in asked])
        return found(specification, network, image, asked, *rest)

    monkeypatch.setattr(references, "statistics", noted)
    more = [
        {"path": str(inputs["style"]), "mask": DOWN, "result_mask": DOWN},
        {"path": files["rings"], "result_mask": DOWN},
    ]
    settings = composed(
        f"style.mask='{UP}'", f"style.result_mask='{UP}'", f"more_styles={overrides.text(more)}"
    )
    settings.guidance.global_weight = 0.5
    specification, network = transfer.objective_of(settings), transfer.network_of(settings)
    objective.build(specification, network, pictures.read(settings).at(1.0))
    assert passed == [[(True, False), (True, True), (True, True)], [(True, False)]]


def test_the_gaussian_kernel_compares_drawn_positions(composed):
    drawn = statistics.positions_drawn

    def expected(X, S, *_):
        x, p = X.reshape(-1, X.shape[-1]), S[0].reshape(-1, X.shape[-1])
        at, of = drawn(len(x)), drawn(len(p))
        value, slope = oracle.gaussian_mmd(
            x[at], p[of], 1 / oracle.mean_squared_distance(p[of], p[of])
        )
        gradient = np.zeros_like(x)
        gradient[at] = slope
        return value, gradient.reshape(X.shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "SAMPLES", 60)  # the oracle counts pairs in a loop
        check(
            composed(
                *FORM,
                "objective.style_statistic=gaussian",
                "image.size_px=28",
                "objective.style_weight=1e6",
            ),
            expected,
        )


def test_a_gaussian_kernel_of_given_width_has_the_papers_value():
    """METHODS.md §2.5: MMD² with γ = 1 / the mean of all |x − y|²."""
    X, P = (tf.constant(oracle.flat(F)) for F in (oracle.X, oracle.P))
    found = distributions.gaussian_mmd(X, P, 0.25129246731707827)
    assert float(found) == pytest.approx(0.005103347420345683, rel=1e-11)


def test_directions_are_drawn_from_seed_level_draw_and_layer(composed) -> None:
    """The loss of an evaluation is that of its draw, whatever was evaluated before."""
    settings = composed(
        *("objective.style_statistic=sliced_wasserstein", "objective.redraw=5", "seed=3"),
        *("objective.directions=6", *FORM),
    )
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    rgb = 128 + 90 * np.sin(np.arange(3 * np.prod(sized.shape)) / 5).reshape(*sized.shape, 3)
    X, S = (features(each, network, settings) for each in (rgb, sized.styles[0].rgb))

    def expected(level: int, draw: int, layer: str) -> float:
        flat = [oracle.flat(F[layer]) for F in (X, S)]
        numbers = [3, level, draw, VGG19.index(layer)]
        drawn = np.random.default_rng(numbers).normal(size=(6, flat[0].shape[1]))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        F, P = (np.sort(drawn @ each.T) for each in flat)
        middles, own = ((np.arange(each.shape[1]) + 0.5) / each.shape[1] for each in (F, P))
        return float(np.mean([(f - np.interp(middles, own, p)) ** 2 for f, p in zip(F, P)]))  # noqa: B905

    for level in (0, 1):
        loss = objective.build(transfer.objective_of(settings), network, sized, level)
        for evaluation in (0, 4, 12, 5, 0):
            loss.at_evaluation(evaluation)
            terms, _ = loss.value_and_grad(network.image(rgb))
            for layer in LAYERS:
                found = terms.per_layer[f"style/{layer}"]
                assert found == pytest.approx(expected(level, evaluation // 5, layer), rel=1e-4)


def test_hypercolumns_are_read_at_positions_of_seed_level_and_draw(composed) -> None:
    """Each loss is the oracle's, of features that SciPy reads between positions."""
    joined = ["rgb", "relu1_1", "relu2_1"]
    settings = composed(
        *("objective.style_statistic=relaxed_emd", "objective.content_reduction=self_similarity"),
        *(f"objective.{role}_layers=[{','.join(joined)}]" for role in ("content", "style")),
        "objective.more_statistics=[{statistic: moments, layers: [rgb, relu1_1], weight: 2},"
        " {statistic: palette, layers: [rgb], weight: 0.5}]",
        *("objective.redraw=3", "seed=5", "objective.hypercolumns=30", "network.ceil_mode=false"),
        *("objective.style_hypercolumns=40", "objective.content_weight=7", *FORM),
    )
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    rgb = 128 + 90 * np.sin(np.arange(3 * np.prod(sized.shape)) / 5).reshape(*sized.shape, 3)

    def columns(rgb: np.ndarray, positions: np.ndarray, whole: bool) -> dict[str, np.ndarray]:
        found = {"rgb": rgb / 255, **features(rgb, network, settings)}
        strides, kept = {"rgb": 1, "relu1_1": 1, "relu2_1": 2}, {}
        for layer, stride in strides.items():
            at = positions // stride if whole else positions / stride
            channels = np.moveaxis(found[layer], -1, 0).astype(np.float64)
            read = [map_coordinates(each, at.T, order=1, mode="nearest") for each in channels]
            kept[layer] = np.transpose(read)
        return kept

    def join(found: dict[str, np.ndarray], *layers: str) -> np.ndarray:
        return np.concatenate([found[layer] for layer in layers], 1)

    style = sized.styles[0].rgb
    for level in (0, 2):
        loss = objective.build(transfer.objective_of(settings), network, sized, level)
        drawn = hypercolumns.positions_of_painting(style.shape[:2], 40, [5, level, 0, 0])
        S = columns(style, drawn, whole=True)
        for evaluation in (4, 0):
            loss.at_evaluation(evaluation)
            terms, gradient = loss.value_and_grad(network.image(rgb))
            draw = 5, level, 1 + evaluation // 3, 1
            at = hypercolumns.positions_of_result(sized.shape, 30, (5, level, 0, 1), draw)
            X, P = (columns(each, at, whole=False) for each in (rgb, sized.content))
            expected = {
                "content": oracle.self_similarity(join(X, *joined), join(P, *joined))[0],
                "style": oracle.relaxed_emd(join(X, *joined), join(S, *joined))[0],
                "moments": oracle.moments(join(X, *joined[:2]), join(S, *joined[:2]))[0],
                "palette": oracle.palette(X["rgb"], S["rgb"])[0],
            }
            found = {f"{name}/hypercolumn": value for name, value in expected.items()}
            assert terms.per_layer == pytest.approx(found, rel=1e-4)
            beta = settings.objective.style_weight
            total = expected["style"] + 2 * expected["moments"] + 0.5 * expected["palette"]
            assert terms.total == pytest.approx(7 * expected["content"] + beta * total, rel=1e-4)
    way = np.cos(np.arange(rgb.size)).reshape(1, *rgb.shape)
    way[0, 1::2] *= 0.5
    high, low = (loss.value_and_grad(network.image(rgb) + s * 0.02 * way)[0] for s in (1, -1))
    slope = (high.total - low.total) / 0.04
    assert (gradient * way).sum() == pytest.approx(slope, rel=2e-2)


def test_a_level_multiplies_weights_and_the_rate_and_adds_detail(run, tmp_path) -> None:
    def metrics(name: str, level: str, rate: float = 4.0) -> Any:
        run(
            tmp_path / name,
            *("optimizer=adam", "optimizer.max_evaluations=1", f"optimizer.learning_rate={rate}"),
            "objective.more_statistics=[{statistic: mean, layers: [relu1_1], weight: 5}]",
            *("init=style_mean", "init.amplitude=0"),
            f"pyramid.levels=[{{scale: 0.5, max_evaluations: 2, {level}}}]",
        )
        return runs.Run(tmp_path / name).metrics

    plain, detail, slower = (
        metrics("plain", "detail: false"),
        metrics("detail", "detail: true"),
        metrics("slower", "detail: true", rate=2.0),
    )
    assert plain["loss/content"][0] != pytest.approx(detail["loss/content"][0], rel=1e-2)
    half = metrics("half", "detail: true, times: {learning_rate: 0.5}")
    for name in ("loss/total", "mean/relu1_1"):
        np.testing.assert_array_equal(half[name], slower[name])
        assert half[name][1] != detail[name][1]
    times = metrics("times", "detail: true, times: {content_weight: 2, style_weight: 3, mean: 7}")
    beta = runs.Run(tmp_path / "times").settings["objective"]["style_weight"]
    of_mean = 5 * beta * detail["mean/relu1_1"]
    assert times["loss/content"][0] == pytest.approx(2 * detail["loss/content"][0], rel=1e-6)
    expected = 3 * (detail["loss/style"] - of_mean + 7 * of_mean)[0]
    assert times["loss/style"][0] == pytest.approx(expected, rel=1e-5)
    # The full size has its own weights.
    assert times["loss/style"][2] == pytest.approx(
        (times["style/relu1_1"][2] + times["style/relu2_1"][2]) * beta / 2
        + 5 * beta * times["mean/relu1_1"][2],
        rel=1e-5,
    )


REPLACED = (
    "objective.style_statistic=nearest",
    "objective.content_layers=[]",
    "objective.content_share=0.6",
    "network.ceil_mode=false",
    "init=content",
    "optimizer=adam",
    "optimizer.result=last",
    "pyramid.levels=[{scale: 0.5, max_evaluations: 1, style_statistic: nearest_hypercolumns},"
    " {scale: 1, max_evaluations: 2, style_statistic: nearest_hypercolumns,"
    " times: {style_weight: 0.5}}]",
)


@pytest.mark.parametrize("blend", ["targets", "losses"])
def test_hypercolumns_are_replaced_for_the_picture_at_a_levels_start(
    run, composed, files, tmp_path, blend
) -> None:
    """The first level replaces the photograph's, the second those of a mix; among both paintings'
    and their copies', or of each by itself."""
    keys = *REPLACED, two(files), "objective.copies=[{turn_deg: 90}]", f"styles_blend={blend}"
    run(tmp_path, *keys, "optimizer.max_evaluations=2")
    settings = composed(*keys)
    network, originals = transfer.network_of(settings), pictures.read(settings)
    half, full = originals.at(0.5), originals.at(1.0)

    def columns(rgb: np.ndarray) -> np.ndarray:
        sides = [side // 4 for side in rgb.shape[:2]]
        found = []
        for F in features(rgb, network, settings).values():
            ends = [np.linspace(0, F.shape[k] - 1, sides[k]) for k in (0, 1)]
            at = [each.ravel() for each in np.meshgrid(*ends, indexing="ij")]
            read = [map_coordinates(each, at, order=1) for each in np.moveaxis(F, -1, 0)]
            found.append(np.transpose(read) / len(read))
        return np.concatenate(found, 1)

    def expected(rgb: np.ndarray, painted: np.ndarray, sized: Any) -> float:
        x, query = columns(rgb), columns(painted)
        each = [
            np.concatenate([columns(np.rot90(style.rgb, k)) for k in (0, 1)])
            for style in sized.styles
        ]
        values = []
        for s in [np.concatenate(each)] if blend == "targets" else each:
            t = s[oracle.matches(query, s)]
            lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(t, axis=1)
            values.append(np.mean(1 - (x * t).sum(1) / lengths))
        return float(np.mean(values))

    start = resizing.resize(network.rgb(network.image(half.content)), *full.shape)
    mixed = 0.6 * full.content + 0.4 * (start + initialize.detail(full)[0])
    found = runs.Run(tmp_path).metrics
    beta = settings.objective.style_weight
    for row, value in (
        (0, expected(half.content, half.content, half)),
        (1, expected(start, mixed, full)),
    ):
        assert found["style/hypercolumn"][row] == pytest.approx(value, rel=1e-3)
        factor = beta if row == 0 else 0.5 * beta
        assert found["loss/total"][row] == pytest.approx(factor * value, rel=1e-3)
        assert np.isnan(found["style/relu1_1"][row])  # which the last level has alone
    assert np.isfinite(found["style/relu1_1"][3:]).all()
    assert np.isnan(found["style/hypercolumn"][3:]).all()


def test_features_of_paintings_are_kept_where_offsets_are_drawn_anew(
    composed, files, monkeypatch
) -> None:
    """The painting passes the network once, and each loss is that of a statistic made anew; also
    of one beside it whose shifts are fewer at a deeper layer.
    """
    beside = (
        "objective.more_statistics=[{statistic: shifted_gram, layers: [relu2_1]},"
        " {statistic: patches, layers: [relu2_1]}]"
    )
    settings = composed(
        *("objective.style_statistic=sliced_wasserstein", "objective.redraw=1", *FORM),
        *(beside, "objective.shifts=[1,2]", "objective.copies=[{turn_deg: 90}]"),
        two(files),
    )
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    asked, image = transfer.objective_of(settings), network.image(255 - sized.content)
    passed: list[int] = []
    turned: list[int] = []
    of_painting, copy = references.style_features, resizing.copy
    monkeypatch.setattr(resizing, "copy", lambda *given: turned.append(0) or copy(*given))
    monkeypatch.setattr(
        references, "style_features", lambda *given: passed.append(0) or of_painting(*given)
    )
    found = []
    for kept in (True, False):
        monkeypatch.setattr(type(asked), "keeps_features", kept)
        loss = objective.build(asked, network, sized)
        for evaluation in (0, 3, 1):
            loss.at_evaluation(evaluation)
            found.append(loss.value_and_grad(image)[0].style)
    assert len(passed) == 4 and len(turned) == 4  # two paintings and a copy of each, twice built
    assert found[:3] == found[3:] and len({*found}) == 3


def test_what_cannot_be_replaced_is_refused(composed, files) -> None:
    grid = "objective.style_statistic=nearest_hypercolumns"
    for keys, said in {
        (
            grid,
            "objective.more_statistics=[{statistic: moments, layers: [relu1_1]}]",
        ): "nearest_hypercolumns has hypercolumns on a grid, moments some that are drawn",
        (
            "objective.content_reduction=self_similarity",
            *REPLACED[:1],
            *REPLACED[7:],
        ): "nearest_hypercolumns has hypercolumns on a grid, self_similarity some",
        (
            *REPLACED,
            two(files, weight=2),
        ): "nearest: searches all paintings at once, which no weights can divide; give equal",
        (
            *REPLACED,
            *("style.mask=left", "guidance=sums"),
        ): "guidance=sums: nearest_hypercolumns is of hypercolumns, which have no sums",
        (
            "objective.style_statistic=nearest_as_run",
            "style.mask=left",
        ): "nearest_as_run: takes no masks, since its narrow layers have another one's sample",
        (
            "objective.more_statistics=[{statistic: nearest_as_run, layers: [relu1_1]}]",
        ): "nearest_as_run: compares neighboring layers; give it as objective.style_statistic",
        (
            grid,
            "objective.style_layers=[{layer: relu1_1, weight: 1}, {layer: relu2_1, weight: 2}]",
        ): "joins its layers to hypercolumns, which have one loss; give bare names",
        (
            *REPLACED[:1],
            *REPLACED[7:],
            *("content.path=null", "objective.content_layers=[]", "init=noise"),
        ): r"pyramid.levels\[0\].style_statistic=nearest_hypercolumns: needs a photograph",
        (
            "pyramid.levels=[{scale: 0.5, max_evaluations: 1, style_statistic: nearesst}]",
        ): "style_statistic=nearesst",
    }.items():
        with pytest.raises(errors.InputError, match=said):
            composed(*keys)


def test_what_is_no_hypercolumn_is_refused(composed) -> None:
    joins = "objective.style_statistic=relaxed_emd"
    uneven = "[{layer: relu1_1, weight: 1}, {layer: relu2_1, weight: 2}]"
    for keys, said in {
        ("objective.style_layers=[rgb,relu1_1]",): "rgb, the picture's colors, is a part of",
        ("objective.content_layers=[rgb]",): "rgb, the picture's colors, is a part of",
        (
            joins,
            f"objective.style_layers={uneven}",
        ): "joins its layers to hypercolumns, which have one loss; give bare names",
        (
            "objective.style_statistic=palette",
            "objective.style_layers=[rgb,relu1_1]",
        ): "palette compares colors; give \\[rgb\\] alone",
        (joins, "style.layers=[relu1_1,relu2_1]"): "style.layers: hypercolumns join all layers",
    }.items():
        with pytest.raises(errors.InputError, match=said):
            composed(*keys)


def test_hypercolumns_of_a_region_are_drawn_inside_its_masks(composed, files) -> None:
    """Two paintings, each in its own region and the second from a part of it: the sum of both
    losses, at positions of the two regions; the content is compared everywhere."""
    second = two(files, result_mask=files["left"], mask=files["low"], weight=3)
    settings = composed(
        *("objective.style_statistic=relaxed_emd", "objective.content_reduction=self_similarity"),
        *(f"objective.{role}_layers=[rgb,relu2_1]" for role in ("content", "style")),
        "objective.more_statistics=[{statistic: palette, layers: [rgb]}]",
        *("objective.redraw=1", "objective.hypercolumns=30", "objective.style_hypercolumns=40"),
        *("network.ceil_mode=false", f"style.result_mask={UP}", second, *FORM),
    )
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    loss = objective.build(transfer.objective_of(settings), network, sized)
    loss.at_evaluation(2)
    rgb = 255 - sized.content
    terms = loss.value_and_grad(network.image(rgb))[0]

    def columns(rgb: np.ndarray, at: np.ndarray, whole: bool) -> tuple[np.ndarray, np.ndarray]:
        found = {1: rgb / 255, 2: features(rgb, network, settings)["relu2_1"]}
        kept = []
        for stride, F in found.items():
            places = (at // stride if whole else at / stride).T
            channels = np.moveaxis(F, -1, 0)
            read = [map_coordinates(each, places, order=1, mode="nearest") for each in channels]
            kept.append(np.transpose(read))
        return kept[0], np.concatenate(kept, 1)

    expected = np.zeros(2)
    drawn = (0, 0, 0, 1), (0, 0, 3, 1)
    for share, style in zip((0.25, 0.75), sized.styles, strict=True):
        at = hypercolumns.positions_of_result(sized.shape, 30, *drawn, style.result_mask)
        assert style.result_mask[tuple(at.astype(int).T)].all()
        own = hypercolumns.positions_of_painting(style.rgb.shape[:2], 40, (0, 0, 0, 0), style.mask)
        X, S = columns(rgb, at, whole=False), columns(style.rgb, own, whole=True)
        pairs = zip((oracle.palette, oracle.relaxed_emd), X, S, strict=True)
        expected += [share * of(x, s)[0] for of, x, s in pairs]
    found = [terms.per_layer[f"{name}/hypercolumn"] for name in ("palette", "style")]
    assert found == pytest.approx(expected, rel=1e-4)
    everywhere = hypercolumns.positions_of_result(sized.shape, 30, *drawn)
    (_, X), (_, P) = (columns(each, everywhere, whole=False) for each in (rgb, sized.content))
    similar = oracle.self_similarity(X, P)[0]
    assert terms.per_layer["content/hypercolumn"] == pytest.approx(similar, rel=1e-4)


@pytest.mark.parametrize("name", ["relaxed_emd", "nearest", "nearest_hypercolumns"])
def test_nothing_is_painted_outside_a_mask(composed, name) -> None:
    """Where no position counts that sees it; and of the painting only what is inside is asked for:
    the rest of it may be another."""
    settings = composed(
        *(f"objective.style_statistic={name}", "objective.content_layers=[]"),
        *(f"style.result_mask={UP}", f"style.mask={UP}", "image.shape=[64,24]", "style.size=own"),
    )
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    asked, image = transfer.objective_of(settings), network.image(sized.content)
    upper = masks.resize(sized.styles[0].mask, *sized.styles[0].rgb.shape[:2]) > 0
    deep = upper | np.roll(upper, 6, 0) | np.roll(upper, -6, 0)  # what relu2_1 and a grid see
    other = np.where(deep[..., None], sized.styles[0].rgb, 255 - sized.styles[0].rgb)
    changed = dataclasses.replace(sized.styles[0], rgb=other)
    terms, gradient = objective.build(asked, network, sized).value_and_grad(image)
    assert np.abs(gradient[0, :30]).max() > 0 and not gradient[0, 42:].any()
    if name == "relaxed_emd":  # which takes off no mean
        again = objective.build(asked, network, dataclasses.replace(sized, styles=(changed,)))
        assert again.value_and_grad(image)[0].style == pytest.approx(terms.style, rel=1e-6)


def test_kolkins_last_pass_as_run_at_512_px(composed) -> None:
    """relu4_1 is 64 wide there: its loss is of relu3_3's sample, and no gradient goes through
    conv4. The loss and the gradient of both layers are the oracle's."""
    layers = ["relu3_3", "relu4_1"]
    settings = composed(
        *("objective.style_statistic=nearest_as_run", "objective.content_layers=[]"),
        *(f"objective.style_layers=[{','.join(layers)}]", "objective.style_weight=2", "seed=3"),
        *("image.shape=[32,512]", "network.convolution=direct", "network.ceil_mode=false"),
    )
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    rgb = 128 + 90 * np.sin(np.arange(32 * 512 * 3) / 7).reshape(32, 512, 3)
    image = network.image(rgb)
    terms, gradient = objective.build(
        transfer.objective_of(settings), network, sized
    ).value_and_grad(image)
    of_style = vgg.features(
        network.image(sized.styles[0].rgb), network.kernels, layers, network.options
    )
    S = {layer: F.numpy()[0].astype(np.float64) for layer, F in of_style.items()}
    place = network.layer_names.index("relu3_3")
    down, across = (2 * statistics.drawn_offsets(0, 0, (3, 0, 0, place))).astype(int)
    with tf.GradientTape() as tape:
        watched = tf.constant(image)
        tape.watch(watched)
        F = vgg.features(watched, network.kernels, layers[:1], network.options)["relu3_3"]
    wide = F.numpy()[0].astype(np.float64)
    sample = wide[down::2, across::2]  # 4 × 64 of 8 × 128 positions
    own, slope = oracle.nearest(sample, S["relu3_3"])
    # channel after channel, as one row of numbers; here both layers have four channels
    read = sample.reshape(-1, 4).T.reshape(4, -1).T
    other, of_other = oracle.nearest(read[None], S["relu4_1"])
    found = [terms.per_layer[f"style/{layer}"] for layer in layers]
    assert found == pytest.approx([own, other], rel=1e-4)
    whole = np.zeros_like(wide)
    whole[down::2, across::2] = slope + of_other.reshape(slope.shape)
    expected = tape.gradient(F, watched, tf.constant(whole[None], tf.float32)).numpy()
    assert np.linalg.norm(gradient - expected) < 1e-3 * np.linalg.norm(expected)


def test_tags_sort_by_the_grays_of_both_masks(composed, files) -> None:
    """Losses and gradients are those of features with a channel of tags, as the oracle sorts them;
    each pooling takes the largest tag."""
    settings = composed(
        *("objective.style_statistic=sliced_wasserstein", "guidance=tag", "guidance.tag=40"),
        *(f"style.mask={files['low']}", f"style.result_mask={files['left']}", *FORM),
    )

    def expected(X: np.ndarray, styles: list[np.ndarray], layer: str, sized: Any) -> oracle.Loss:
        N, [painting] = X.shape[-1], sized.styles
        drawn = np.random.default_rng([0, 0, 0, VGG19.index(layer)]).normal(size=(N, N))
        tags = [40 * (2 * mask - 1) for mask in (painting.result_mask, painting.mask)]
        if layer == "relu2_1":
            tags = [
                np.array(
                    [
                        [each[i : i + 2, j : j + 2].max() for j in range(0, each.shape[1], 2)]
                        for i in range(0, each.shape[0], 2)
                    ]
                )
                for each in tags
            ]
        directions = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return oracle.sliced_wasserstein(X, styles[0], directions, *tags)

    assert settings.network.ceil_mode
    check(settings, expected)


def test_tags_of_other_shares_are_told(run, files, tmp_path) -> None:
    tags = "objective.style_statistic=sliced_wasserstein", "guidance=tag", f"style.mask={UP}"
    with pytest.warns(UserWarning, match=r"their grays have other shares, by 4\d%"):
        run(tmp_path, *tags, "style.result_mask=polygon:0 0 1 0 1 .05 0 .05", *ONE)


ONE = ("optimizer.max_evaluations=1",)


def test_a_level_without_a_laplacian_makes_none(run, composed, tmp_path, monkeypatch) -> None:
    """Its loss is told as 0, and pictures are those of a run without one."""
    made: list[tuple[int, ...]] = []
    entry = pixels.PIXEL_LOSSES["matting"]

    def prepare(rgb: np.ndarray) -> np.ndarray:
        made.append(rgb.shape)
        return entry.prepare(rgb)

    counted = {"matting": dataclasses.replace(entry, prepare=prepare)}
    monkeypatch.setattr(pixels, "PIXEL_LOSSES", pixels.PIXEL_LOSSES | counted)
    level = "pyramid.levels=[{scale: 0.5, max_evaluations: 2, times: {matting_weight: 0}}]"
    run(tmp_path, "objective.matting_weight=50", level, "optimizer.max_evaluations=1")
    found = runs.Run(tmp_path).metrics["loss/matting"]
    assert len(made) == 1 and (found[:2] == 0).all() and found[2] > 0


@pytest.mark.parametrize("blend", ["targets", "losses"])
def test_chains_of_two_paintings_have_one_gradient(composed, files, blend) -> None:
    """With respect to the layer before too, which both hand a part to."""
    keys = *FORM, "objective.style_statistic=chain", "objective.content_layers=[]"
    each = [
        composed(*keys),
        composed(*keys, f"style.path={files['rings']}"),
        composed(*keys, two(files), f"styles_blend={blend}"),
    ]
    network = transfer.network_of(each[0])
    image = network.image(255 - pictures.read(each[0]).at(1.0).content)
    one, other, both = (
        objective.build(
            transfer.objective_of(settings), network, pictures.read(settings).at(1.0)
        ).value_and_grad(image)[1]
        for settings in each
    )
    assert np.linalg.norm(both - (one + other) / 2) < 1e-4 * np.linalg.norm(both)


def test_a_chain_compares_neighboring_layers(composed):
    settings = composed(*FORM, "objective.style_statistic=chain")
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    image = network.image(255 - sized.content)
    X, P = (features(rgb, network, settings) for rgb in (255 - sized.content, sized.styles[0].rgb))
    value, of_first, of_second = oracle.chain(*(each[layer] for each in (X, P) for layer in LAYERS))
    terms, gradient = objective.build(
        transfer.objective_of(settings), network, sized
    ).value_and_grad(image)
    plain = objective.build(
        transfer.objective_of(no_style(settings)), network, sized
    ).value_and_grad(image)[1]
    assert terms.per_layer["style/relu1_1"] == 0  # it has no layer before it
    assert terms.per_layer["style/relu2_1"] == pytest.approx(value, rel=2e-5)
    with tf.GradientTape() as tape:
        watched = tf.constant(image)
        tape.watch(watched)
        F = vgg.features(
            watched,
            network.kernels,
            LAYERS,
            network.options,
        )
    share = settings.objective.style_weight / 2
    slopes = [tf.constant(share * slope[None], tf.float32) for slope in (of_first, of_second)]
    own = tape.gradient([F[layer] for layer in LAYERS], watched, slopes).numpy()
    assert np.linalg.norm(gradient - plain - own) <= 1e-4 * np.linalg.norm(own)


# Several styles


def two(files: dict[str, str], **keys: Any) -> str:
    entry = {"path": files["rings"], **keys}
    return f"more_styles=[{{{', '.join(f'{key}: {value!r}' for key, value in entry.items())}}}]"


def blended_of(
    X: np.ndarray, styles: list[np.ndarray], which: str, weights=(0.25, 0.75)
) -> oracle.Loss:
    """Σ w ℓ(G, A_k), or ℓ(G, Σ w A_k), with the gradient that both have."""
    each = [oracle.gram(X, S) for S in styles]
    gradient = sum(w * slope for w, (_, slope) in zip(weights, each, strict=True))
    value = sum(w * loss for w, (loss, _) in zip(weights, each, strict=True))
    if which == "targets":
        A, B = (oracle.product(S, S) / S[..., 0].size for S in styles)
        value -= weights[0] * weights[1] * oracle.squared(A - B) / (4 * X.shape[-1] ** 2)
    return value, gradient


@pytest.mark.parametrize("blend", ["targets", "losses"])
def test_several_styles_are_weighed_and_blended(composed, files, blend):
    settings = composed(*FORM, two(files, weight=3), f"styles_blend={blend}")
    check(settings, lambda X, S, *_: blended_of(X, S, blend))


def test_a_style_may_count_at_some_layers_only(composed, files):
    settings = composed(*FORM, "style.layers=[relu2_1]", two(files, layers=["relu1_1"], weight=7))
    check(settings, lambda X, S, layer, _: oracle.gram(X, S[layer == "relu1_1"]))


def test_the_order_of_styles_does_not_matter(composed, files, inputs, tmp_path):
    settings = [
        composed(*FORM, two(files, weight=3)),
        composed(
            *FORM,
            f"style.path={files['rings']}",
            "style.weight=6",
            f"more_styles=[{{path: {inputs['style']}, weight: 2}}]",
        ),
    ]
    first, second = (
        check(each, lambda X, S, *_, w=w: blended_of(X, S, "targets", w))
        for each, w in zip(settings, ((0.25, 0.75), (0.75, 0.25)), strict=True)
    )
    assert first.total == pytest.approx(second.total, rel=1e-6)


def test_settings_of_several_styles_can_be_written_and_read(composed, files):
    """As the cells of an experiment are."""
    settings = composed(
        two(files, weight=3, result_mask=DOWN), f"style.result_mask={UP}", "style.size=content"
    )
    again = OmegaConf.merge(OmegaConf.structured(config.Config), config.to_dict(settings))
    assert config.parse(again) == settings


# Guides


def test_each_part_of_the_picture_has_its_own_style(composed, files):
    settings = composed(
        *FORM,
        f"style.result_mask={UP}",
        two(files, result_mask=files["left"], mask=files["low"], weight=2),
    )

    def expected(X, S, layer, sized):
        guides_of = [
            guides.propagate(m, [layer], VGG19, Guidance()).layers[layer]
            for m in (sized.styles[0].result_mask, sized.styles[1].result_mask)
        ]
        of_painting = [
            np.ones(S[0].shape[:2]),
            guides.propagate(sized.styles[1].mask, [layer], VGG19, Guidance()).layers[layer],
        ]
        parts = [
            oracle.guided_gram(X, P, [T], [U], [w])
            for P, T, U, w in zip(S, guides_of, of_painting, (1 / 3, 2 / 3), strict=True)
        ]
        return sum(value for value, _ in parts), sum(slope for _, slope in parts)

    check(settings, expected)


def test_guided_sums_add_the_mean_features_of_each_part(composed, files):
    settings = composed(
        *FORM,
        f"style.result_mask={UP}",
        two(files, result_mask=DOWN),
        "guidance=sums",
        "guidance.sums_weight=40",
    )

    def expected(X, S, layer, sized):
        value, gradient = blended_of(X, S, "targets", (0.5, 0.5))
        for P, style in zip(S, sized.styles, strict=True):
            T = guides.propagate(style.result_mask, [layer], VGG19, Guidance()).layers[layer]
            part, slope = oracle.guided_mean(X, P, [T], [np.ones(P.shape[:2])], [0.5])
            value, gradient = value + 40 * part, gradient + 40 * slope
        return value, gradient

    check(settings, expected)


def test_a_global_channel_adds_the_whole_paintings(composed, files):
    settings = composed(*FORM, f"style.result_mask={UP}", "guidance.global_weight=0.2")

    def expected(X, S, layer, sized):
        T = guides.propagate(sized.styles[0].result_mask, [layer], VGG19, Guidance()).layers[layer]
        part, whole = (
            oracle.guided_gram(X, S[0], [T], [np.ones(S[0].shape[:2])], [1.0]),
            oracle.gram(X, S[0]),
        )
        return part[0] + 0.2 * whole[0], part[1] + 0.2 * whole[1]

    check(settings, expected)


def test_a_mask_of_ones_is_no_mask(composed):
    everywhere = "polygon:-1 -1 2 -1 2 2 -1 2"
    plain, masked = (
        check(composed(*FORM, *extra), gram_of)
        for extra in ((), (f"style.result_mask={everywhere}", f"style.mask={everywhere}"))
    )
    assert masked.total == pytest.approx(plain.total, rel=1e-6)


def test_a_mask_too_narrow_for_a_layer_is_said(composed):
    """A strip two pixels wide has no position that sees its inside alone."""
    settings = composed(
        "style.mask='polygon:0 0 .06 0 .06 1 0 1'",
        "guidance.propagation=inside",
    )
    network, sized = transfer.network_of(settings), pictures.read(settings).at(1.0)
    with pytest.warns(UserWarning, match=r"^style\.mask: too narrow for relu"):
        objective.build(transfer.objective_of(settings), network, sized)


def test_stacked_sums_are_grams_and_sums_in_another_ratio():
    """Gatys et al. 2017 stack the guides as channels; our two terms are theirs in the ratio R /
    (2N).
    """
    guides_of, style_guides = [oracle.T1, oracle.T2], [oracle.U1, oracle.U2]
    N = oracle.X.shape[-1]
    sums = oracle.guided_mean(oracle.X, oracle.P, guides_of, style_guides)[0]
    stacked = oracle.stacked_sums(oracle.X, oracle.P, guides_of, style_guides)[0]
    assert stacked == pytest.approx(
        oracle.gram(oracle.X, oracle.P)[0] + 2 / (2 * N) * sums, rel=1e-12
    )


# Whole runs


def row0(result: Any) -> dict[str, float]:
    return {key: values[0] for key, values in runs.Run(result.run_dir).metrics.items()}


@pytest.mark.parametrize("mode", ["match", "luminance", "swap"])
def test_color_styles_scale_and_masks_together(run, composed, files, tmp_path, mode):
    """The first row of metrics.csv and the picture, where four controls meet."""
    overrides = (
        *FORM,
        f"color={mode}",
        two(files, weight=3, scale=1.5, result_mask=DOWN),
        f"style.result_mask={UP}",
        "style.scale=0.8",
    )
    overrides += ("init=noise", "init.amplitude=30", "optimizer.max_evaluations=2")
    settings = composed(*overrides)
    network = transfer.network_of(settings)
    content = resizing.resize(images.read(settings.content.path), 28, 32)
    shapes = [(22, 26), (48, 37)]  # 32 px of 37 × 43 and of 50 × 39, times 0.8 and 1.5
    paintings = [
        resizing.resize(images.read(path), *shape)
        for path, shape in zip((settings.style.path, files["rings"]), shapes, strict=True)
    ]
    if mode == "match":
        paintings = [color.match(rgb, content) for rgb in paintings]
    if mode == "luminance":
        paintings = [color.match_luma(rgb, content, "mean_std") for rgb in paintings]
    result = run(tmp_path / "run", *overrides)
    first = initialize.noise(28, 32, "normal", 30, 0)[0] + network.mean_pixel
    X = features(first, network, settings)
    drawn = [masks.resize(masks.drawn(path, ""), 28, 32) for path in (UP, DOWN)]
    for layer in LAYERS:
        T = [guides.propagate(mask, [layer], VGG19, Guidance()).layers[layer] for mask in drawn]
        styles = [features(rgb, network, settings)[layer] for rgb in paintings]
        whole = [np.ones(S.shape[:2]) for S in styles]
        value = sum(
            oracle.guided_gram(X[layer], S, [t], [u], [w])[0]
            for S, t, u, w in zip(styles, T, whole, (0.25, 0.75), strict=True)
        )
        assert row0(result)[f"style/{layer}"] == pytest.approx(value, rel=2e-5)
    assert (result.run_dir / runs.UNCOLORED).exists() == (mode != "match")
    if mode == "swap":
        plain = images.read(result.run_dir / runs.UNCOLORED)
        np.testing.assert_allclose(result.rgb, color.swap(plain, content), atol=1)


def test_only_the_masked_part_is_painted(run, inputs, tmp_path):
    for name, extra in (("adam", ()), ("spectral_lbfgs", ("color=luminance",))):
        result = run(tmp_path / name, f"paint_only={UP}", f"optimizer={name}", *extra)
        photograph = resizing.resize(images.read(inputs["content"]), *result.rgb.shape[:2])
        written = images.read(result.run_dir / "image.png")
        np.testing.assert_array_equal(written[14:], np.rint(photograph[14:]))
        assert np.abs(written[:14] - photograph[:14]).max() > 5


def test_colors_beyond_the_mask_stay(run, inputs, tmp_path):
    result = run(tmp_path / "histogram", f"paint_only={UP}", "color=histogram")
    photograph = resizing.resize(images.read(inputs["content"]), *result.rgb.shape[:2])
    np.testing.assert_array_equal(
        images.to_bytes(result.rgb)[14:], images.to_bytes(photograph)[14:]
    )


def test_what_is_transparent_stays_transparent(run, files, tmp_path):
    result = run(
        tmp_path / "cut", f"content.path={files['cut']}", f"output={tmp_path / 'copy.tif'}"
    )
    rgb, opacity = images.read_with_opacity(result.run_dir / "image.png")
    expected = masks.resize(images.read_with_opacity(files["cut"])[1], *rgb.shape[:2])
    np.testing.assert_allclose(opacity, expected, atol=0.5 / 255 + 1e-9)
    np.testing.assert_array_equal(rgb, images.to_bytes(result.rgb))


def test_a_texture_has_no_content_and_any_shape(run, tmp_path):
    texture = (
        "content.path=null",
        "objective.content_layers=[]",
        "init=noise",
        "image.shape=[24,40]",
        "color=histogram",
    )
    result = run(tmp_path / "texture", *texture, "network.border=wrap")
    assert result.rgb.shape == (24, 40, 3)
    summary = runs.Run(result.run_dir).summary
    assert summary["measures/style"] > 0
    assert not any("to_content" in key for key in summary)


def test_the_optimizer_is_told_that_opposite_sides_meet(run, tmp_path: Path, monkeypatch) -> None:
    told, minimize = [], optimize.minimize

    def listening(problem: optimize.Problem, *arguments: Any) -> optimize.Outcome:
        told.append(problem.periodic)
        return minimize(problem, *arguments)

    monkeypatch.setattr(optimize, "minimize", listening)
    for border in ("wrap", "zero"):
        run(tmp_path / border, f"network.border={border}", "optimizer.max_evaluations=2")
    assert told == [True, False]


def test_a_wrapped_network_does_not_see_where_a_texture_begins(composed):
    settings = composed(
        "network.border=wrap",
        "content.path=null",
        "objective.content_layers=[]",
        "init=noise",
        *FORM,
    )
    network = transfer.network_of(settings)
    loss = objective.build(
        transfer.objective_of(settings), network, pictures.read(settings).at(1.0)
    )
    x = np.random.default_rng(0).uniform(-90, 90, (1, 16, 24, 3))
    terms, gradient = loss.value_and_grad(x)
    rolled, slope = loss.value_and_grad(np.roll(x, (4, 10), (1, 2)))
    assert rolled.total == pytest.approx(terms.total, rel=1e-5)
    np.testing.assert_allclose(
        slope, np.roll(gradient, (4, 10), (1, 2)), rtol=1e-3, atol=1e-5 * np.abs(slope).max()
    )


def test_the_style_is_mixed_of_two_paintings(run, composed, files, tmp_path):
    overrides = (f"mix.fine={files['rings']}", "mix.layers=[relu1_1]", "mix.max_evaluations=5")
    result = run(tmp_path / "mixed", *overrides)
    inner = runs.Run(tmp_path / "mixed" / "style")
    assert inner.state == "finished"
    coarse = pictures.read(composed()).at(1.0).styles[0].rgb
    assert inner.rgb.shape == coarse.shape
    values = inner.metrics["loss/total"]
    assert values.min() < values[0]
    plain = run(tmp_path / "plain")
    assert np.abs(result.rgb - plain.rgb).max() > 1


def test_a_mixed_style_is_not_weighed_over_a_loss_at_the_photograph(run, files, tmp_path):
    over = (f"mix.fine={files['rings']}", "mix.max_evaluations=2")
    run(tmp_path / "over", *over, "objective.layer_weighting=first_loss")
    run(tmp_path / "plain", *over)
    inner, plain = (runs.Run(tmp_path / name / "style").metrics for name in ("over", "plain"))
    np.testing.assert_array_equal(inner["loss/total"], plain["loss/total"])


def test_a_mixed_style_is_a_painting_which_does_not_wrap(run, files, tmp_path):
    for border, expected in (("wrap", "replicate"), ("reflect", "reflect")):
        run(
            tmp_path / border,
            f"mix.fine={files['rings']}",
            "mix.max_evaluations=2",
            f"network.border={border}",
        )
        inner = runs.Run(tmp_path / border / "style")
        assert inner.settings["network"]["border"] == expected


def test_a_mixed_style_has_the_size_that_its_scale_gives(run, files, tmp_path):
    run(tmp_path / "half", f"mix.fine={files['rings']}", "mix.max_evaluations=2", "style.scale=0.7")
    assert runs.Run(tmp_path / "half" / "style").rgb.shape[:2] == (
        19,
        22,
    )  # 32 px of 37 × 43, times 0.7
    sized = pictures.Pictures(
        None,
        (pictures.Painting(np.zeros((19, 22, 3)), as_it_is=True),),
        None,
        {},
        config.Image(),
        "own",
    )
    assert sized.at(1.0).styles[0].rgb.shape == (19, 22, 3)
    assert runs.below(tmp_path / "half") and len(runs.below(tmp_path / "half")) == 1


GOING_ON = {
    "mix": ("mix.fine=RINGS", "mix.max_evaluations=3"),
    "guides": (f"style.result_mask={UP}", "guidance.propagation=inside", "color=luminance"),
    "styles": (
        "more_styles=[{path: RINGS, weight: 2, scale: 0.8}]",
        f"paint_only={UP}",
        "color=match",
    ),
    "statistics": (
        "objective.more_statistics=[{statistic: histogram, layers: [relu1_1], weight: 2}]",
        "more_styles=[{path: RINGS, scale: 0.8}]",
    ),
    "nearest": (
        "objective.style_statistic=nearest",
        "objective.copies=[{turn_deg: 90}]",
        "objective.redraw=1",
        "optimizer=torch_lbfgs",
    ),
    "masked patches": (
        "objective.style_statistic=patches",
        "objective.style_layers=[relu1_1,relu2_1]",
        f"style.result_mask={UP}",
        f"style.mask={DOWN}",
    ),
    "patches": (
        "objective.style_statistic=patches",
        "objective.copies=[{turn_deg: 90}, {turn_deg: -7.5, scale: 1.05}]",
        "objective.style_layers=[relu1_1]",
        "more_styles=[{path: RINGS, scale: 0.8}]",
    ),
    "texture": (
        "content.path=null",
        "objective.content_layers=[]",
        "init=noise",
        "network.border=wrap",
    ),
}


@pytest.mark.parametrize("name", GOING_ON)
def test_a_run_with_controls_goes_on_to_the_same_bytes(run, files, tmp_path, name):
    typed = [
        "optimizer=spectral_lbfgs",
        *(text.replace("RINGS", files["rings"]) for text in GOING_ON[name]),
    ]
    whole = run(tmp_path / "whole", *typed, "optimizer.max_evaluations=5")
    run(tmp_path / "parts", *typed, "optimizer.max_evaluations=3")
    parts = run(tmp_path / "parts", *typed, "optimizer.max_evaluations=5")
    np.testing.assert_array_equal(whole.rgb, parts.rgb)
    assert whole.terms == parts.terms


REFUSED = {
    "more_styles=[{path: PAINTING, weight: -1}]": ["more_styles[0].weight", "at least 0"],
    "style.weight=0": ["style.weight", "sum is zero"],
    "more_styles=[{weight: 1}]": ["more_styles[0].path: is missing"],
    "more_styles=[{path: PAINTING, sise: own}]": ["more_styles[0].sise", "no such key"],
    "more_styles=[{path: PAINTING, size: content}]": ["more_styles[0].size", "no such key"],
    "more_styles=[{path: PAINTING, scale: big}]": ["scale: big", "must be a number"],
    "style.mask=BLACK": ["style.mask=", "black everywhere"],
    "style.mask=PAINTING": ["style.mask=", "has colors"],
    "style.result_mask=gone.png": ["gone.png", "no such file"],
    "style.result_mask=WEIGHTS": ["vgg19.mat", "not in a format that is read"],
    "'style.result_mask=polygon:0 0 1'": ["style.result_mask=polygon", "three or more corners"],
    "'paint_only=polygon:2 2 3 2 3 3'": ["paint_only=polygon", "covers nothing"],
    "style.scale=0.01": ["style", "pixels are too few"],
    "color.mode=chol": ["color.mode=chol", "no color="],
    "content.path=null": ["objective.content_layers", "content.path is null"],
    "image.shape=[3]": ["image.shape=[3]", "[height, width]"],
    "objective.style_statistic=gaussian style.mask=polygon:0 0 1 0 1 1": [
        "gaussian",
        "takes no masks",
    ],
    "objective.style_statistic=chain objective.style_layers=[relu2_1]": ["chain", "two or more"],
    "objective.style_statistic=sliced_wasserstein objective.redraw=1 optimizer.name=lbfgs": [
        *("objective.redraw=1", "torch_lbfgs"),
    ],
    "objective.style_statistic=sliced_wasserstein style.mask=polygon:0 0 1 0 1 1": [
        *("sliced_wasserstein", "takes no masks"),
    ],
    "guidance.name=tag style.mask=left": ["guidance=tag: gram does not sort by tags"],
    "objective.style_statistic=sliced_wasserstein guidance.name=tag style.mask=left": [
        *("guidance=tag: style.result_mask is missing", "each class has one gray"),
    ],
    "more_styles=[{path:PAINTING}] objective.style_statistic=sliced_wasserstein"
    " guidance.name=tag style.mask=left style.result_mask=left": [
        *("guidance=tag", "leave more_styles out"),
    ],
    "objective.style_statistic=nearest objective.copies=[{turn_deg:90}] style.mask=left": [
        *("objective.copies", "have no masks"),
    ],
    "objective.style_statistic=patches objective.content_layers=[relu2_1] style.scale=0.1": [
        *("patches at relu2_1", "needs 3 positions"),
    ],
    "objective.style_statistic=shifted_gram objective.shifts=[1,32]": [
        *("shifted_gram at relu1_1", "needs 33 positions"),
    ],
    "objective.spectrum_weight=1 style.scale=1.2": [
        *("objective.spectrum_weight", "give style.size=content"),
    ],
    "objective.style_statistic=nearest"
    " objective.more_statistics=[{statistic:sliced_wasserstein,layers:[relu1_1]}]": [
        *("nearest and sliced_wasserstein", "take one of them out"),
    ],
    "objective.style_statistic=patches objective.copies=[{turn_deg:40,scale:.2}]": [
        *("objective.copies[0] of style", "needs 3 positions"),
    ],
    "objective.style_statistic=patches objective.copies=[{turn_deg:90,scale:0}]": [
        *("objective.copies[0].scale=0", "above 0"),
    ],
    "objective.style_statistic=patches objective.copies=[{turn_deg:90}] style.mask=left": [
        *("objective.copies", "have no masks"),
    ],
    "objective.more_statistics=[{statistic:histogram,layers:[relu1_1]}] style.mask=left": [
        *("objective.more_statistics=histogram", "takes no masks"),
    ],
    "objective.more_statistics=[{statistic:gram,layers:[relu1_1]}]": ["gram is compared already"],
    "objective.more_statistics=[{statistic:chain,layers:[relu1_1,relu2_1]}]": [
        "more_statistics[0]"
    ],
    "objective.more_statistics=[{statistic:histogram}]": ["more_statistics[0].layers: is missing"],
    "objective.more_statistics=[{statistic:histogam,layers:[relu1_1]}]": [
        "did you mean histogram?"
    ],
    "objective.more_statistics=[{statistic:mean,layers:[relu1_1],wait:2}]": ["mean weight?"],
    "objective.more_statistics=[{statistic:mean,layers:[relu1_1],weight:-2}]": [
        *("more_statistics[0].weight=-2", "at least 0"),
    ],
    "objective.more_statistics=[{statistic:mean,layers:[relu9_1]}]": [
        "more_statistics[0].layers",
        "relu9_1",
    ],
    "objective.more_statistics=[{statistic:mean,layers:[]}]": ["more_statistics[0].layers=[]"],
    "mix.fine=PAINTING mix.layers=[foo]": ["mix.layers", "foo"],
    "mix.fine=PAINTING mix.layers=[]": ["mix.layers=[]"],
    "style.layers=[relu5_1]": ["style.layers", "relu5_1"],
    "style.layers=[relu1_1]": ["objective.style_layers", "relu2_1"],
}


@pytest.mark.parametrize("typed", REFUSED)
def test_controls_that_cannot_be_are_refused_in_one_line(run, files, inputs, tmp_path, typed):
    given = typed.strip("'")
    for name, path in {
        "PAINTING": files["rings"],
        "BLACK": files["black"],
        "WEIGHTS": inputs["vgg19"],
    }.items():
        given = given.replace(name, str(path))
    with pytest.raises(errors.InputError) as refusal:
        run(tmp_path / "refused", *re.split(r" (?=[a-z_]+\.)", given))
    for part in REFUSED[typed]:
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "refused" / "metrics.csv").exists()


def test_an_interrupted_forced_mixing_goes_on_with_the_same_command(run, files, tmp_path):
    mixing = (
        f"mix.fine={files['rings']}",
        "mix.max_evaluations=6",
        "optimizer=adam",
        "tracking.checkpoint_seconds=0",
    )
    run(tmp_path / "undisturbed", *mixing)
    for moment in (3, 8):  # of the mixing; of the run itself, which counts anew
        made: list[int] = []
        with stopped_after(moment), pytest.raises(errors.Interrupted):
            run(tmp_path / str(moment), *mixing, "force=true")
        with at_evaluation(1, lambda made=made: made.append(1)):
            run(tmp_path / str(moment), *mixing, "force=true")
        assert len(made) == (1 if moment == 3 else 0)  # the run's own first, or none
        assert images.read(tmp_path / str(moment) / "image.png").tobytes() == (
            images.read(tmp_path / "undisturbed" / "image.png").tobytes()
        )


@contextlib.contextmanager
def stopped_after(evaluations):
    """Ctrl-C at the given evaluation of this process, those of a mixing included."""
    made: list[int] = []

    def count():
        made.append(0)
        if len(made) == evaluations:
            os.kill(os.getpid(), signal.SIGINT)

    with contextlib.ExitStack() as stack:
        for number in range(1, 30):
            stack.enter_context(at_evaluation(number, count))
        yield


def test_a_painting_to_mix_in_is_read_before_anything_is_written(run, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    for name in ("broken.jpg", "missing.jpg"):
        with pytest.raises(errors.InputError, match=name):
            run(tmp_path / "run", f"mix.fine={tmp_path / name}")
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


def test_the_sums_of_the_parts_may_weigh_nothing(composed, files):
    masks = (f"style.mask={UP}", f"more_styles=[{{path: '{files['rings']}', mask: '{DOWN}'}}]")
    settings = composed(*FORM, *masks, "guidance=sums", "guidance.sums_weight=0")
    network = transfer.network_of(settings)
    loss = objective.build(
        transfer.objective_of(settings), network, pictures.read(settings).at(1.0)
    )
    unguided = composed(*FORM, f"more_styles=[{{path: '{files['rings']}'}}]")
    plain = objective.build(
        transfer.objective_of(unguided), network, pictures.read(unguided).at(1.0)
    )
    x = np.random.default_rng(0).uniform(-90, 90, (1, *pictures.read(settings).shape_at(1.0), 3))
    assert loss.value_and_grad(x)[0].total == pytest.approx(
        plain.value_and_grad(x)[0].total, rel=1e-6
    )


@pytest.mark.parametrize("size", ["own", "content", "content_width"])
def test_a_finished_run_gives_its_style_at_the_size_it_had(run, composed, tmp_path, size):
    given = (f"style.size={size}", "style.scale=1.5", "optimizer.max_evaluations=1")
    run(tmp_path, *given)
    used = pictures.read(composed(*given)).at(1.0).styles[0].rgb
    assert runs.Run(tmp_path).picture("style").shape == used.shape


def test_a_copy_of_the_painting_has_the_patches_that_the_painting_lacks(composed, inputs, tmp_path):
    """The painting is the photograph on its side: its copy, turned back, is the photograph."""
    rgb = images.read(inputs["content"])
    values = []
    for copies in ("[]", "[{turn_deg: 90}]"):
        settings = composed(
            "objective.style_statistic=patches", f"objective.copies={copies}", "image.size_px=null"
        )
        network = transfer.network_of(settings)
        sized = pictures.Pictures(
            rgb, (pictures.Painting(np.rot90(rgb, -1)),), None, {}, settings.image, "own"
        ).at(1.0)
        loss = objective.build(transfer.objective_of(settings), network, sized)
        values.append(loss.value_and_grad(network.image(rgb))[0].per_layer["style/relu1_1"])
    without, with_copy = values
    # Some patches are multiples of others, which no angle tells apart.
    assert 0 <= with_copy < 1e-6 * without
