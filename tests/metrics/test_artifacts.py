"""Checkers and isolated pixels, counted by hand."""

import numpy as np
import pytest

from stn.metrics import artifacts


def test_a_checkerboard_has_its_own_amplitude() -> None:
    y, x = np.mgrid[:6, :7]
    rgb = 100 + 8.0 * (-1) ** (y + x)[:, :, None] * np.ones(3)
    assert artifacts.checkerboard(rgb) == pytest.approx(8)
    # In one channel of three: 8 / √3.
    rgb[..., 1:] = 100
    assert artifacts.checkerboard(rgb) == pytest.approx(8 / np.sqrt(3))


def test_one_pixel_of_nine_by_hand() -> None:
    rgb = np.zeros((3, 3, 3))
    rgb[1, 1] = 12  # each of the four blocks has ±12 / 4 = ±3
    assert artifacts.checkerboard(rgb) == pytest.approx(3)
    rgb[1, 1], rgb[0, 0] = 0, 12  # one block of four has 3, the others 0
    assert artifacts.checkerboard(rgb) == pytest.approx(1.5)


def test_rows_columns_and_slopes_are_no_checkers() -> None:
    y, x = np.mgrid[:5, :6].astype(float)
    for plane in (200 * (y % 2), 200 * (x % 2), 3 * x + 5 * y):
        assert artifacts.checkerboard(plane[:, :, None] * np.ones(3)) == 0
    assert artifacts.checkerboard(np.ones((1, 6, 3))) == 0


def test_pixels_above_or_below_all_eight_neighbors_are_counted() -> None:
    rgb = np.full((7, 9, 3), 100.0)
    rgb[2, 2, 1] = 133  # 33 above, in one channel
    rgb[2, 6] = 67  # 33 below, in all three: one pixel
    rgb[4, 4, 0] = 132  # 32 is not more than 32
    rgb[0, 4] = 255  # at the rim
    assert artifacts.isolated_pixels(rgb) == 2
    rgb[3, 3, 1] = 110  # a neighbor 23 below the first: no longer alone
    assert artifacts.isolated_pixels(rgb) == 1


def test_a_pair_a_line_and_bytes() -> None:
    rgb = np.full((8, 8, 3), 10, np.uint8)
    rgb[3, 3:5] = 200  # 10 less 200 would be 66
    rgb[5:, 6] = 200
    assert artifacts.isolated_pixels(rgb) == 0
    rgb[3, 4] = 10  # bytes, whose differences would wrap
    assert artifacts.isolated_pixels(rgb) == 1
    y, x = np.mgrid[:4, :4]
    checkers = (255 * ((y + x) % 2)).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    assert artifacts.checkerboard(checkers) == pytest.approx(127.5)
