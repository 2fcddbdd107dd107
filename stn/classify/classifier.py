"""A classifier: a network and the head on it, its own or a linear one that is fitted here."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stn import backend, files
from stn.assets import matconvnet
from stn.assets.weights import Weights
from stn.backend import tf
from stn.classify.labeled import Labeled
from stn.errors import InputError
from stn.layers import FULLY_CONNECTED
from stn.loss import losses
from stn.network import network, vgg
from stn.quantities import Terms

# Pixels: the pictures that VGG's own head takes (Simonyan & Zisserman 2015, section 2.1).
OWN_SIDE = 224


@dataclass(frozen=True)
class Classifier:
    """A network, the head on it (as `class_scores` takes it) and the classes' names.

    `checksums` are those of the files and pictures that it is made of."""

    network: network.Network
    head: vgg.Kernels
    classes: tuple[str, ...]
    checksums: dict[str, str]

    def number(self, name: str) -> int:
        """The number of a class, given by its number, its name or a word of its name.

        Raises InputError if no class has the word, or several have."""
        found = [i for i, each in enumerate(self.classes) if name in (each, str(i))][:1]
        found = found or [i for i, each in enumerate(self.classes) if name.lower() in each.lower()]
        if len(found) == 1:
            return found[0]
        shown = [self.classes[i] for i in found] or self.classes
        raise InputError(
            f"class {name}: {'several have that word' if found else 'there is none'}; give one of"
            f" {', '.join(shown[:10])}{', …' * (len(shown) > 10)}, or a number below"
            f" {len(self.classes)}"
        )

    def probabilities(self, rgb: np.ndarray) -> np.ndarray:
        """Probabilities [classes] of a picture, `rgb` [h, w, 3] 0-255."""
        image = tf.constant(self.network.image(rgb))
        inputs = image, dict(self.network.kernels), dict(self.head)
        found: np.ndarray = backend.function(_probabilities, (), *inputs)(*inputs).numpy()
        return found


@dataclass(frozen=True)
class ClassLoss:
    """weight · H + total_variation_weight · V, a loss that is low for images of one class.

    H = -log p(target) is the cross-entropy of the softmax, or with `of_score` H = -score(target),
    what enters the softmax (Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034, eq. 1). H of the
    softmax vanishes once the class is certain; the score does not. V is the total variation Σ|Δ|,
    pixels in 0-255. `watched` are classes, by name, whose probabilities are recorded."""

    classifier: Classifier
    target: int
    weight: float = 1.0
    total_variation_weight: float = 0.0
    of_score: bool = False
    watched: Mapping[str, int] = field(default_factory=dict)

    def value_and_grad(self, image: np.ndarray) -> tuple[Terms, np.ndarray]:
        """The terms and the gradient [1, h, w, 3] at `image`, mean-subtracted.

        `Terms.content` is weight · H."""
        inputs = (
            tf.constant(image, tf.float32),
            dict(self.classifier.network.kernels),
            dict(self.classifier.head),
            tf.constant(self.target),
            tf.constant([self.weight, self.total_variation_weight], tf.float32),
        )
        compiled = backend.function(_class_loss, (self.of_score,), *inputs)
        target_loss, variation, probabilities, gradient = compiled(*inputs)
        asked = self.weight * float(target_loss)
        smooth = self.total_variation_weight * float(variation)
        noted = {f"probability/{name}": float(probabilities[i]) for name, i in self.watched.items()}
        terms = Terms(asked + smooth, asked, 0.0, smooth, noted)
        return terms, gradient.numpy().astype(np.float64)


def own(path: Path) -> Classifier:
    """The classifier of a weight file with fully connected layers; InputError if it has none."""
    weights = matconvnet.load(path, head=True)
    try:
        head = own_head(weights)
    except KeyError:
        raise InputError(
            f"{path}: has no fully connected layers, so no classes; use --head linear, or a file"
            " that has them: `python scripts/fetch.py"
            f" {'vgg19' if weights.depth == 19 else 'vgg16_full'}`"
        ) from None
    count = head["fc8"][1].shape[0]
    names = (*weights.classes, *(f"class {i}" for i in range(len(weights.classes), count)))
    return Classifier(network.load(path), head, names, {"weights": weights.sha256})


def linear(trunk: network.Network, layer: str, labeled: Labeled) -> Classifier:
    """A linear classifier on the mean activations of `layer`, fitted to `labeled` and kept in the
    cache directory.

    scikit-learn's logistic regression with its L2 penalty (C = 1), on features of mean zero and
    deviation one. Raises InputError if the network does not have the layer."""
    checksums = {"weights": trunk.sha256, "labeled": labeled.sha256}
    digest = files.digest([layer, checksums])
    kept = files.cache_dir() / f"{trunk.path.name}.{layer}-{digest}.head.npz"
    found = files.read_arrays(kept) or {}
    if found.keys() != {"kernel", "bias"}:
        means = [F[layer].mean((0, 1)) for F in features(trunk, [layer], labeled.rgb)]
        kernel, bias = _fit(np.stack(means), labeled.labels)
        found = {"kernel": kernel, "bias": bias}
        with contextlib.suppress(OSError):  # without a copy it is fitted again next time
            files.write_arrays(kept, found)
    kernel, bias = (tf.constant(found[name], tf.float32) for name in ("kernel", "bias"))
    return Classifier(trunk, {layer: (kernel, bias)}, labeled.names, checksums)


def features(
    trunk: network.Network, layers: Sequence[str], rgb: Iterable[np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    """Features {layer: [h, w, N]} of each picture, `rgb` [h, w, 3] 0-255, with the max pooling of
    training.

    Raises InputError if the network does not have a layer.
    """
    for layer in layers:
        if layer not in trunk.layer_names:
            raise InputError(
                f"{trunk.path}: has no {layer}; its layers are {', '.join(trunk.layer_names)}"
            )
    for each in rgb:
        inputs = tf.constant(trunk.image(each)), dict(trunk.kernels)
        found = backend.function(_features, tuple(layers), *inputs)(*inputs)
        yield {layer: F.numpy()[0] for layer, F in found.items()}


def _fit(X: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The linear head for features X [n, N]: kernel [N, classes] and bias [classes], which include
    the standardization of the features.
    """
    from sklearn.linear_model import LogisticRegression  # scikit-learn takes a second to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scaler, regression = StandardScaler(), LogisticRegression(max_iter=1000)
    make_pipeline(scaler, regression).fit(X.astype(np.float64), labels)
    kernel, bias = regression.coef_.T, regression.intercept_
    if len(bias) == 1:  # two classes share one score, which is the difference of theirs
        kernel, bias = kernel * (-0.5, 0.5), bias * (-0.5, 0.5)
    kernel = kernel / scaler.scale_[:, None]
    return kernel, bias - scaler.mean_ @ kernel


def own_head(weights: Weights) -> dict[str, tuple[Any, Any]]:
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
    return tf.nn.softmax(class_scores(image, weights, own_head(weights)))


def _features(*layers: str) -> Any:
    return lambda image, kernels: vgg.features(image, kernels, layers)


def _probabilities() -> Any:
    def function(image: Any, kernels: vgg.Kernels, head: vgg.Kernels) -> Any:
        return tf.nn.softmax(class_scores(image, kernels, head))[0]

    return function


def _class_loss(of_score: bool) -> Any:
    def function(
        image: Any, kernels: vgg.Kernels, head: vgg.Kernels, target: Any, weights: Any
    ) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(image)
            scores = class_scores(image, kernels, head)[0]
            target_loss = -(scores if of_score else tf.nn.log_softmax(scores))[target]
            variation = losses.total_variation(image, "absolute")
            total = weights[0] * target_loss + weights[1] * variation
        return target_loss, variation, tf.nn.softmax(scores), tape.gradient(total, image)

    return function
