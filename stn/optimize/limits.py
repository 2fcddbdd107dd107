"""What holds pixels near black and white, for L-BFGS without a line search: a smooth penalty on
what lies beyond.
"""

import numpy as np

# Ours, as a share of the range between the limits: so far beyond one, 16 levels of 255, the penalty
# pulls a pixel back as strongly as the loss pulls at the initial image's, and twice as far eight
# times as strongly.
WIDTH = 1 / 16


def pull(gradient: np.ndarray) -> float:
    """How strongly the loss pulls at a pixel on average: the root mean square of its gradient
    [1, h, w, 3].
    """
    return float(np.sqrt(np.mean(np.square(gradient))))


def penalty(
    image: np.ndarray, limits: tuple[np.ndarray, np.ndarray], strength: float
) -> tuple[float, np.ndarray]:
    """Σ strength · W/4 · (d/W)⁴ over the pixels of `image` [1, h, w, 3], and its gradient, of the
    same shape. Here d is how far a pixel lies beyond its `limits`, each [3] or [1, h, w, 3].

    Within the limits it is 0, and at them its first three derivatives are 0 as well: a pixel at 0
    or 255 is as free as any. Pixels that cannot move there make their neighbors compensate, by
    checkers (docs/science/time_to_quality.md)."""
    low, high = limits
    width = WIDTH * (high - low)
    beyond = (image - np.clip(image, low, high)) / width  # signed, in widths
    squared = beyond * beyond  # a power of 3 takes as long as all else here together
    penalty = strength / 4 * float(np.sum(width * squared * squared))
    return penalty, strength * squared * beyond
