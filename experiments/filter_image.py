"""What single channels respond to, from conv1_1 to conv5_3: eight a layer. python
experiments/filter_image.py

Each image maximizes the mean of one channel, before the ReLU, from noise. It needs no head:
any network will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stn import backend, command_line, errors, optimize, runs
from stn.analysis import figures
from stn.backend import tf
from stn.classify import options, search
from stn.experiment import frame
from stn.loss import losses
from stn.network import vgg
from stn.network.network import Network
from stn.quantities import Terms
from stn.transfer import initialize

EXAMPLE = "python experiments/filter_image.py --network vgg19_q8 --layers conv3_1 conv4_1"
LAYERS = ("conv1_1", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
CHANNELS = 8  # a layer, the first: none was chosen by its looks
# All ours: the weight of the total variation, noise of ten steps, since smaller excites deep
# channels hardly at all.
TOTAL_VARIATION, AMPLITUDE, LEARNING_RATE = 1e-2, 10.0, 8.0


def _loss(layer: str) -> Any:
    def function(
        image: Any, kernels: vgg.Kernels, channel: Any, total_variation_weight: Any
    ) -> tuple[Any, Any, Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            F = vgg.features(image, kernels, [layer])[layer]
            asked = tf.reduce_mean(F[0, :, :, channel])
            variation = losses.total_variation(image, "mean_squared")
            total = total_variation_weight * variation - asked
        return asked, variation, tf.math.reduce_std(F), tape.gradient(total, image)

    return function


class ChannelLoss:
    """-(mean of a channel) / s + TOTAL_VARIATION · (mean squared differences of neighbors), and its
    gradient.

    s is the standard deviation of the layer's features at the image `first`, so that one weight
    serves all layers."""

    def __init__(self, network: Network, layer: str, channel: int, first: np.ndarray) -> None:
        self._network, self._layer, self._channel, self._scale = network, layer, channel, 1.0
        self._scale = float(self._computed(first)[2])

    def _computed(self, image: np.ndarray) -> Any:
        inputs = (
            tf.constant(image, tf.float32),
            dict(self._network.kernels),
            tf.constant(self._channel),
            tf.constant(TOTAL_VARIATION * self._scale, tf.float32),
        )
        return backend.function(_loss, (self._layer,), *inputs)(*inputs)

    def value_and_grad(self, image: np.ndarray) -> tuple[Terms, np.ndarray]:
        """The terms and the gradient at `image` [1, h, w, 3]; `activation` is the channel's mean
        over s.
        """
        asked, variation, _, gradient = self._computed(image)
        response, smooth = float(asked) / self._scale, TOTAL_VARIATION * float(variation)
        terms = Terms(smooth - response, -response, 0.0, smooth, {"activation": response})
        return terms, gradient.numpy().astype(np.float64) / self._scale


def draw(finished: Mapping[str, runs.Run], layers: list[str]) -> figures.Figure:
    """A row a layer; over each picture how often s its channel's mean is, for the picture
    itself.
    """
    found = list(finished.values())
    rows = [found[i : i + CHANNELS] for i in range(0, len(found), CHANNELS)]
    return figures.panels(
        [
            [
                figures.Panel(
                    run.rgb, f"{run.summary['picture/activation']:.1f}", layer if j == 0 else ""
                )
                for j, run in enumerate(row)
            ]
            for layer, row in zip(layers, rows, strict=True)
        ]
    )


def main() -> None:
    made = options.parser(__doc__, EXAMPLE)
    made.add_argument(
        "--layers", nargs="+", default=list(LAYERS), metavar="LAYER", help=", ".join(LAYERS)
    )
    options.add_budget(made, 60)
    arguments = options.parse(made)
    arguments.layers = list(dict.fromkeys(arguments.layers))
    network = options.trunk(arguments)
    for layer in arguments.layers:
        if layer not in network.widths:
            raise errors.InputError(
                f"{layer}: not one of the network's convolutions, {', '.join(network.widths)}"
            )

    first = initialize.noise(arguments.size, arguments.size, "normal", AMPLITUDE, arguments.seed)
    optimizer = search.optimizer("adam", arguments.evaluations, learning_rate=LEARNING_RATE)
    given = {key: getattr(arguments, key) for key in ("network", "size", "seed")}
    given |= {"total_variation_weight": TOTAL_VARIATION, "optimizer": optimizer}
    folder = options.folder_of("filter_image")
    searches = search.Searches(folder, network, {"weights": network.sha256}, given)
    finished = {}
    for layer in arguments.layers:
        for channel in range(CHANNELS):
            name, settings = f"{layer}-{channel}", {"layer": layer, "channel": channel}
            loss = ChannelLoss(network, layer, channel, first)
            problem = optimize.Problem(loss.value_and_grad, network.limits)
            finished[name] = searches.find(name, settings, problem, first)
    caption = f"""
What the first {CHANNELS} channels of a layer respond to. Each image starts from
N(0, {AMPLITUDE:g}) around the mean pixel, in 0-255. It goes to the most of a channel's mean before
the ReLU, less {TOTAL_VARIATION:g} · mean squared differences of neighbors. Over each picture:
that mean, in standard deviations of the layer's features at the initial image.

{arguments.network}, max pooling; {arguments.size} px; {arguments.evaluations} evaluations of Adam
at {LEARNING_RATE:g}; seed {arguments.seed}."""
    print(frame.write(folder, draw(finished, arguments.layers), caption, finished))


if __name__ == "__main__":
    command_line.run_command(main)
