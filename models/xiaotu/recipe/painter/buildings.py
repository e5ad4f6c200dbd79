"""Village, bridge, pavilion and pagoda."""

from __future__ import annotations

import numpy as np

from . import backdrop
from .canvas import Colour, Layer
from .palette import mix, scale
from .shapes import Points, blob, ellipse, smooth
from .stage import Stage


def roof(
    sheet: Layer, st: Stage, x: float, y: float, half: float, tall: float, colour: Colour, ridge_half: float
) -> None:
    """A curved roof whose eaves sweep up at both ends; y is the eaves' middle. Snow lies on it in winter."""
    lift = tall * 0.45

    def side(sign: int) -> Points:
        return smooth(
            [
                (x + sign * ridge_half, y - tall),
                (x + sign * (ridge_half + (half - ridge_half) * 0.45), y - tall * 0.42),
                (x + sign * half, y - lift),
            ],
            7,
        )

    eave = smooth(
        [
            (x + half, y - lift),
            (x + half * 0.72, y - lift * 0.1),
            (x, y),
            (x - half * 0.72, y - lift * 0.1),
            (x - half, y - lift),
        ],
        6,
    )
    right, left = side(1), side(-1)
    sheet.polygon(np.vstack([right, eave, left[::-1]]), colour)
    rows = [np.vstack([left[k], (x, y - tall * (0.98 - 0.9 * k / 14)), right[k]]) for k in (5, 9)]
    for share in np.linspace(-0.8, 0.8, 7):
        rows.append(
            np.array(
                [
                    [x + share * ridge_half, y - tall * 0.96],
                    [x + share * half * 0.86, y - lift * 0.25 * abs(share) - 0.006],
                ]
            )
        )
    sheet.lines(rows, scale(colour, 0.72), 0.004)
    sheet.line(eave, scale(colour, 0.55), 0.011)
    if st.winter:
        crown = np.vstack([right[:6], smooth([tuple(right[5]), (x, y - tall * 0.6), tuple(left[5])], 6), left[5::-1]])
        sheet.polygon(crown, st.palette.snow)


def pavilion(st: Stage) -> None:
    """An open pavilion with upswept eaves on four posts, on a stone platform."""
    p = st.palette
    x, foot = st.x, st.vary(0.8, 0.83)
    backdrop.hills(st, 0.56, 0.24, 3)
    backdrop.land(st, 0.58)
    backdrop.trees(st, 0.62, 5, 0.09)
    half = st.vary(0.168, 0.185)
    colour = p.subject(st.scene.colour)
    post = p.own((150, 44, 34)) if st.scene.colour != "red" else p.own((104, 60, 40))
    st.medium.glow(x, foot - 0.2, 0.22, p.haze, 0.5)
    sheet = Layer()
    sheet.polygon(
        np.array(
            [
                [x - half, foot - 0.03],
                [x + half, foot - 0.03],
                [x + half * 1.12, foot + 0.04],
                [x - half * 1.12, foot + 0.04],
            ]
        ),
        p.stone,
    )
    sheet.polygon(
        np.array(
            [[x - half, foot - 0.035], [x + half, foot - 0.035], [x + half, foot - 0.015], [x - half, foot - 0.015]]
        ),
        scale(p.stone, 1.2),
    )
    eave = foot - st.vary(0.25, 0.28)
    if p.night or st.scene.time == "dusk":
        sheet.polygon(
            np.array(
                [
                    [x - half * 0.7, eave],
                    [x + half * 0.7, eave],
                    [x + half * 0.7, foot - 0.03],
                    [x - half * 0.7, foot - 0.03],
                ]
            ),
            p.lamp,
        )
    for share in (-0.74, -0.27, 0.27, 0.74):
        px = x + share * half
        sheet.polygon(
            np.array(
                [
                    [px - 0.013, eave - 0.03],
                    [px + 0.013, eave - 0.03],
                    [px + 0.013, foot - 0.03],
                    [px - 0.013, foot - 0.03],
                ]
            ),
            post,
        )
    for y in (eave + 0.018, foot - 0.075):
        sheet.line(np.array([[x - half * 0.76, y], [x + half * 0.76, y]]), post, 0.013)
    sheet.lines(
        [np.array([[x + s * half, foot - 0.07], [x + s * half, foot - 0.04]]) for s in np.linspace(-0.7, 0.7, 12)],
        post,
        0.005,
    )
    st.medium.lay(sheet)
    top = Layer()
    tall = st.vary(0.23, 0.26)
    roof(top, st, x, eave, half * 1.42, tall, colour, half * 0.16)
    top.stroke(np.array([[x, eave - tall + 0.01], [x, eave - tall - 0.05]]), 0.03, 0.006, scale(colour, 0.7))
    top.dots(np.array([[x, eave - tall - 0.02]]), 0.02, p.own((226, 176, 70)))
    st.medium.lay(top)


