"""Color against the numbers of an independent float64 script, of the programs' own matrices, and
closed forms.
"""

import warnings

import numpy as np
import oracle_controls as oracle
import pytest
import scipy.stats
import skimage.color

from stn.errors import InputError
from stn.images import color


def wave(function, base: float, size: float, pitch: float, h: int, w: int) -> np.ndarray:
    """Inputs of the golden numbers, on 0-255: p is the pixel's index row by row, c the channel."""
    p, c = np.mgrid[: h * w, :3]
    return 255 * (base + size * function(pitch * (c + 1) * p + c)).reshape(h, w, 3)


C = wave(np.sin, 0.5, 0.2, 0.37, 5, 7)  # the content
S = wave(np.cos, 0.5, 0.15, 0.21, 6, 8)  # the style
RESULT, CONTENT = np.array([[[200.0, 30, 90]]]), np.array([[[60.0, 180, 120]]])
GRAY = np.repeat(S[..., :1], 3, axis=-1)
FLAT = np.full((4, 3, 3), 255 / 3)


def moments(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    colors = rgb.reshape(-1, 3)
    deviations = colors - colors.mean(axis=0)
    return colors.mean(axis=0), deviations.T @ deviations / len(colors)


MAPS = {
    "chol": [
        1.2808985816,
        0,
        0,
        0.2860237229,
        1.4068333497,
        0,
        0.1979138988,
        0.3589980517,
        1.3663421785,
    ],
    "pca": [
        *(1.3114738489, 0.1580411507, 0.0836831877, 0.1631232657, 1.4247068192),
        *(0.1705858158, 0.0890696984, 0.172400267, 1.3602956812),
    ],
    "sym": [
        *(1.3119031962, 0.1607556665, 0.086411077, 0.1607556665, 1.4244802682),
        *(0.1712385408, 0.086411077, 0.1712385408, 1.3600626563),
    ],
}
EXACT = {
    "chol": ([0.7001586226, 0.6621140905, 0.4831176822], 0.268112874),
    "pca": ([0.7125531012, 0.634128241, 0.451565252], 0.224060431),
    "sym": ([0.7126737552, 0.6337011645, 0.4510710161], 0.224050870),
}
WITH_EPS = {
    "chol": (1.2806873227, [0.700125617, 0.6620352547, 0.483056911], 0.267596),
    "pca": (1.311197069, [0.7125010245, 0.6340753896, 0.4515481493], 0.223641),
    "sym": (1.3116252217, [0.7126213826, 0.633649054, 0.4510548061], 0.223632),
}


@pytest.mark.parametrize("mode", EXACT)
def test_match_without_eps_is_exact(mode):
    first, squares = EXACT[mode]
    matched = color.match(S, C, mode, eps=0, clip=False)
    for found, expected in zip(moments(matched), moments(C), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(matched[0, 0] / 255, first, atol=1e-9)
    assert ((matched - S) ** 2).sum() / 255**2 == pytest.approx(squares, abs=1e-8)
    assert matched.sum() / 255 == pytest.approx(72.49801258770742, rel=1e-13)
    np.testing.assert_allclose(color.color_map(S, C, mode, eps=0)[0].ravel(), MAPS[mode], atol=1e-9)


@pytest.mark.parametrize("mode", WITH_EPS)
def test_match_with_the_authors_eps(mode):
    corner, first, squares = WITH_EPS[mode]
    matched = color.match(S, C, mode)
    assert color.color_map(S, C, mode)[0][0, 0] == pytest.approx(corner, abs=1e-9)
    np.testing.assert_allclose(matched[0, 0] / 255, first, atol=1e-9)
    assert ((matched - S) ** 2).sum() / 255**2 == pytest.approx(squares, abs=1e-6)


def test_eps_leaves_the_covariance_wrong_by_about_itself():
    error = np.abs(moments(color.match(S, C, "chol", clip=False))[1] - moments(C)[1]).max() / 255**2
    assert error == pytest.approx(1.06e-5, abs=1e-7)


@pytest.mark.parametrize("mode", EXACT)
def test_match_of_a_picture_to_itself_is_itself(mode):
    np.testing.assert_allclose(color.match(S, S, mode), S, atol=1e-9)


def test_match_is_clipped_after():
    bright = np.clip(3 * C - 200, 0, 255)
    loose, clipped = color.match(S, bright, clip=False), color.match(S, bright)
    assert loose.max() > 255
    np.testing.assert_array_equal(clipped, np.clip(loose, 0, 255))


@pytest.mark.parametrize("mode", EXACT)
@pytest.mark.parametrize(
    "source, target", [(GRAY, C), (S, GRAY), (FLAT, C), (S, FLAT), (FLAT, FLAT)]
)
def test_gray_and_constant_pictures_are_matched_through_eps(mode, source, target):
    matched = color.match(source, target, mode, clip=False)
    np.testing.assert_allclose(moments(matched)[0], moments(target)[0], atol=1e-9)
    spread = moments(matched)[1] - moments(target)[1]
    assert np.linalg.eigvalsh(spread).max() < 1.1 * color.EPS  # never more than the target's


@pytest.mark.parametrize("mode", EXACT)
def test_a_gray_picture_without_eps_is_refused_with_the_reason(mode):
    with pytest.raises(InputError, match="gray or of few colors"):
        color.match(GRAY, C, mode, eps=0)


def test_luma_of_equation_10_and_of_the_authors_code():
    for rgb, mean, deviation in (
        (C, 0.5035647111562536, 0.09534828247993571),
        (S, 0.4985169857157757, 0.0609202474709191),
    ):
        assert color.luma(rgb).mean() / 255 == pytest.approx(mean, rel=1e-12)
        assert color.luma(rgb).std() / 255 == pytest.approx(deviation, rel=1e-12)
    both, mean_only = (color.match_luma(S, C, mode) / 255 for mode in ("mean_std", "mean"))
    for matched in (both, mean_only):
        np.testing.assert_array_equal(matched[..., 0], matched[..., 1])
        np.testing.assert_array_equal(matched[..., 0], matched[..., 2])
    np.testing.assert_allclose(both[0, :3, 0], [0.63940341, 0.5719053565, 0.5067523666], atol=1e-9)
    assert both[..., 0].sum() == pytest.approx(24.171106135500175, rel=1e-12)
    np.testing.assert_allclose(
        mean_only[0, :3, 0], [0.5903552326, 0.5472291476, 0.5056013787], atol=1e-9
    )
    np.testing.assert_array_equal(color.match_luma(S, C, "none")[..., 2], color.luma(S))


def test_a_painting_of_one_luma_gets_the_mean():
    np.testing.assert_allclose(
        color.match_luma(FLAT, C, "mean_std"), color.luma(C).mean(), atol=1e-6
    )


@pytest.mark.parametrize(
    "space, expected, tolerance",
    [
        ("yuv", (10.39, 130.39, 70.39), 1e-9),
        ("lab", (0, 121.987, 67.311), 5e-4),
        ("luv", (0, 123.691, 61.343), 5e-4),
    ],
)
def test_swap_of_one_pixel(space, expected, tolerance):
    np.testing.assert_allclose(color.swap(RESULT, CONTENT, space)[0, 0], expected, atol=tolerance)


JOHNSON = (  # Torch's image.rgb2yuv and back, as neural_style.lua:442-446 uses them
    [[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]],
    [[1, 0, 1.13983], [1, -0.39465, -0.58060], [1, 2.03211, 0]],
    (10.3902, 130.3899, 70.3918),
)
PYSTICHE = (  # pystiche/papers, replication/gatys_et_al_2017
    [[0.299, 0.587, 0.114], [-0.147, -0.289, 0.436], [0.615, -0.515, -0.100]],
    [[1, 0, 1.140], [1, -0.395, -0.581], [1, 2.032, 0]],
    (10.378, 130.4272, 70.35736),
)
AUTHORS = (color.TO_YUV, color.FROM_YUV, (10.4458, 130.2883, 70.7398))


@pytest.mark.parametrize(
    "forward, back, expected, apart", [(*JOHNSON, 0.002), (*PYSTICHE, 0.04), (*AUTHORS, 0.35)]
)
def test_programs_matrices_come_to_the_closed_form_of_the_swap(forward, back, expected, apart):
    yuv = np.array(forward) @ CONTENT[0, 0]
    yuv[0] = np.array(forward[0]) @ RESULT[0, 0]
    swapped = np.array(back) @ yuv
    np.testing.assert_allclose(swapped, expected, atol=6e-5)
    np.testing.assert_allclose(color.swap(RESULT, CONTENT)[0, 0], swapped, atol=apart)


@pytest.mark.parametrize(
    "to_space", [skimage.color.rgb2yuv, skimage.color.rgb2yiq, skimage.color.rgb2ycbcr]
)
def test_the_closed_form_keeps_chroma_and_luminance_in_every_linear_space(to_space):
    result = 255 - S[:5, :7]
    swapped = to_space(color.swap(result, C) / 255)
    np.testing.assert_allclose(swapped[..., 0], to_space(result / 255)[..., 0], rtol=1e-3)
    np.testing.assert_allclose(swapped[..., 1:], to_space(C / 255)[..., 1:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("space", ["yuv", "lab", "luv"])
def test_swap_of_gray_black_and_equal_pictures(space):
    np.testing.assert_allclose(color.swap(C, C, space), C, atol=0.01)
    gray = color.gray(C)
    swapped = color.swap(255 - C, gray, space)
    np.testing.assert_allclose(
        swapped, swapped.mean(axis=-1, keepdims=True) + 0 * swapped, atol=0.05
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for result in (np.zeros_like(C), np.full_like(C, 255)):
            assert np.isfinite(color.swap(result, C, space)).all()


def test_chroma_is_restored_around_the_mean_of_the_channels():
    flat = np.full((1, 1, 3), 87.67)  # the luma of RESULT
    np.testing.assert_allclose(color.restore_chroma(flat, CONTENT)[0, 0], AUTHORS[2], atol=6e-5)
    tinted = flat + np.array([30, -20, -10])
    np.testing.assert_array_equal(
        color.restore_chroma(tinted, CONTENT), color.restore_chroma(flat, CONTENT)
    )
    assert color.restore_chroma(np.full((1, 1, 3), 250.0), CONTENT).max() == 255
    np.testing.assert_array_equal(CONTENT[0, 0], [60, 180, 120])  # what is given stays as it is


def test_histogram_golden():
    k = np.arange(48.0).reshape(6, 8, 1)
    matched = color.match_histogram(np.sin(0.37 * k), np.cos(0.21 * k))
    np.testing.assert_allclose(
        matched.ravel()[:3], [-0.139979855329, 0.28001272295, 0.640006361475], atol=1e-12
    )
    assert matched.sum() == pytest.approx(-0.6991394337771777, rel=1e-12)


def test_equal_values_share_the_mean_of_their_ranks():
    source = np.random.default_rng(0).integers(0, 7, (9, 8, 1)).astype(float)
    ramp = np.arange(1000.0).reshape(10, 100, 1)  # no bin is empty
    counts, edges = np.histogram(ramp, color.BINS)
    ranks = scipy.stats.rankdata(source).reshape(source.shape)
    expected = np.interp(ranks / source.size, np.append(0, np.cumsum(counts)) / ramp.size, edges)
    np.testing.assert_allclose(color.match_histogram(source, ramp), expected, rtol=1e-12)


def test_histograms_of_channels_are_matched_apart_and_order_is_kept():
    matched = color.match_histogram(S, C)
    for c in range(3):
        step = np.ptp(C[..., c]) / color.BINS
        np.testing.assert_allclose(
            np.quantile(matched[..., c], [0, 1]), np.quantile(C[..., c], [0, 1]), atol=10 * step
        )
        order = np.argsort(S[..., c], axis=None)
        assert (np.diff(matched[..., c].ravel()[order]) >= 0).all()
    np.testing.assert_allclose(color.match_histogram(S, FLAT), FLAT[0, 0, 0], atol=0.5)


def test_local_affine_maps_are_fitted_and_averaged_as_the_formula_says() -> None:
    y, x = np.mgrid[:18, :21]
    content = np.stack([100 + 2.0 * x, 90 + 3 * np.sin(x * y / 9), 120.0 + (y > 8) * 30], -1)
    result = 60 + 0.7 * content[..., ::-1] + 5 * np.sin(np.arange(18 * 21 * 3)).reshape(18, 21, 3)
    found = color.local_affine(result, content)
    np.testing.assert_allclose(found, oracle.local_affine(result, content), atol=2e-3)
    own_maps = color.local_affine(result, content, averaged=False)
    np.testing.assert_allclose(own_maps, oracle.local_affine(result, content, 0), atol=2e-3)
    own = color.local_affine(content, content)  # the identity, but for the ridge
    assert np.abs(own - content).max() < 3
    flat = np.full((6, 40, 3), 77.0)
    assert np.ptp(color.local_affine(flat * 1.5, flat)) < 1e-3


def test_oklab_has_the_numbers_of_its_program() -> None:
    """NNST's utils/colorization.py in float64, without its last lines, which do nothing."""
    found = color.to_oklab(RESULT)[0, 0]
    np.testing.assert_allclose(
        found, [0.6745985408142918, 0.17598575723797383, -0.02213690851078398], rtol=1e-12
    )
    np.testing.assert_allclose(color.from_oklab(color.to_oklab(C)), C, atol=1e-3)
    result = 255 * (0.5 + 0.4 * np.sin(0.5 * np.arange(105))).reshape(5, 7, 3)
    matched = color.match_oklab(result, C, S) / 255
    np.testing.assert_allclose(
        matched[0, 0], [0.5995657971859449, 0.6661012777336732, 0.5783096078683706], rtol=1e-10
    )
    assert matched.sum() == pytest.approx(53.524406407684396, rel=1e-12)


def test_oklab_of_a_gray_style_is_gray() -> None:
    """The content's hues have no part in it; the lightness has the style's mean and deviation."""
    shown = color.match_oklab(C, 255 - C, GRAY)
    assert np.ptp(shown, axis=-1).max() < 0.5
    np.testing.assert_array_equal(shown, color.match_oklab(C, C, GRAY))
    L, expected = (color.to_oklab(rgb)[..., 0] for rgb in (shown, GRAY))
    assert L.mean() == pytest.approx(expected.mean(), abs=0.01)
    assert L.std() == pytest.approx(expected.std(), rel=0.2)  # both are cut to one range
