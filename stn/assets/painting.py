"""A painting that the program draws itself, so that the demo needs no download: bristly strokes
along swirls.
"""

from typing import NamedTuple

import numpy as np
import skimage.filters
from PIL import Image, ImageDraw

HEIGHT, WIDTH = 480, 600
SUPERSAMPLING = 2  # strokes are drawn at twice the size, for smooth edges
# From dark to light; chosen by eye: night blues, a green between, ochre and cream.
PALETTE = (
    (14, 22, 66),
    (28, 62, 138),
    (46, 112, 176),
    (104, 168, 182),
    (214, 168, 62),
    (240, 206, 108),
    (246, 236, 200),
)
# (strokes, width, length) of each layer of paint, in drawn pixels, coarse first; by eye.
PASSES = ((700, 30, 150), (2200, 16, 110), (4500, 8, 80))


class Stroke(NamedTuple):
    """Where a stroke begins, its color [3], and its size in drawn pixels."""

    x: float
    y: float
    color: np.ndarray
    thickness: float
    length: int


def strokes() -> np.ndarray:
    """The painting, `rgb` [480, 600, 3], 0-255; always the same bytes."""
    generator = np.random.default_rng(0)
    height, width = HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING
    angle, light = _swirls(generator, height, width)
    canvas = Image.new("RGB", (width, height), PALETTE[1])
    draw = ImageDraw.Draw(canvas)
    for count, thickness, length in PASSES:
        for _ in range(count):
            x, y = generator.uniform(0, width), generator.uniform(0, height)
            shade = light[int(y), int(x)] + generator.normal(0, 0.07)
            color = _mix(shade) + generator.normal(0, 9, 3)
            stroke = Stroke(x, y, color, thickness * generator.uniform(0.6, 1.2), length)
            _paint(draw, generator, angle, stroke)
    return np.asarray(canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX), dtype=np.float64)


def _swirls(
    generator: np.random.Generator, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Direction of the strokes (radians) and lightness (0-1), both [h, w]: vortices in a slow
    stream.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    flow_x, flow_y = np.ones_like(x), 0.25 * np.sin(x / 180)
    light = skimage.filters.gaussian(generator.normal(size=(height, width)), 60)
    light = 0.3 + 0.12 * light / light.std() + 0.15 * y / height
    centers = np.array([(0.18, 0.28), (0.52, 0.42), (0.82, 0.22), (0.72, 0.75), (0.25, 0.78)])
    for (center_x, center_y), turn in zip(
        centers * (width, height), (1, -1, 1, 1, -1), strict=True
    ):
        dx, dy = x - center_x, y - center_y
        distance = np.hypot(dx, dy)
        radius = height * generator.uniform(0.13, 0.2)
        strength = 4 * np.exp(-((distance / radius) ** 2))
        flow_x -= turn * strength * dy / radius
        flow_y += turn * strength * dx / radius
        light += 0.55 * np.exp(-((distance / (0.55 * radius)) ** 2))  # a lamp in the middle
        ring = (distance - radius) / (0.15 * radius)
        light += 0.25 * np.exp(-(ring**2))
    return np.arctan2(flow_y, flow_x), light


def _mix(shade: float) -> np.ndarray:
    """The palette's color at a lightness, between its neighbors."""
    place = float(np.clip(shade, 0, 1)) * (len(PALETTE) - 1)
    low = min(int(place), len(PALETTE) - 2)
    return np.array(PALETTE[low]) * (low + 1 - place) + np.array(PALETTE[low + 1]) * (place - low)


def _paint(
    draw: ImageDraw.ImageDraw, generator: np.random.Generator, angle: np.ndarray, stroke: Stroke
) -> None:
    """One stroke that follows the flow: bristles side by side, each a little lighter or darker."""
    (height, width), (x, y, color, thickness, length) = angle.shape, stroke
    points = []
    for _ in range(length // 6):
        if not (0 <= x < width and 0 <= y < height):
            break
        points.append((x, y))
        direction = angle[int(y), int(x)]
        x, y = x + 6 * np.cos(direction), y + 6 * np.sin(direction)
    if len(points) < 3:
        return
    bristles = max(2, round(thickness / 3))
    for offset in np.linspace(-thickness / 2, thickness / 2, bristles):
        shade = tuple(int(value) for value in np.clip(color + generator.normal(0, 14), 0, 255))
        first, last = (
            sorted(generator.integers(0, len(points), 2))
            if generator.random() < 0.3
            else (0, len(points))
        )
        line = [
            (
                px - offset * np.sin(angle[int(py), int(px)]),
                py + offset * np.cos(angle[int(py), int(px)]),
            )
            for px, py in points[first:last]
        ]
        if len(line) > 1:
            draw.line(line, fill=shade, width=5, joint="curve")
