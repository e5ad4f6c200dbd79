"""Cranes in flight."""

from __future__ import annotations

import numpy as np

from . import backdrop
from .canvas import Colour, Layer
from .palette import scale
from .shapes import Points, petal, place, smooth
from .stage import Stage


def _wing(root: tuple[float, float], tip: tuple[float, float], bend: float, breadth: float) -> Points:
    """A raised wing: a bowed leading edge and a scalloped trailing edge."""
    (x0, y0), (x1, y1) = root, tip
    lead = smooth([(x0, y0), (x0 + (x1 - x0) * 0.45, y0 + (y1 - y0) * 0.6 + bend), (x1, y1)], 7)
    trail = smooth(
        [(x1, y1), (x0 + (x1 - x0) * 0.62, y0 + (y1 - y0) * 0.42 + breadth * 0.6), (x0 - breadth, y0 + breadth * 0.35)],
        7,
    )
    return np.vstack([lead, trail])


def _crane(sheet: Layer, st: Stage, x: float, y: float, s: float, flip: bool, colour: Colour) -> None:
    """A crane with its neck stretched forward and its legs trailing."""
    p = st.palette
    dark = p.own((40, 38, 44)) if not p.night else p.own((24, 24, 36))
    edge = scale(colour, 0.58)
    flap = st.vary(-0.12, 0.12)
    sheet.lines(
        [place([(-0.5, 0.04), (-1.15, 0.14 + d)], x, y, s, flip) for d in (0.0, 0.06)], dark, max(0.005, s * 0.035)
    )
    for root, tip, bend, breadth, tone in (
        ((0.24, 0.0), (0.66, -0.92 + flap), -0.1, 0.5, 0.84),
        ((0.12, 0.03), (-0.66, -0.94 + flap), -0.26, 0.62, 1.0),
    ):
        way = float(np.arctan2(tip[1] - root[1], tip[0] - root[0]))
        back = -1 if tip[0] < root[0] else 1
        for k, turn in ((1.0, 0.0), (0.9, 0.3), (0.8, 0.55), (0.7, 0.8)):
            base = (root[0] + (tip[0] - root[0]) * (k - 0.16), root[1] + (tip[1] - root[1]) * (k - 0.16))
            feather = petal(base[0], base[1], 0.36, 0.13, way + back * turn, 0.3)
            sheet.polygon(place(feather, x, y, s, flip), dark)
        wing = place(_wing(root, tip, bend, breadth), x, y, s, flip)
        sheet.polygon(wing, scale(colour, tone))
        sheet.line(wing, edge, 0.004, closed=True)
    body = np.vstack(
        [
            smooth([(-0.62, 0.06), (-0.2, -0.12), (0.3, -0.08), (0.55, -0.08)], 5),
            smooth([(0.55, -0.03), (0.2, 0.14), (-0.25, 0.15), (-0.62, 0.06)], 5),
        ]
    )
    sheet.polygon(place(body, x, y, s, flip), colour)
    neck = smooth([(0.42, -0.04), (0.72, -0.1), (0.98, -0.22)], 6)
    sheet.stroke(place(neck, x, y, s, flip), s * 0.13, s * 0.075, colour)
    sheet.dots(place([(1.0, -0.23)], x, y, s, flip), s * 0.068, colour)
    sheet.polygon(place([(1.02, -0.27), (1.3, -0.27), (1.02, -0.19)], x, y, s, flip), dark)
    crown = p.own((216, 40, 36)) if st.scene.colour != "red" else dark
    sheet.dots(place([(0.98, -0.285)], x, y, s, flip), s * 0.04, crown)


def birds(st: Stage) -> None:
    """One to five cranes in formation over low hills."""
    backdrop.hills(st, 0.84, 0.2, 3)
    colour = st.palette.subject(st.scene.colour)
    flip = bool(st.rng.random() < 0.5)
    layouts = {
        1: [(0.48, 0.5, 0.32)],
        2: [(0.66, 0.36, 0.22), (0.34, 0.63, 0.22)],
        3: [(0.72, 0.46, 0.18), (0.38, 0.3, 0.18), (0.36, 0.66, 0.18)],
        4: [(0.76, 0.48, 0.155), (0.5, 0.31, 0.155), (0.47, 0.67, 0.155), (0.22, 0.46, 0.155)],
        5: [(0.77, 0.46, 0.145), (0.5, 0.3, 0.145), (0.5, 0.62, 0.145), (0.2, 0.24, 0.14), (0.2, 0.73, 0.14)],
    }
    for x, y, s in layouts[st.scene.count]:
        x, y = x + st.vary(-0.025, 0.025), y + st.vary(-0.02, 0.02)
        if flip:
            x = 1 - x
        backdrop.backing(st, x, y - s * 0.3, s * 1.3)
        sheet = Layer()
        _crane(sheet, st, x, y + s * 0.2, s * st.vary(0.95, 1.05), flip, colour)
        st.medium.lay(sheet)
