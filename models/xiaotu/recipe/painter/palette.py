"""The designed colours: skies by medium and hour, land by season, the subject's own, and how light tints them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .canvas import Colour

# (top, bottom) of the sky.
_SKIES: dict[str, dict[str, tuple[Colour, Colour]]] = {
    "ink": {
        "dawn": ((196, 206, 222), (250, 218, 202)),
        "day": ((236, 233, 222), (248, 245, 236)),
        "dusk": ((206, 122, 78), (242, 198, 134)),
        "night": ((36, 38, 60), (78, 82, 106)),
    },
    "bluegreen": {
        "dawn": ((178, 196, 206), (250, 208, 184)),
        "day": ((214, 208, 172), (236, 224, 184)),
        "dusk": ((206, 100, 56), (242, 182, 88)),
        "night": ((18, 28, 66), (38, 60, 104)),
    },
    "oil": {
        "dawn": ((138, 176, 222), (255, 192, 172)),
        "day": ((104, 172, 226), (212, 234, 244)),
        "dusk": ((190, 58, 50), (255, 178, 60)),
        "night": ((10, 14, 52), (34, 52, 116)),
    },
    "watercolor": {
        "dawn": ((176, 206, 238), (255, 214, 204)),
        "day": ((196, 226, 244), (250, 250, 246)),
        "dusk": ((236, 122, 82), (255, 208, 126)),
        "night": ((32, 38, 88), (78, 92, 148)),
    },
    "papercut": {
        "dawn": ((186, 206, 234), (252, 206, 196)),
        "day": ((232, 240, 238), (244, 240, 226)),
        "dusk": ((226, 98, 50), (250, 172, 84)),
        "night": ((22, 28, 70), (40, 50, 104)),
    },
}

_LAND: dict[str, dict[str, Colour]] = {
    "spring": {
        "ground": (172, 210, 118),
        "shade": (122, 176, 88),
        "far": (178, 210, 178),
        "near": (136, 188, 112),
        "leaf": (146, 200, 88),
        "leaf_dark": (100, 162, 72),
        "motif": (246, 142, 178),
        "water": (176, 214, 212),
    },
    "summer": {
        "ground": (58, 138, 66),
        "shade": (28, 98, 54),
        "far": (104, 164, 142),
        "near": (40, 116, 72),
        "leaf": (38, 124, 58),
        "leaf_dark": (18, 84, 48),
        "motif": (20, 92, 46),
        "water": (96, 172, 180),
    },
    "autumn": {
        "ground": (220, 164, 76),
        "shade": (186, 112, 46),
        "far": (224, 174, 122),
        "near": (208, 112, 48),
        "leaf": (226, 112, 34),
        "leaf_dark": (186, 60, 34),
        "motif": (204, 52, 32),
        "water": (184, 190, 172),
    },
    "winter": {
        "ground": (243, 246, 251),
        "shade": (194, 208, 226),
        "far": (204, 216, 232),
        "near": (224, 232, 242),
        "leaf": (176, 190, 202),
        "leaf_dark": (130, 146, 162),
        "motif": (250, 252, 255),
        "water": (176, 198, 216),
    },
}

# 青绿: what azurite and malachite make of the hills of each season.
_MINERAL: dict[str, dict[str, Colour]] = {
    "spring": {"far": (132, 190, 190), "near": (92, 180, 124)},
    "summer": {"far": (58, 124, 176), "near": (16, 118, 106)},
    "autumn": {"far": (98, 142, 158), "near": (206, 122, 54)},
    "winter": {"far": (150, 182, 212), "near": (214, 228, 238)},
}

_SUBJECT: dict[str, Colour] = {
    "red": (210, 42, 38),
    "yellow": (252, 204, 40),
    "white": (253, 251, 246),
    "pink": (246, 128, 168),
    "blue": (36, 92, 190),
    "green": (36, 150, 88),
    "purple": (136, 66, 172),
}

# What the light of the hour multiplies colours by, and what it adds.
_LIGHT: dict[str, tuple[Colour, Colour]] = {
    "dawn": ((0.97, 0.92, 0.93), (8, 5, 8)),
    "day": ((1.0, 1.0, 1.0), (0, 0, 0)),
    "dusk": ((0.95, 0.83, 0.79), (8, 0, 3)),
    "night": ((0.44, 0.48, 0.62), (2, 5, 20)),
}


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` turned towards `b` by `share`."""
    return tuple(x + (y - x) * share for x, y in zip(a, b))  # type: ignore[return-value]


