"""The VGG graph, built by hand: a tuple of layer names and a loop."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from stn.assets.weights import Layer, Weights
from stn.backend import Tensor, tf
from stn.layers import LAYERS, TRUNKS, depth_of
from stn.network import convolution, winograd

# {"conv1_1": (kernel of `convolution.convolve`, bias [out]), ...}: what a compiled function takes
# as its input.
Kernels = Mapping[str, tuple[Tensor, Tensor]]
# Where Winograd's algorithm beats the direct sum both ways (docs/science/benchmark.md); ours.
WINOGRAD_CHANNELS = 128


class Options(NamedTuple):
    """What published programs do differently with the same weights.

    `pooling` is "avg" or "max", 2 × 2 with stride 2, over real pixels only. Of an odd side n it
    makes ceil(n / 2) with `ceil_mode`, as MatConvNet's and Caffe's imports, and else floor(n / 2),
    as PyTorch and Keras. `border` is what convolutions see beyond the picture
    (`convolution.convolve`, `border_at`); most published systems have zeros. With
    `gradient_checkpointing` large blocks are computed by rows, to save memory
    (`checkpointing.features`)."""

    pooling: str = "max"
    ceil_mode: bool = True
    border: str = "zero"
    gradient_checkpointing: bool = False


AS_DEFAULT = Options()


class Convolutions(Mapping[str, tuple[Tensor, Tensor]]):
    """Kernel and bias by layer name, each made when it is first asked for.

    So layers above the deepest that a run looks at take no memory: the last three of VGG-19 take
    113 MB for `winograd`."""

    def __init__(self, make: Mapping[str, Callable[[], tuple[Tensor, Tensor]]]) -> None:
        self._names, self._make = tuple(make), dict(make)
        self._made: dict[str, tuple[Tensor, Tensor]] = {}

    def __getitem__(self, name: str) -> tuple[Tensor, Tensor]:
        if name not in self._made:
            with tf.init_scope():  # also where a graph that is being traced asks
                self._made[name] = self._make[name]()
            self._make.pop(name, None)  # and with it what it is made of
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def kernels(weights: Weights, method: str = "direct", operation: str = "conv2d") -> Convolutions:
    """The trunk's convolutions by layer name: a kernel [3, 3, in, out], or as `method` and
    `operation` need it, and a bias [out], both float32.

    `method` is how they will be computed: "direct", or "winograd" from WINOGRAD_CHANNELS in and out
    on. `operation` is what makes direct ones (`convolution.OPERATIONS`)."""
    direct = convolution.OPERATIONS[operation]

    def made(layer: Layer) -> tuple[Tensor, Tensor]:
        fast = method == "winograd" and min(layer.kernel.shape[2:]) >= WINOGRAD_CHANNELS
        kernel = (
            winograd.transform_kernel(layer.kernel) if fast else direct(tf.constant(layer.kernel))
        )
        return kernel, tf.constant(layer.bias)

    trunk = [layer for layer in weights.layers if layer.name in LAYERS]
    return Convolutions({layer.name: functools.partial(made, layer) for layer in trunk})


def up_to(convolutions: Kernels, layers: Iterable[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Those that the features of `layers` are made by, as a compiled function takes them."""
    known = {*_trunk(convolutions)}
    names = [name for block in blocks(convolutions, known & {*layers}) for name in block]
    return {name: convolutions[name] for name in names if name in convolutions}


def features(
    image: Tensor,
    weights: Weights | Kernels,
    layers: Iterable[str],
    options: Options = AS_DEFAULT,
    hook: Callable[[str, Tensor], Tensor] | None = None,
    names: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Features {layer: [1, h, w, N]} of `image` [1, H, W, 3] (RGB, mean-subtracted) at the named
    layers.

    `hook(layer, features)` is called at each named layer, and what it returns goes on to the next.

    `conv*_*` is before the ReLU, `relu*_*` after it, `pool*` after the pooling. Computes nothing
    above the deepest layer asked for. With `names`, layers that follow each other, `image` is what
    reaches the first of them. Raises KeyError for a layer that these weights do not reach."""
    wanted = set(layers)
    found = dict(walk(image, weights, wanted, options, hook, names))
    missing = wanted - found.keys()
    if missing:
        raise KeyError(f"these weights do not reach {', '.join(sorted(missing))}")
    return found


def walk(
    image: Tensor,
    weights: Weights | Kernels,
    layers: Iterable[str],
    options: Options = AS_DEFAULT,
    hook: Callable[[str, Tensor], Tensor] | None = None,
    names: Sequence[str] = (),
) -> Iterator[tuple[str, Tensor]]:
    """Each of the `layers` that these weights reach and its features [1, h, w, N], one after the
    other: nothing else is kept. Arguments are those of `features`.
    """
    convolutions = kernels(weights) if isinstance(weights, Weights) else weights
    wanted = set(layers)
    x = tf.convert_to_tensor(image, tf.float32)
    for name in names or _trunk(convolutions):
        if not wanted:
            return
        kind = LAYERS[name].kind
        if kind == "conv":
            if name not in convolutions:
                return
            kernel, bias = convolutions[name]
            around = convolution.border_at(name, options.border)
            x = tf.nn.bias_add(convolution.convolve(x, kernel, around), bias)
        elif kind == "relu":
            x = tf.nn.relu(x) if name in wanted else _relu(x)
        else:
            x = pool(x, options)
        if name in wanted:
            wanted.remove(name)
            x = hook(name, x) if hook else x
            yield name, x


def blocks(convolutions: Kernels, layers: Iterable[str]) -> list[list[str]]:
    """The names up to the deepest of `layers`, each list but the last ending with a pooling."""
    names = list(_trunk(convolutions))
    found: list[list[str]] = [[]]
    for name in names[: max((names.index(layer) + 1 for layer in layers), default=0)]:
        if found[-1] and LAYERS[found[-1][-1]].kind == "pool":
            found.append([])
        found[-1].append(name)
    return found if found[0] else []


def pool(x: Tensor, options: Options) -> Tensor:
    """2 × 2 pooling of x [1, h, w, N] with stride 2, as `Options` describes it."""
    function = {"avg": tf.nn.avg_pool2d, "max": tf.nn.max_pool2d}[options.pooling]
    return function(x, ksize=2, strides=2, padding="SAME" if options.ceil_mode else "VALID")


def _trunk(convolutions: Kernels) -> tuple[str, ...]:
    return TRUNKS[depth_of(convolutions)]


def _relu(x: Tensor) -> Tensor:
    """The ReLU, whose gradient keeps one byte a number where TensorFlow's keeps four."""

    @tf.custom_gradient  # here, so that importing this module does not import TensorFlow
    def relu(x: Tensor) -> tuple[Tensor, Tensor]:
        y = tf.nn.relu(x)
        positive = y > 0
        return y, lambda dy: tf.where(positive, dy, 0.0)

    return relu(x)
