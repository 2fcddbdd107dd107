"""The features of an image on their way through the network: whole layers, or some rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stn.backend import Tensor, tf
from stn.layers import COLORS
from stn.loss import losses
from stn.loss.statistics import Context, Statistic
from stn.network import checkpointing, vgg
from stn.network.network import Network
from stn.network.vgg import Options
from stn.objective.specification import Formula

# Takes features [1, h, w, N] and gives [n, N], those at positions; or of some rows, by `first`, the
# number of the first, and `height`, how many the layer has, what they add to it.
Samples = Callable[..., Tensor]


def nowhere() -> Tensor:
    """No positions of hypercolumns, [1, 0, 2]."""
    return tf.zeros((1, 0, 2))


def black(network: Network) -> Tensor:
    """What the network takes for black [3]."""
    return tf.constant(network.limits[0], tf.float32)


def colors(image: Tensor, black: Tensor) -> Tensor:
    """Red, green and blue of an image, [1, h, w, 3], in 0-1."""
    return (image - black) / 255


def context_of(
    formula: Formula,
    statistic: Statistic,
    directions: Tensor | None,
    T: Tensor | None,
    before: Sequence[Tensor],
) -> Context:
    """What a statistic may use at a layer, with what is drawn there, a guide T [h, w], and what a
    layer before handed on.
    """
    return Context(
        formula.gram_divisor,
        formula.activation_shift,
        T,
        before[0] if before and statistic.hands_on is not None else None,
        directions,
        formula.shifts,
    )


def kernels_of(network: Network, layers: Iterable[str]) -> vgg.Kernels:
    """The kernels that the features at `layers` are made by."""
    return vgg.up_to(network.kernels, [layer for layer in layers if layer != COLORS])


def of_image(
    options: Options,
    image: Tensor,
    kernels: vgg.Kernels,
    layers: Iterable[str],
    hook: Callable[[str, Tensor], Tensor],
    shares: Mapping[str, checkpointing.Share],
) -> dict[str, list[Tensor]]:
    """Call `hook` with the features of each layer. Layers that are computed by rows are never
    whole: the sums of their `shares` are returned instead.
    """
    layers = [layer for layer in layers if layer != COLORS]
    if options.gradient_checkpointing:
        return checkpointing.features(image, kernels, layers, options, hook, shares)
    vgg.features(image, kernels, layers, options, hook)
    return {}


def share(
    formula: Formula,
    asked: Sequence[tuple[Statistic, Tensor | None]],
    samples: Samples | None = None,
) -> checkpointing.Share:
    """What some rows of a layer add to statistics, each with a guide or None; and the last, where
    there are `samples`, to them.
    """

    def share(F: Tensor, first: int, height: int) -> list[Tensor]:
        sums = [_gram_of_rows(formula, statistic, F, T, first, height) for statistic, T in asked]
        return sums if samples is None else [*sums, samples(F, first=first, height=height)]

    return share


def _gram_of_rows(
    formula: Formula, statistic: Statistic, F: Tensor, T: Tensor | None, first: int, height: int
) -> Tensor:
    assert statistic.gram_features is not None
    _, rows, width, _ = F.shape
    guided, M = T is not None, height * width

    divisor = statistic.divisor(formula.gram_divisor)

    @tf.custom_gradient
    def gram(X: Tensor) -> tuple[Tensor, Any]:
        G = losses.gram(X, divisor, guided, M)
        return G, lambda dG: losses.gram_gradient(X, dG, divisor, guided, M)

    T = tf.slice(T, (first, 0), (rows, width)) if guided else None
    context = Context(formula.gram_divisor, formula.activation_shift, T)
    return gram(statistic.gram_features(F, context))
