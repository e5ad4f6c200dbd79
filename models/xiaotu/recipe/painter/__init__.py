"""The procedural painter: every picture that the diffusion model is trained on is drawn here."""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from scene import Scene

from . import birds, boats, buildings, flowers, seasons, terrain, trees, weather
from .backdrop import sky
from .media import Medium
from .palette import Palette
from .stage import Stage

__all__ = ["paint"]

cv2.setNumThreads(1)

_SUBJECTS = {
    "mountain": terrain.mountain,
    "waterfall": terrain.waterfall,
    "river": terrain.river,
    "sea": terrain.sea,
    "desert": terrain.desert,
    "village": buildings.village,
    "boat": boats.boat,
    "fisherman": boats.fisherman,
    "bridge": buildings.bridge,
    "pavilion": buildings.pavilion,
    "pagoda": buildings.pagoda,
    "pine": trees.pine,
    "willow": trees.willow,
    "bamboo": trees.bamboo,
    "plum": flowers.plum,
    "lotus": flowers.lotus,
    "chrysanthemum": flowers.chrysanthemum,
    "birds": birds.birds,
}


def paint(scene: Scene, seed: int) -> np.ndarray:
    """Draws `scene` as a (256, 256, 3) uint8 RGB picture; the same scene and seed always give the same picture."""
    rng = np.random.default_rng((seed, zlib.crc32(repr(scene).encode())))
    palette = Palette(scene.medium, scene.season, scene.time, rng)
    stage = Stage(scene, rng, palette, Medium(scene.medium, palette, rng))
    sky(stage)
    _SUBJECTS[scene.subject](stage)
    seasons.twig(stage)
    seasons.bank(stage)
    seasons.drifting(stage)
    weather.before(stage)
    return stage.medium.finish()
