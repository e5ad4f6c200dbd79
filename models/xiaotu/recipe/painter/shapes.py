"""Geometry in the unit square (x to the right, y down): curves, tapered strokes, blobs and ridges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Points = np.ndarray  # (n, 2) float


def smooth(points: Sequence[Sequence[float]] | Points, per_segment: int = 8) -> Points:
    """A Catmull-Rom curve through the points."""
    p = np.asarray(points, float)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, 1, per_segment, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:]):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.vstack([*parts, p[-2:-1]])


def taper(points: Points, start: float, end: float) -> Points:
    """The outline of a brush stroke along a curve whose width goes from `start` to `end`."""
    p = np.asarray(points, float)
    tangent = np.gradient(p, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    half = np.linspace(start, end, len(p))[:, None] / 2
    return np.vstack([p + normal * half, (p - normal * half)[::-1]])


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0, n: int = 28) -> Points:
    """An ellipse, turned by `angle` radians."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    x, y = rx * np.cos(t), ry * np.sin(t)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([cx + x * c - y * s, cy + x * s + y * c], 1)


def blob(rng: np.random.Generator, cx: float, cy: float, rx: float, ry: float, rough: float = 0.15) -> Points:
    """An ellipse with a wavering edge: foliage, stones, clouds."""
    n = 28
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = np.ones(n)
    for k in (2, 3, 5, 7):
        radius += rough * rng.uniform(0.2, 0.8) * np.cos(k * t + rng.uniform(0, 6.28)) / np.sqrt(k)
    return np.stack([cx + rx * radius * np.cos(t), cy + ry * radius * np.sin(t)], 1)


def petal(cx: float, cy: float, length: float, width: float, angle: float, point: float = 0.5) -> Points:
    """A petal from its base (cx, cy) outwards along `angle`; `point` moves its widest place outwards."""
    t = np.linspace(0, 1, 9)
    half = width / 2 * np.sin(np.pi * t ** (1 + point)) ** 0.8
    x = np.concatenate([t, t[-2:0:-1]]) * length
    y = np.concatenate([half, -half[-2:0:-1]])
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([cx + x * c - y * s, cy + x * s + y * c], 1)


def ridge(
    rng: np.random.Generator,
    base: float,
    height: float,
    peaks: Sequence[tuple[float, float, float]],
    rough: float = 0.1,
) -> Points:
    """A skyline from x = -0.05 to 1.05: `peaks` are (x, share of height, width); `rough` is the broken detail."""
    n = 97
    x = np.linspace(-0.05, 1.05, n)
    y = np.zeros(n)
    for px, share, width in peaks:
        d = np.abs(x - px) / width
        y = np.maximum(y, share * np.exp(-(d**1.5)))
    for cells, gain in ((9, 1.0), (19, 0.5), (37, 0.3)):
        y += rough * gain * np.interp(x, np.linspace(-0.05, 1.05, cells), rng.uniform(-0.5, 0.5, cells)) * (0.3 + y)
    return np.stack([x, base - height * y], 1)


def under(skyline: Points, bottom: float = 1.06) -> Points:
    """The area below a skyline."""
    return np.vstack([skyline, [[skyline[-1, 0], bottom], [skyline[0, 0], bottom]]])


def place(points: Sequence[Sequence[float]] | Points, x: float, y: float, scale: float, flip: bool = False) -> Points:
    """A shape that was drawn about the origin, moved to (x, y)."""
    p = np.asarray(points, float) * scale
    if flip:
        p = p * (-1, 1)
    return p + (x, y)
