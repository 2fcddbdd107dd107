"""Trade-off curves of α/β sweeps: a style measure over a content measure, compared at equal x.

A sweep of α/β is no single result: a larger style weight lowers the distance to the painting and
raises the one to the photograph. So its points become a curve, and curves are compared over the x
that all of them reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stn.errors import InputError

if TYPE_CHECKING:
    import scipy.interpolate

FEWEST = 3  # points of a curve: any line goes through two


@dataclass(frozen=True)
class Curve:
    """Points in the order of x, no x twice; between them the monotone cubic of Fritsch & Carlson
    1980 (PCHIP).

    It goes through every point, and rises and falls only where they do. With `log_y` it
    interpolates log y."""

    x: np.ndarray
    y: np.ndarray
    log_y: bool = False

    def at(self, x: float | np.ndarray) -> np.ndarray:
        """The y at any x, of its shape; NaN beyond the ends, since nothing is known there."""
        found = self._curve()(x)
        return np.exp(found) if self.log_y else found

    def _curve(self) -> scipy.interpolate.PchipInterpolator:
        import scipy.interpolate  # a quarter of a second, which a command's --help need not take

        y = np.log(self.y) if self.log_y else self.y
        return scipy.interpolate.PchipInterpolator(self.x, y, extrapolate=False)


def curve(x: Sequence[float], y: Sequence[float], log_y: bool = False) -> Curve:
    """The curve through points (x, y) in any order.

    Points with equal x become their mean; NaN and infinity are left out.

    Raises InputError for fewer than FEWEST points, and for a y of zero or less that has no
    logarithm."""
    xs, ys = np.array(x, float), np.array(y, float)
    finite = np.isfinite(xs) & np.isfinite(ys)
    xs, ys = xs[finite], ys[finite]
    if log_y and (ys <= 0).any():
        raise InputError(f"a curve's y of {ys.min():g} has no logarithm; draw that axis linearly")
    distinct, place = np.unique(xs, return_inverse=True)
    if len(distinct) < FEWEST:
        raise InputError(
            f"a trade-off curve needs {FEWEST} points of different x, and there are"
            f" {len(distinct)}; sweep more values"
        )
    means = np.bincount(place, np.log(ys) if log_y else ys) / np.bincount(place)
    return Curve(distinct, np.exp(means) if log_y else means, log_y)


def common_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """The least and the largest x that all curves reach; InputError if there are none."""
    low, high = max(each.x[0] for each in curves), min(each.x[-1] for each in curves)
    if low >= high:
        raise InputError(
            f"curves with no x in common ({low:.3g} is above {high:.3g}); sweep a wider range"
        )
    return float(low), float(high)


def gap(one: Curve, other: Curve) -> float:
    """The area between two curves over the width of their common range: the mean of one.y −
    other.y.

    Where y is logarithmic, of both, it is the mean of log(one.y / other.y), so that `exp` gives a
    factor. Raises InputError where `common_range` does."""
    low, high = common_range([one, other])
    areas = [float(each._curve().integrate(low, high)) for each in (one, other)]
    return (areas[0] - areas[1]) / (high - low)


def nearest(values: Sequence[float], x: float) -> int:
    """Which of the values lies nearest to x."""
    return int(np.argmin(np.abs(np.array(values) - x)))


def matched(sweeps: Sequence[Sequence[float]]) -> float:
    """The x at which pictures compare best: where the sweep whose nearest point is farthest away
    has it nearest.

    Given are the x of each sweep's points. Looked for is in the middle third of what all reach, in
    a hundred steps: at the ends everything is one photograph, or one painting. Of sweeps that do
    not meet it lies between them: print the x of each picture with it."""
    every = [np.array(values) for values in sweeps]
    low, high = max(values.min() for values in every), min(values.max() for values in every)
    third = (high - low) / 3
    candidates = np.linspace(low + third, high - third, 101)
    farthest = [max(np.abs(values - x).min() for values in every) for x in candidates]
    return float(candidates[int(np.argmin(farthest))])
