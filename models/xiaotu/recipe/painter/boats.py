"""Sailing boats, and the fisherman alone on the river."""

from __future__ import annotations

import numpy as np

from . import backdrop
from .canvas import Colour, Layer
from .palette import mix, scale
from .shapes import place, smooth
from .stage import Stage


def _hull(sheet: Layer, x: float, y: float, s: float, flip: bool, wood: Colour) -> None:
    """A wooden hull with raised ends; y is its waterline."""
    body = np.vstack(
        [
            smooth([(-1.05, -0.34), (-0.6, -0.12), (0, -0.06), (0.6, -0.13), (1.1, -0.42)], 6),
            smooth([(1.1, -0.42), (0.82, 0.02), (0.4, 0.12), (-0.4, 0.12), (-0.82, 0.02), (-1.05, -0.34)], 6),
        ]
    )
    sheet.polygon(place(body, x, y, s, flip), wood)
    band = smooth([(-1.0, -0.27), (-0.6, -0.05), (0, 0.01), (0.6, -0.06), (1.02, -0.32)], 6)
    sheet.line(place(band, x, y, s, flip), scale(wood, 1.55), max(0.004, s * 0.05))


def _sailboat(sheet: Layer, st: Stage, x: float, y: float, s: float, flip: bool) -> None:
    """A junk with one great battened sail and a small fore sail."""
    p = st.palette
    colour = p.subject(st.scene.colour)
    wood = p.own((104, 62, 40))
    mast = place([(0.02, -0.1), (0.02, -2.15)], x, y, s, flip)
    sheet.line(mast, scale(wood, 0.8), max(0.005, s * 0.055))
    sail = np.vstack(
        [
            smooth([(-0.78, -0.42), (-0.84, -1.1), (-0.44, -2.0)], 6),
            smooth([(-0.44, -2.0), (0.2, -2.1), (0.56, -1.2), (0.5, -0.36)], 6),
            [[-0.1, -0.3]],
        ]
    )
    sheet.polygon(place(sail, x, y, s, flip), colour)
    battens = [
        place([(-0.82 + 0.1 * k, -0.46 - 0.36 * k), (0.52 - 0.05 * abs(k - 1.5), -0.42 - 0.38 * k)], x, y, s, flip)
        for k in range(1, 4)
    ]
    sheet.lines(battens, scale(colour, 0.66), max(0.004, s * 0.03))
    sheet.line(place(sail, x, y, s, flip), scale(colour, 0.55), 0.005, closed=True)
    fore = np.vstack(
        [smooth([(0.62, -0.4), (0.66, -1.0), (0.7, -1.5)], 4), smooth([(0.7, -1.5), (1.06, -1.0), (1.02, -0.5)], 4)]
    )
    sheet.polygon(place(fore, x, y, s, flip), scale(colour, 0.88))
    sheet.line(place(fore, x, y, s, flip), scale(colour, 0.55), 0.004, closed=True)
    _hull(sheet, x, y, s, flip, wood)
    if p.night:
        sheet.dots(place([(-0.9, -0.5)], x, y, s, flip), s * 0.11, p.lamp)


def boat(st: Stage) -> None:
    """One to three sailing boats on still water, with their reflections."""
    horizon = st.vary(0.46, 0.5)
    backdrop.hills(st, horizon, 0.2, 3)
    backdrop.water(st, horizon)
    x, side, flip = st.x, st.side, bool(st.rng.random() < 0.5)
    count = st.scene.count
    main = {1: 0.225, 2: 0.18, 3: 0.165}[count]
    fleet = [(x, st.vary(0.76, 0.79), main)]
    if count >= 2:
        fleet.insert(0, (x + side * st.vary(0.31, 0.34), 0.65, 0.125))
    if count == 3:
        if st.scene.position == "centre":
            fleet.insert(0, (x - side * 0.33, 0.61, 0.115))
        else:
            fleet.insert(0, (x + side * 0.56, 0.6, 0.105))
    backdrop.backing(st, x, 0.5, 0.28)
    for bx, by, s in fleet:
        sheet = Layer()
        _sailboat(sheet, st, bx, by, s * st.vary(0.95, 1.05), flip)
        st.medium.lay(sheet.reflected(by + s * 0.1, 0.5), opacity=0.38, outline=0, shadow=0)
        st.medium.lay(sheet)
    backdrop.ripples(st, 0.62, 10)


def fisherman(st: Stage) -> None:
    """A small flat boat, a man in a straw hat and cape, his rod and line: mostly empty water."""
    p = st.palette
    horizon = st.vary(0.36, 0.4)
    backdrop.hills(st, horizon, 0.17, 2)
    backdrop.water(st, horizon)
    x, y, s = st.x, st.vary(0.7, 0.74), st.vary(0.2, 0.22)
    flip = st.side < 0
    st.medium.glow(x, y - 0.14, 0.2, mix(p.haze, p.water, 0.3), 0.6)
    sheet = Layer()
    _hull(sheet, x, y, s, flip, p.own((92, 58, 40)))
    cape = np.vstack(
        [
            smooth([(-0.5, -0.1), (-0.44, -0.62), (-0.16, -1.02)], 5),
            smooth([(-0.16, -1.02), (0.14, -0.7), (0.28, -0.1)], 5),
        ]
    )
    sheet.polygon(place(cape, x, y, s, flip), p.own((122, 92, 52)))
    straw = scale(p.own((122, 92, 52)), 0.68)
    sheet.lines(
        [place([(-0.14 + 0.1 * k, -0.9), (-0.1 + 0.2 * k, -0.16)], x, y, s, flip) for k in (-1.5, -0.7, 0.1, 0.9)],
        straw,
        0.005,
    )
    sheet.stroke(place([(0.0, -0.66), (0.22, -0.56), (0.46, -0.56)], x, y, s, flip), 0.03, 0.018, p.own((122, 92, 52)))
    sheet.dots(place([(-0.1, -1.04)], x, y, s, flip), s * 0.15, p.own((222, 178, 142)))
    hat = [(-0.62, -1.03), (-0.12, -1.48), (0.4, -1.03), (-0.1, -0.96)]
    sheet.polygon(place(hat, x, y, s, flip), p.own((222, 176, 82)))
    sheet.lines(
        [place([(-0.12, -1.46), (k, -1.0)], x, y, s, flip) for k in (-0.4, -0.2, 0.0, 0.2)],
        p.own((166, 118, 46)),
        0.004,
    )
    rod = smooth([(0.3, -0.5), (1.0, -1.06), (1.75, -1.42)], 8)
    sheet.stroke(place(rod, x, y, s, flip), 0.014, 0.005, p.own((70, 48, 34)))
    sheet.line(
        place([(1.75, -1.42), (1.79, -0.5), (1.8, 0.12)], x, y, s, flip),
        p.own((70, 60, 54)) if not p.night else p.own((200, 204, 220)),
        0.004,
    )
    st.medium.lay(sheet.reflected(y + s * 0.1, 0.6), opacity=0.34, outline=0, shadow=0)
    st.medium.lay(sheet)
    float_sheet = Layer()
    float_sheet.dots(place([(1.8, 0.13)], x, y, s, flip), 0.011, p.own((214, 46, 36)))
    st.medium.lay(float_sheet, outline=0)