def pagoda(st: Stage) -> None:
    """A tower of five to seven storeys, each with its own curved roof."""
    p = st.palette
    x, foot = st.x, st.vary(0.86, 0.89)
    backdrop.hills(st, 0.62, 0.3, 3)
    backdrop.land(st, 0.66)
    backdrop.trees(st, 0.7, 5, 0.08)
    storeys = int(st.rng.integers(5, 8))
    top = st.vary(0.19, 0.22)
    colour = p.subject(st.scene.colour)
    plaster = (158, 66, 50) if st.scene.colour == "yellow" else (236, 222, 196)  # yellow eaves need a dark wall
    wall = scale(p.own(plaster), 0.66 if p.night and st.scene.colour != "yellow" else 1.0)
    step = (foot - top) / storeys
    st.medium.glow(x, 0.5, 0.26, p.haze, 0.45)
    sheet = Layer()
    sheet.polygon(
        np.array(
            [[x - 0.16, foot - 0.01], [x + 0.16, foot - 0.01], [x + 0.18, foot + 0.035], [x - 0.18, foot + 0.035]]
        ),
        p.stone,
    )
    for i in range(storeys):
        base = foot - i * step
        half = 0.125 - 0.068 * i / (storeys - 1)
        sheet.polygon(
            np.array([[x - half, base - step], [x + half, base - step], [x + half, base], [x - half, base]]), wall
        )
        sheet.polygon(
            np.array(
                [[x + half * 0.4, base - step], [x + half, base - step], [x + half, base], [x + half * 0.4, base]]
            ),
            scale(wall, 0.84),
        )
        for dx in (-0.6, 0.0, 0.6):
            w = half * 0.15
            sheet.polygon(
                np.array(
                    [
                        [x + dx * half - w, base - step * 0.5],
                        [x + dx * half + w, base - step * 0.5],
                        [x + dx * half + w, base - 0.004],
                        [x + dx * half - w, base - 0.004],
                    ]
                ),
                p.lamp,
            )
        roof(
            sheet,
            st,
            x,
            base - step * 0.55,
            half * 1.75,
            step * 0.58,
            colour,
            half * 0.85 if i < storeys - 1 else half * 0.2,
        )
    sheet.stroke(np.array([[x, top - 0.0], [x, top - 0.05], [x, top - 0.1]]), 0.02, 0.004, p.own((216, 166, 66)))
    sheet.dots(np.array([[x, top - 0.025], [x, top - 0.055]]), 0.014, p.own((216, 166, 66)))
    st.medium.lay(sheet)


def _house(sheet: Layer, st: Stage, x: float, y: float, s: float, tiles: Colour) -> None:
    """A white-walled house under a dark pitched roof with a gable."""
    p = st.palette
    plaster = (226, 200, 166) if st.winter else (246, 240, 226)
    wall = mix(p.own(plaster), p.land(plaster), 0.5)
    sheet.polygon(np.array([[x - s, y - s * 0.7], [x + s, y - s * 0.7], [x + s, y], [x - s, y]]), wall)
    sheet.polygon(
        np.array([[x + s * 0.45, y - s * 0.7], [x + s, y - s * 0.7], [x + s, y], [x + s * 0.45, y]]), scale(wall, 0.84)
    )
    for dx in (-0.6, 0.1):
        sheet.polygon(
            np.array(
                [
                    [x + dx * s, y - s * 0.5],
                    [x + (dx + 0.24) * s, y - s * 0.5],
                    [x + (dx + 0.24) * s, y - s * 0.22],
                    [x + dx * s, y - s * 0.22],
                ]
            ),
            p.lamp,
        )
    sheet.polygon(
        np.array([[x - s * 0.24, y - s * 0.46], [x, y - s * 0.46], [x, y], [x - s * 0.24, y]]), scale(p.bark, 0.9)
    )
    slope = np.array(
        [
            [x - s * 1.22, y - s * 0.62],
            [x - s * 0.8, y - s * 1.25],
            [x + s * 0.8, y - s * 1.25],
            [x + s * 1.22, y - s * 0.62],
        ]
    )
    sheet.polygon(slope, tiles)
    sheet.lines(
        [
            np.array([[x + k * s * 0.82, y - s * 1.22], [x + k * s * 1.1, y - s * 0.64]])
            for k in np.linspace(-0.85, 0.85, 7)
        ],
        scale(tiles, 0.75),
        0.004,
    )
    if st.winter:
        low = np.array(
            [
                [x - s * 1.06, y - s * 0.86],
                [x - s * 0.8, y - s * 1.27],
                [x + s * 0.8, y - s * 1.27],
                [x + s * 1.06, y - s * 0.86],
            ]
        )
        sheet.polygon(low, p.snow)
    sheet.line(np.array([[x - s * 0.84, y - s * 1.25], [x + s * 0.84, y - s * 1.25]]), scale(tiles, 0.6), 0.011)


