"""Whether a difference is more than chance: effects over pairs of pictures, intervals, p values.

The unit is a pair of a photograph and a painting; seeds are repetitions within it. Where
photographs and paintings are crossed, both count as random: others would give other numbers.
H. Clark 1973, The language-as-fixed-effect fallacy (J. Verbal Learning and Verbal Behavior 12)."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# With five pairs of one sign the two-sided sign test gives 2/2⁵ = 0.06; with six, 0.03.
FEWEST_PAIRS = 6
LEVEL = 0.05
RESAMPLES, SEED = 9999, 0  # as many as scipy.stats.bootstrap takes by default
Pair = tuple[str, str]  # photograph, painting
FEW = (
    f"With fewer than {FEWEST_PAIRS} pairs of pictures nothing is bold: even if all had one sign,"
    " chance would do the same more often than one time in twenty."
)


@dataclass(frozen=True)
class Effect:
    """A mean difference over pairs, its 95 % interval, and p values: raw, and for its family.

    Ends and p are NaN where a single picture leaves the variation unknown."""

    mean: float
    low: float
    high: float
    pairs: int
    p: float
    adjusted: float = math.nan

    @property
    def found(self) -> bool:
        """Whether it stands out: enough pairs, and an adjusted p below LEVEL."""
        return self.pairs >= FEWEST_PAIRS and self.adjusted < LEVEL


def effect(values: Mapping[Pair, Sequence[float]]) -> Effect | None:
    """The effect from one difference a repetition of each pair; None without a finite one."""
    means = {
        pair: float(np.mean(finite))
        for pair, several in values.items()
        if (finite := [value for value in several if math.isfinite(value)])
    }
    if not means:
        return None
    d = _grid(means)
    if d is None:
        return _of_units(_units(means), len(means))
    return _of_crossing(d)


def adjust(several: Sequence[Effect], primary: Sequence[bool]) -> list[Effect]:
    """The effects with adjusted p values: Holm 1979 among the `primary` ones, Benjamini & Hochberg
    1995 among the others.
    """
    import scipy.stats  # a quarter of a second, which a command's --help need not take

    p, first = np.array([each.p for each in several]), np.array(primary, bool)
    adjusted = np.full(len(p), math.nan)
    for family, of in ((first, _holm), (~first, scipy.stats.false_discovery_control)):
        known = family & np.isfinite(p)
        if known.any():
            adjusted[known] = of(p[known])
    return [
        dataclasses.replace(each, adjusted=float(value))
        for each, value in zip(several, adjusted, strict=True)
    ]


def _holm(p: np.ndarray) -> np.ndarray:
    order, found = np.argsort(p), np.zeros(len(p))
    found[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return found


def _grid(means: Mapping[Pair, float]) -> np.ndarray | None:
    """The differences [photographs, paintings] if both were crossed, else None.

    A photograph that lacks a painting is left out."""
    paintings = sorted({painting for _, painting in means})
    rows = [
        [means.get((photograph, painting), math.nan) for painting in paintings]
        for photograph in sorted({photograph for photograph, _ in means})
    ]
    d = np.array([row for row in rows if not np.isnan(row).any()])
    return d if d.ndim == 2 and min(d.shape) > 1 else None


def _units(means: Mapping[Pair, float]) -> np.ndarray:
    """A mean for each independent unit: each photograph, or each painting if they are fewer than
    the pairs and one photograph is all there is.
    """
    photographs = {photograph for photograph, _ in means}
    side = 0 if len(photographs) > 1 else 1
    found: dict[str, list[float]] = {}
    for pair, value in means.items():
        found.setdefault(pair[side], []).append(value)
    return np.array([np.mean(several) for several in found.values()])


def _of_units(d: np.ndarray, pairs: int) -> Effect:
    """Student's t over independent units; the interval resamples them."""
    import scipy.stats

    n, mean = len(d), float(d.mean())
    if n < 2:
        return Effect(mean, math.nan, math.nan, pairs, math.nan)
    p = float(scipy.stats.ttest_1samp(d, 0).pvalue) if np.ptp(d) else float(mean == 0)
    drawn = _resampled([d - mean], [math.sqrt(n / (n - 1))], [n])
    return Effect(mean, *_ends(mean + drawn, n - 1), pairs, p)


def _of_crossing(d: np.ndarray) -> Effect:
    """The mean of a grid [photographs, paintings] with both as random effects.

    p is that of Clark's min F′ = MS(mean) / (MS(photographs) + MS(paintings)). The interval
    resamples photographs', paintings' and remaining effects, each scaled to its estimated variance
    (Carpenter, Goldstein & Rasbash 2003, Applied Statistics 52, section 3.2)."""
    import scipy.stats

    rows, columns = d.shape
    mean = float(d.mean())
    a, b = d.mean(axis=1) - mean, d.mean(axis=0) - mean
    rest = (d - mean - a[:, None] - b[None, :]).ravel()
    freedom = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    squares = np.array([columns * (a @ a), rows * (b @ b), rest @ rest]) / freedom
    both = squares[0] + squares[1]
    p = float(mean == 0)
    if both > 0:
        f = rows * columns * mean**2 / both
        p = float(scipy.stats.f.sf(f, 1, both**2 / (squares[:2] ** 2 / freedom[:2]).sum()))
    variances = np.maximum(
        0, [(squares[0] - squares[2]) / columns, (squares[1] - squares[2]) / rows, squares[2]]
    )
    effects = [a, b, rest]
    scales = [
        math.sqrt(variance / np.mean(each**2)) if each.any() else 0.0
        for variance, each in zip(variances, effects, strict=True)
    ]
    drawn = _resampled(effects, scales, [rows, columns, rest.size])
    parts = variances / [rows, columns, rest.size]
    total = parts.sum()
    df = total**2 / (parts**2 / freedom).sum() if total else 1.0
    return Effect(mean, *_ends(mean + drawn, df), d.size, p)


def _resampled(
    effects: Sequence[np.ndarray], scales: Sequence[float], counts: Sequence[int]
) -> np.ndarray:
    """RESAMPLES sums of means, each of as many draws from its effects as there are."""
    rng = np.random.default_rng(SEED)
    return sum(
        (
            scale * rng.choice(each, (RESAMPLES, count)).mean(axis=1)
            for each, scale, count in zip(effects, scales, counts, strict=True)
        ),
        np.zeros(RESAMPLES),
    )


def _ends(drawn: np.ndarray, freedom: float) -> tuple[float, float]:
    """The ends of the percentile interval, widened from the normal to Student's t as few units
    need (Hesterberg 2015, The American Statistician 69, section 5.2).
    """
    import scipy.stats

    beyond = float(scipy.stats.norm.cdf(scipy.stats.t.ppf(LEVEL / 2, freedom)))
    low, high = np.quantile(drawn, [beyond, 1 - beyond])
    return float(low), float(high)