def scale(colour: Colour, factor: float) -> Colour:
    """A lighter or darker colour."""
    return tuple(min(255.0, x * factor) for x in colour)  # type: ignore[return-value]


def _saturate(colour: Colour, amount: float) -> Colour:
    """`amount` below 1 greys a colour, above 1 enriches it."""
    grey = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
    return tuple(float(np.clip(grey + (x - grey) * amount, 0, 255)) for x in colour)  # type: ignore[return-value]


@dataclass
class Palette:
    """The colours of one picture, already in its medium and its light."""

    medium: str
    season: str
    time: str
    rng: np.random.Generator
    ground: Colour = field(init=False)
    shade: Colour = field(init=False)
    far: Colour = field(init=False)
    near: Colour = field(init=False)
    leaf: Colour = field(init=False)
    leaf_dark: Colour = field(init=False)
    motif: Colour = field(init=False)
    water: Colour = field(init=False)

    def __post_init__(self) -> None:
        wander = self.rng.uniform(-7, 7, 3)
        land = dict(_LAND[self.season])
        if self.medium == "bluegreen":
            land.update(_MINERAL[self.season])
        self.sky_top, self.sky_bottom = (
            tuple(float(np.clip(x + w * 0.8, 0, 255)) for x, w in zip(colour, wander))
            for colour in _SKIES[self.medium][self.time]
        )
        self._wander = self.rng.uniform(-6, 6, 3)
        moonlit = 0.35 if self.night and self.season == "winter" else 0.0  # snow gives back the light of the night
        for name, colour in land.items():
            setattr(self, name, mix(self.land(colour), self.own(colour), moonlit))
        if self.night:
            self.leaf = mix(self.leaf, self.own(land["leaf"]), 0.4)
        self.motif = mix(self.motif, self.own(land["motif"]), 0.6)
        self.water = mix(self.water, self.sky_bottom, 0.45)
        self.bark = self.land((92, 66, 48))
        self.stone = self.land((150, 148, 142))
        self.ink_line = self.land((44, 40, 40))
        self.snow = mix(self.land((250, 252, 255)), self.own((250, 252, 255)), 0.6)
        self.haze = mix(self.sky_bottom, self.land((250, 250, 250)), 0.25)

    @property
    def night(self) -> bool:
        return self.time == "night"

    def _in_medium(self, colour: Colour, own: bool) -> Colour:
        """What the medium's pigments make of a colour; `own` colours (the subject's) stay purer."""
        if self.medium == "ink":
            return scale(_saturate(colour, 0.85 if own else 0.52), 1.0 if own else 0.93)
        if self.medium == "oil":
            return _saturate(colour, 1.25)
        if self.medium == "watercolor":
            return mix(_saturate(colour, 1.05), (255, 255, 255), 0.06 if own else 0.16)
        if self.medium == "bluegreen":
            return mix(colour, (214, 180, 110), 0.04 if own else 0.08)
        return _saturate(colour, 1.12)

    def _lit(self, colour: Colour, strength: float) -> Colour:
        factor, add = _LIGHT[self.time]
        return tuple(
            float(np.clip(c * (1 + (f - 1) * strength) + a * strength, 0, 255)) for c, f, a in zip(colour, factor, add)
        )  # type: ignore[return-value]

    def land(self, colour: Colour) -> Colour:
        """A colour of the landscape: muted by the medium, fully in the light of the hour."""
        wandered = tuple(float(np.clip(c + w, 0, 255)) for c, w in zip(colour, self._wander))
        return self._lit(self._in_medium(wandered, own=False), 1.0)

    def own(self, colour: Colour) -> Colour:
        """A colour that must be told apart at any hour: only slightly tinted by the light."""
        return self._lit(self._in_medium(colour, own=True), 0.16 if self.night else 0.28)

    def subject(self, name: str | None) -> Colour:
        """The subject's named colour."""
        return self.own(_SUBJECT[name or "red"])

    @property
    def lamp(self) -> Colour:
        """A lit window at night or dusk, a dark one by day."""
        return (255, 206, 96) if self.time in ("night", "dusk") else self.land((88, 70, 60))
