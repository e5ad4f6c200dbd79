"""Noise fields and brush maps, made once per process and then only shifted: textures at no cost per picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

SIZE = 384  # the side, in pixels, of the working picture; it is reduced to OUTPUT at the end
OUTPUT = 256


def _tiling_noise(rng: np.random.Generator, cells: int, octaves: int) -> np.ndarray:
    """Smooth noise in 0..1 that wraps at its edges, so that rolling it never shows a seam."""
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(octaves):
        n = cells * 2**octave
        grid = np.pad(rng.random((n, n), dtype=np.float32), 2, mode="wrap")
        step = SIZE / n
        big = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        start = int(round(2 * step))
        total += big[start : start + SIZE, start : start + SIZE] * 0.5**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low)


@dataclass(frozen=True)
class DabMap:
    """A field of overlapping brush dabs: where each pixel takes its colour from, and how the paint stands up."""

    source: np.ndarray  # (SIZE, SIZE, 2) float32, the dab's centre
    relief: np.ndarray  # (SIZE, SIZE, 1) float32, light on the bristle ridges, about 1
    tint: np.ndarray  # (SIZE, SIZE, 1) float32, one lightness per dab, about 1


def _dab_map(seed: int, length: float, width: float) -> DabMap:
    """Lays dabs on a jittered grid along a slowly turning direction field."""
    rng = np.random.default_rng(seed)
    turn = _tiling_noise(rng, 3, 1)
    step = width * 1.6
    centres = np.stack(np.meshgrid(np.arange(0, SIZE + step, step), np.arange(0, SIZE + step, step)), -1).reshape(-1, 2)
    centres += rng.uniform(-step, step, centres.shape)
    rng.shuffle(centres)
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    source = np.stack([xx, yy], -1)  # bare spots keep their own colour
    angle_tint = np.zeros((SIZE, SIZE, 2), np.float32)
    angle_tint[..., 1] = 1.0
    for x, y in centres:
        px, py = int(np.clip(x, 0, SIZE - 1)), int(np.clip(y, 0, SIZE - 1))
        angle = (float(turn[py, px]) - 0.5) * 200 + rng.uniform(-20, 20)
        axes = (max(1, int(length * rng.uniform(0.7, 1.2))), max(1, int(width * rng.uniform(0.7, 1.2))))
        cv2.ellipse(source, (int(x), int(y)), axes, angle, 0, 360, (px, py), -1)
        cv2.ellipse(angle_tint, (int(x), int(y)), axes, angle, 0, 360, (np.radians(angle), rng.uniform(0.93, 1.07)), -1)
    angle = angle_tint[..., 0]
    across = -(xx - source[..., 0]) * np.sin(angle) + (yy - source[..., 1]) * np.cos(angle)
    height = np.sin(across * 2.1 + source[..., 0]) * 0.5 - (across / width) ** 2
    height = cv2.GaussianBlur(height, (0, 0), 0.8)
    light = cv2.Sobel(height, cv2.CV_32F, 1, 0) + cv2.Sobel(height, cv2.CV_32F, 0, 1)
    relief = np.clip(1 + 0.025 * light, 0.88, 1.12).astype(np.float32)
    return DabMap(source, relief[..., None], angle_tint[..., 1:])


@dataclass(frozen=True)
class Textures:
    """Every texture that the media use."""

    cloud: np.ndarray  # slow washes, 0..1
    mottle: np.ndarray  # pigment that settles unevenly, 0..1
    grain: np.ndarray  # paper tooth, 0..1
    weave: np.ndarray  # silk threads, about 1
    wobble: np.ndarray  # (SIZE, SIZE, 2) displacement in pixels for hand-drawn edges
    coarse: DabMap
    fine: DabMap


@lru_cache(maxsize=1)
def textures() -> Textures:
    """The shared textures, made on first use from fixed seeds."""
    rng = np.random.default_rng(20)
    grain = cv2.GaussianBlur(rng.random((SIZE, SIZE), dtype=np.float32), (0, 0), 0.9)
    grain = np.clip((grain - grain.mean()) / (grain.std() * 5) + 0.5, 0, 1)
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    threads = cv2.blur(rng.random((SIZE, SIZE), dtype=np.float32), (25, 1)) + cv2.blur(
        rng.random((SIZE, SIZE), dtype=np.float32), (1, 25)
    )
    weave = 1 + 0.25 * (threads - threads.mean()) + 0.02 * np.sin(xx * 2.1) * np.sin(yy * 2.1)
    wobble = np.stack([_tiling_noise(rng, 24, 2), _tiling_noise(rng, 24, 2)], -1) * 5 - 2.5
    return Textures(
        cloud=_tiling_noise(rng, 3, 3),
        mottle=_tiling_noise(rng, 12, 3),
        grain=grain,
        weave=weave.astype(np.float32),
        wobble=wobble.astype(np.float32),
        coarse=_dab_map(3, 10, 3.4),
        fine=_dab_map(4, 4.2, 1.7),
    )


def rolled(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`field` shifted by a random amount, so that no two pictures share a texture."""
    dy, dx = rng.integers(0, SIZE, 2)
    return np.roll(field, (int(dy), int(dx)), (0, 1))
