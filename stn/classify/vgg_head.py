"""VGG's fully connected layers: the scores of its classes."""

from typing import Any

from stn.assets.weights import Weights
from stn.backend import tf
from stn.layers import FULLY_CONNECTED
from stn.network import vgg


def head(weights: Weights) -> dict[str, tuple[Any, Any]]:
    """The fully connected layers as tensors, by name; KeyError if the weights were loaded without
    them.
    """
    layers = (weights.layer(name) for name in FULLY_CONNECTED)
    return {layer.name: (tf.constant(layer.kernel), tf.constant(layer.bias)) for layer in layers}


def class_scores(image: Any, trunk: Weights | vgg.Kernels, head: vgg.Kernels) -> Any:
    """Scores [1, classes] of `image` (RGB, mean-subtracted), before the softmax, with the max
    pooling of training.

    fc6 (7 × 7), fc7 and fc8 (1 × 1) are convolutions over the whole of what reaches them, as
    MatConvNet keeps them: the image is then [1, 224, 224, 3]. A head of one other layer, {"pool4":
    (kernel [N, classes], bias)}, is linear in that layer's mean activations, and takes an image of
    any size."""
    if "fc8" not in head:
        [(layer, (kernel, bias))] = head.items()
        F = vgg.features(image, trunk, [layer])[layer]
        return tf.matmul(tf.reduce_mean(F, (1, 2)), kernel) + bias
    x = vgg.features(image, trunk, ["pool5"])["pool5"]
    for name in FULLY_CONNECTED:
        kernel, bias = head[name]
        x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=1, padding="VALID"), bias)
        if name != "fc8":
            x = tf.nn.relu(x)
    return tf.reshape(x, (1, -1))


def class_probabilities(image: Any, weights: Weights) -> Any:
    """Probabilities [1, classes] of `image` [1, 224, 224, 3] (RGB, mean-subtracted) by the weights'
    own head.

    Raises KeyError if the weights were loaded without it.
    """
    return tf.nn.softmax(class_scores(image, weights, head(weights)))
