"""The optimizers that can be chosen: what each is told and what it keeps.

`stn/optimize` has the functions, under the same names."""

import dataclasses
from dataclasses import dataclass

from omegaconf import MISSING

from stn.config.fields import key, number, one_of

NAME = "Which optimizer."


@dataclass
class Optimizer:
    """What every optimizer is told."""

    name: str = key(MISSING, help=NAME)
    max_evaluations: int = number(
        500, above=0, help="Budget at full size; the initial image's evaluation counts."
    )
    tolerance: float = number(
        0.0,
        least=0,
        below=1,
        help="Early stopping: the share by which 50 evaluations must lower the loss; 0: off.",
    )
    bounds: bool = key(False, help="Keeps pixels in 0-255.")


@dataclass
class Stepwise(Optimizer):
    """What an optimizer without a line search is told: each evaluation is at an image of its own
    right, so that another than the best may be the result.
    """

    result: str = one_of(
        "best",
        ("best", "last", "average"),
        help="Which image comes out: of the lowest loss, the last, or a mean of the late ones.",
    )


@dataclass
class LBFGS(Optimizer):
    """What every L-BFGS is told."""

    history: int = number(10, above=0, help="Pairs of steps and gradients that L-BFGS remembers.")


@dataclass
class ScipyLBFGS(LBFGS):
    """SciPy's L-BFGS-B."""

    name: str = one_of("lbfgs", ("lbfgs",), help=NAME)
    ftol: float = number(0.0, least=0, help="SciPy's test of the relative fall; 0: off.")
    gtol: float = number(0.0, least=0, help="SciPy's test of the gradient; 0: off.")
    restart_every: int | None = number(
        None,
        above=1,
        unit="evaluations",
        help="After how many SciPy's L-BFGS forgets its pairs; `null`: never.",
    )
    clip_restarts: bool = key(False, help="Clips pixels to 0-255 whenever it starts anew.")


@dataclass
class TorchLBFGS(LBFGS, Stepwise):
    """L-BFGS without a line search, as torch.optim.LBFGS."""

    name: str = one_of("torch_lbfgs", ("torch_lbfgs",), help=NAME)


@dataclass
class SpectralLBFGS(LBFGS, Stepwise):
    """L-BFGS without a line search, with a step length for each band of frequencies."""

    name: str = one_of("spectral_lbfgs", ("spectral_lbfgs",), help=NAME)


@dataclass
class FirstOrder(Stepwise):
    """What an optimizer with a learning rate is told."""

    learning_rate: float = number(
        1.0, above=0, unit="`image.pixel_unit`", help="The step, before the rate decays."
    )
    epsilon: float = number(1e-8, least=0, help="Added to the root of the mean square.")
    laplacian_levels: int = number(
        0, least=0, help="Of a Laplacian pyramid whose numbers are the variables; 0: pixels are."
    )
    laplacian_corners: bool = key(
        True, help="Its levels are enlarged corner on corner; `false`: by the centers of pixels."
    )


@dataclass
class RMSprop(FirstOrder):
    """RMSprop, without momentum."""

    name: str = one_of("rmsprop", ("rmsprop",), help=NAME)
    rho: float = number(0.99, least=0, below=1, help="RMSprop's decay of the mean square.")


@dataclass
class Adam(FirstOrder):
    """Adam."""

    name: str = one_of("adam", ("adam",), help=NAME)
    beta1: float = number(0.9, least=0, below=1, help="Adam's decay of the mean gradient.")
    beta2: float = number(0.999, least=0, below=1, help="Adam's decay of the mean square.")
    decay_rate: float = number(
        1.0, above=0, help="Adam's rate is multiplied by it every `optimizer.decay_every` steps."
    )
    decay_every: int = number(1, above=0, unit="steps", help="See `optimizer.decay_rate`.")
    keep_over_levels: bool = key(
        False,
        help="A level of a pyramid starts with what Adam learned at the one before, enlarged.",
    )


@dataclass(frozen=True)
class Choice:
    """An optimizer: the class of its settings, and what the rest of a run has to know of it."""

    settings: type[Optimizer]
    # Of a number in a pair of images that it remembers for each evaluation: two of float64 in
    # SciPy's memory, two of float32 in ours. Adam remembers none.
    pair_bytes: int
    # The most evaluations of a line search and the step after it, which compare losses; 0: none.
    line_search: int = 0


OPTIMIZERS = {
    # Its maxls is 20, and one evaluation is the start.
    "lbfgs": Choice(ScipyLBFGS, pair_bytes=16, line_search=21),
    "torch_lbfgs": Choice(TorchLBFGS, pair_bytes=8),
    "spectral_lbfgs": Choice(SpectralLBFGS, pair_bytes=8),
    "adam": Choice(Adam, pair_bytes=0),
    "rmsprop": Choice(RMSprop, pair_bytes=0),
}


def keys(name: str) -> list[str]:
    """The keys of an optimizer, such as `history`."""
    return [each.name for each in dataclasses.fields(OPTIMIZERS[name].settings)]


def having(key: str) -> tuple[str, ...]:
    """The optimizers that have a key."""
    return tuple(name for name in OPTIMIZERS if key in keys(name))


def _all() -> type[Optimizer]:
    """A class with the keys of all optimizers, for composing. A preset may list those of one that
    is not its own, such as the rate at which its program runs Adam. They count if that one is
    chosen.
    """
    found = {}
    for choice in OPTIMIZERS.values():
        for each in dataclasses.fields(choice.settings):
            copied = dataclasses.field(default=each.default, metadata=each.metadata)
            found[each.name] = (each.name, each.type, copied)
    found["name"] = ("name", str, one_of(MISSING, OPTIMIZERS, help=NAME))
    made: type[Optimizer] = dataclasses.make_dataclass(
        "AnyOptimizer", found.values(), bases=(Optimizer,)
    )
    return made


AnyOptimizer = _all()


def chosen(composed: Optimizer) -> Optimizer:
    """Of the keys of all optimizers those of the one that is named."""
    own = {each: getattr(composed, each) for each in keys(composed.name)}
    return OPTIMIZERS[composed.name].settings(**own)
