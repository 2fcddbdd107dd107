"""Masks from gray pictures, resized, and where several overlap."""

import numpy as np
import pytest

from stn.errors import InputError
from stn.images import masks


def blob(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width))
    mask[rows, columns] = 1
    return mask


def test_a_resized_mask_keeps_soft_edges_and_what_adds_up_to_one() -> None:
    ramp = (np.arange(50)[None] + 1) / 50 * np.ones((30, 1))
    for height, width in ((15, 25), (8, 13), (60, 100)):
        small, rest = masks.resize(ramp, height, width), masks.resize(1 - ramp, height, width)
        np.testing.assert_allclose(small + rest, 1, atol=1e-12)
        assert (np.diff(small, axis=1) >= -1e-12).all() and 0.4 < small.mean() < 0.6


def test_a_mask_is_read_from_gray_with_its_transparency():
    levels = np.array([[0.0, 51, 255]])
    rgb = np.repeat(levels[..., None], 3, axis=-1)
    np.testing.assert_allclose(
        masks.from_picture(rgb, "style.mask=m.png"), [[0, 0.2, 1]], rtol=1e-12
    )
    opacity = np.array([[1, 0.5, 0]])
    np.testing.assert_allclose(masks.from_picture(rgb, "m", opacity), [[0, 0.1, 0]], atol=1e-12)


@pytest.mark.parametrize(
    "rgb, opacity, reason",
    [
        (np.zeros((4, 5, 3)), None, "black everywhere"),
        (np.full((4, 5, 3), 255.0), np.zeros((4, 5)), "black everywhere"),
        (np.full((4, 5, 3), 255.0) * [1, 0, 0], None, "has colors"),
    ],
)
def test_a_mask_that_covers_nothing_or_has_colors_is_refused_by_its_name(rgb, opacity, reason):
    with pytest.raises(InputError, match=rf"^more_styles\[1\].result_mask=sky.png: .*{reason}"):
        masks.from_picture(rgb, "more_styles[1].result_mask=sky.png", opacity)


def test_overlaps_and_gaps_are_said_in_one_line():
    left, right = blob(10, 20, slice(None), slice(0, 12)), blob(10, 20, slice(None), slice(10, 17))
    said = masks.coverage({"style.result_mask": left, "more_styles[0].result_mask": right})
    assert (
        said
        == "style.result_mask, more_styles[0].result_mask: overlap on 10% and leave out 15% of the"
        " picture"
    )
    assert masks.coverage({"a": left, "b": 1 - left}) == ""
    assert masks.coverage({"a": left * 0.98, "b": 1 - left}) == ""
    assert (
        masks.coverage({"a": left, "b": 0.5 * (1 - left)}) == "a, b: leave out 40% of the picture"
    )
