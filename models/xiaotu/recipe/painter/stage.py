"""What every drawing routine is handed: the scene, the medium under way, the palette and the picture's own chance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scene import Scene

from .media import Medium
from .palette import Palette

_THIRDS = {"left": 0.27, "centre": 0.5, "right": 0.73}


@dataclass
class Stage:
    """One picture in the making."""

    scene: Scene
    rng: np.random.Generator
    palette: Palette
    medium: Medium

    side: float = field(init=False)  # where there is room to spare: -1 left, 1 right
    x: float = field(init=False)  # where the subject stands, across

    def __post_init__(self) -> None:
        chance = -1.0 if self.rng.random() < 0.5 else 1.0
        self.side = {"left": 1.0, "right": -1.0}.get(self.scene.position, chance)
        self.x = _THIRDS[self.scene.position] + self.vary(-0.025, 0.025)

    def vary(self, low: float, high: float) -> float:
        """A number between `low` and `high`."""
        return float(self.rng.uniform(low, high))

    @property
    def winter(self) -> bool:
        return self.scene.season == "winter"