def village(st: Stage) -> None:
    """A cluster of houses at the foot of the hills, with a path and a few trees."""
    p = st.palette
    x = 0.5 + (st.x - 0.5) * 0.9
    backdrop.hills(st, 0.5, 0.26, 3)
    backdrop.land(st, 0.52)
    side = st.side
    backdrop.path(
        st,
        [(0.5 + side * 0.3, 1.02), (x + side * 0.16, 0.9), (x, 0.8)],
        0.12,
        0.04,
        mix(p.ground, p.land((240, 226, 196)), 0.7),
    )
    tiles = p.land((84, 88, 98))
    places = [(-0.12, 0.58, 0.075), (0.12, 0.6, 0.08), (0.0, 0.69, 0.1), (-0.14, 0.81, 0.115), (0.15, 0.84, 0.12)]
    for i, (dx, y, s) in enumerate(places):
        sheet = Layer()
        hx, hy = x + dx + st.vary(-0.02, 0.02), y + st.vary(-0.01, 0.015)
        if i in (0, 2, 4):
            tx = hx + (1 if dx < 0.1 else -1) * s * 1.35
            sheet.line(np.array([[tx, hy], [tx, hy - 0.1]]), p.bark, 0.012)
            sheet.polygon(blob(st.rng, tx, hy - 0.13, 0.06, 0.07, 0.25), p.leaf_dark)
            sheet.polygon(blob(st.rng, tx - 0.012, hy - 0.15, 0.044, 0.045, 0.25), p.snow if st.winter else p.leaf)
            if st.scene.season == "spring":
                sheet.dots(st.rng.normal((tx, hy - 0.13), 0.028, (7, 2)), 0.011, p.motif)
        _house(sheet, st, hx, hy, s * st.vary(0.92, 1.08), tiles)
        st.medium.lay(sheet)


def bridge(st: Stage) -> None:
    """A high arched stone bridge; its reflection closes the arch to a full circle."""
    p = st.palette
    horizon, deck = 0.52, st.vary(0.06, 0.09)
    backdrop.hills(st, horizon, 0.25, 3)
    backdrop.water(st, horizon)
    x, waterline, radius = 0.5 + st.vary(-0.05, 0.05), st.vary(0.68, 0.71), st.vary(0.155, 0.18)
    t = np.linspace(-1, 1, 50)
    span = 0.46
    crown = radius + deck
    top = np.stack([x + span * t, waterline - 0.02 - crown * np.exp(-((np.abs(t) * 1.75) ** 2))], 1)
    angle = np.linspace(0, np.pi, 36)
    arch = np.stack([x + radius * np.cos(angle), waterline - radius * 1.02 * np.sin(angle)], 1)
    stone = mix(p.stone, p.own((150, 150, 156) if st.winter else (212, 200, 180)), 0.75)
    body = np.vstack([top, [[x + span, waterline]], arch, [[x - span, waterline]]])
    sheet = Layer()
    sheet.polygon(body, stone)
    rim = [
        np.stack([x + radius * k * np.cos(angle), waterline - radius * 1.02 * k * np.sin(angle)], 1)
        for k in (1.02, 1.2)
    ]
    sheet.lines(rim, scale(stone, 0.5), 0.008)
    joints = [
        np.array(
            [
                [x + radius * 1.02 * np.cos(a), waterline - radius * 1.04 * np.sin(a)],
                [x + radius * 1.2 * np.cos(a), waterline - radius * 1.22 * np.sin(a)],
            ]
        )
        for a in np.linspace(0.2, 2.94, 11)
    ]
    sheet.lines(joints, scale(stone, 0.62), 0.004)
    rail = top - (0, 0.04)
    sheet.line(rail[3:-3], p.snow if st.winter else scale(stone, 0.72), 0.016 if st.winter else 0.01)
    sheet.lines([np.array([rail[i], top[i]]) for i in range(4, 47, 3)], scale(stone, 0.72), 0.008)
    sheet.line(top, p.snow if st.winter else scale(stone, 0.66), 0.016 if st.winter else 0.009)
    st.medium.lay(sheet.reflected(waterline, 1.0), opacity=0.55, outline=0.1, shadow=0)
    st.medium.lay(sheet)
    shore = Layer()
    for sign in (-1, 1):
        shore.polygon(ellipse(x + sign * 0.5, waterline + 0.01, 0.19, 0.045), p.ground)
        shore.polygon(ellipse(x + sign * 0.53, waterline + 0.03, 0.16, 0.03), p.shade)
        shore.polygon(blob(st.rng, x + sign * 0.45, waterline - 0.1, 0.075, 0.085, 0.25), p.leaf_dark)
        shore.polygon(
            blob(st.rng, x + sign * 0.46, waterline - 0.13, 0.056, 0.05, 0.25), p.snow if st.winter else p.leaf
        )
        if st.scene.season == "spring":
            shore.dots(st.rng.normal((x + sign * 0.45, waterline - 0.1), 0.035, (8, 2)), 0.012, p.motif)
    st.medium.lay(shore)
    backdrop.ripples(st, waterline, 8)
