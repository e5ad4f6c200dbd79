"""Plum, lotus and chrysanthemum, seen from near by."""

from __future__ import annotations

import numpy as np

from . import backdrop
from .canvas import Colour, Layer
from .palette import mix, scale
from .shapes import Points, blob, ellipse, petal, smooth
from .stage import Stage


def _plum_blossom(sheet: Layer, st: Stage, x: float, y: float, r: float, colour: Colour) -> None:
    """A round five-petal blossom with a ring of stamens."""
    turn = st.vary(0, 6.28)
    line = scale(colour, 0.66)
    for k in range(5):
        a = turn + k * 1.2566
        px, py = x + r * 0.58 * np.cos(a), y + r * 0.58 * np.sin(a)
        sheet.polygon(ellipse(px, py, r * 0.53, r * 0.53, 0, 18), line)
        sheet.polygon(ellipse(px, py, r * 0.46, r * 0.46, 0, 18), colour)
    centre = st.palette.own((250, 214, 96)) if st.scene.colour != "yellow" else st.palette.own((176, 84, 30))
    stamens = [
        np.array([[x, y], [x + r * 0.5 * np.cos(a), y + r * 0.5 * np.sin(a)]]) for a in turn + np.arange(10) * 0.6283
    ]
    sheet.lines(stamens, centre, 0.004)
    sheet.dots(np.array([[x, y]]), r * 0.2, centre)


def plum(st: Stage) -> None:
    """An old crooked plum branch with large blossoms and buds."""
    p = st.palette
    backdrop.hills(st, 0.66, 0.2, 2)
    backdrop.land(st, 0.72)
    x = 0.5 + (st.x - 0.5) * 0.88
    side = st.side
    colour = p.subject(st.scene.colour)
    backdrop.backing(st, x, 0.44, 0.34)
    bark = mix(p.bark, p.own((72, 50, 42)), 0.5)
    root = (x - side * 0.18, 1.02)
    trunk = smooth(
        [
            root,
            (x - side * 0.1, 0.78),
            (x + side * 0.02, 0.66),
            (x - side * 0.05, 0.46),
            (x + side * 0.06, 0.3),
            (x + side * 0.05, 0.13),
        ],
        8,
    )
    limbs = [(trunk, 0.085, 0.014)]
    for share, sign, reach, rise in (
        (0.42, 1, 0.25, 0.16),
        (0.52, -1, 0.22, 0.14),
        (0.68, 1, 0.23, 0.07),
        (0.78, -1, 0.19, 0.12),
    ):
        bx, by = trunk[int(share * (len(trunk) - 1))]
        dx = sign * side * reach * st.vary(0.85, 1.1)
        limbs.append(
            (
                smooth(
                    [
                        (bx, by),
                        (bx + dx * 0.5, by - rise * 0.25),
                        (bx + dx * 0.7, by - rise * 0.75),
                        (bx + dx, by - rise),
                    ],
                    6,
                ),
                0.034,
                0.008,
            )
        )
    wood = Layer()
    for spine, start, end in limbs:
        wood.stroke(spine, start, end, bark)
    knots = [trunk[i] + st.rng.uniform(-0.015, 0.015, 2) for i in range(3, 26, 3)]
    wood.dots(np.array(knots), 0.008, scale(bark, 0.65))
    if st.winter:
        for spine, start, _ in limbs[1:]:
            wood.stroke(spine[3:-2] - (0, start * 0.35), 0.02, 0.006, p.snow)
        wood.stroke(trunk[14:32] - (0.012, 0.0), 0.022, 0.008, p.snow)
    st.medium.lay(wood)
    sheet = Layer()
    places: list[Points] = [trunk[i] for i in (22, 29, 34, 39)]
    for spine, _, _ in limbs[1:]:
        places += [spine[i] for i in (7, 12, 18)]
    for bx, by in np.array(places) + st.rng.uniform(-0.022, 0.022, (len(places), 2)):
        if st.rng.random() < 0.14:
            sheet.dots(np.array([[bx, by]]), 0.018, colour)
        else:
            _plum_blossom(sheet, st, float(bx), float(by), st.vary(0.048, 0.062), colour)
    st.medium.lay(sheet)


def _pad(sheet: Layer, st: Stage, x: float, y: float, r: float, tone: Colour) -> None:
    """A round lotus leaf lying on the water, with its notch and veins."""
    t = np.linspace(0.25, 6.03, 34) + st.vary(0, 6.28)
    wave = 1 + 0.03 * np.sin(t * 7)
    rim = np.stack([x + r * wave * np.cos(t), y + r * 0.42 * wave * np.sin(t)], 1)
    sheet.polygon(np.vstack([rim, [[x, y]]]), tone)
    sheet.lines(
        [np.array([[x, y], (x + (rim[i, 0] - x) * 0.88, y + (rim[i, 1] - y) * 0.88)]) for i in range(1, 34, 4)],
        scale(tone, 0.72),
        0.005,
    )
    sheet.line(rim, scale(tone, 0.66), 0.005)
    if st.winter:
        sheet.polygon(blob(st.rng, x, y - r * 0.04, r * 0.58, r * 0.2, 0.2), st.palette.snow)


def _lotus_flower(sheet: Layer, st: Stage, x: float, y: float, r: float, colour: Colour) -> None:
    """An open lotus: three rings of pointed petals about a green seed head."""
    pale = mix(colour, (255, 255, 255), 0.3) if st.scene.colour != "white" else colour
    edge = scale(colour, 0.62)
    rings = ((1.0, np.linspace(-2.95, -0.19, 7), scale(colour, 0.82)), (0.96, np.linspace(-2.5, -0.64, 5), colour))
    for reach, angles, tone in rings:
        for a in angles:
            shape = petal(x, y, r * reach * (0.86 + 0.2 * abs(np.sin(a))), r * 0.52, a, 0.35)
            sheet.polygon(shape, tone)
            sheet.line(shape, edge, 0.004, closed=True)
    sheet.polygon(ellipse(x, y - r * 0.3, r * 0.2, r * 0.16), st.palette.own((226, 196, 70)))
    for a in (-2.25, -0.89, -1.57):
        shape = petal(x, y + r * 0.06, r * 0.66, r * 0.5, a, 0.35)
        sheet.polygon(shape, pale)
        sheet.line(shape, edge, 0.004, closed=True)
    for a in (-3.2, 0.06, -3.6, 0.46):
        shape = petal(x, y - r * 0.02, r * 0.86, r * 0.36, a, 0.35)
        sheet.polygon(shape, scale(colour, 0.94))
        sheet.line(shape, edge, 0.004, closed=True)


def lotus(st: Stage) -> None:
    """A pond of round leaves with one to four lotus flowers standing over it."""
    p = st.palette
    backdrop.hills(st, 0.34, 0.16, 2)
    backdrop.water(st, 0.36)
    tone = {"spring": (120, 180, 96), "summer": (36, 122, 76), "autumn": (176, 138, 62), "winter": (134, 146, 140)}[
        st.scene.season
    ]
    green = mix(p.land(tone), p.own(tone), 0.4)
    leaves = Layer()
    spots = [
        (0.1, 0.52, 0.1),
        (0.34, 0.5, 0.09),
        (0.62, 0.5, 0.1),
        (0.88, 0.53, 0.11),
        (0.22, 0.66, 0.15),
        (0.55, 0.65, 0.14),
        (0.84, 0.69, 0.16),
        (0.08, 0.82, 0.17),
        (0.42, 0.82, 0.19),
        (0.76, 0.87, 0.19),
    ]
    for x, y, r in spots:
        if st.rng.random() < 0.12:
            continue
        _pad(leaves, st, x + st.vary(-0.03, 0.03), y + st.vary(-0.015, 0.015), r, scale(green, st.vary(0.84, 1.1)))
    st.medium.lay(leaves, outline=0.8)
    colour = p.subject(st.scene.colour)
    count = st.scene.count
    jitter = st.vary(-0.03, 0.03)
    layouts = {
        1: [(0.5, 0.5, 0.27)],
        2: [(0.3, 0.44, 0.2), (0.7, 0.6, 0.22)],
        3: [(0.5, 0.38, 0.17), (0.24, 0.62, 0.185), (0.77, 0.64, 0.185)],
        4: [(0.29, 0.39, 0.15), (0.72, 0.41, 0.15), (0.25, 0.7, 0.165), (0.72, 0.73, 0.165)],
    }
    mirrored = st.rng.random() < 0.5
    for x, y, r in layouts[count]:
        x = (1 - x if mirrored else x) + jitter + st.vary(-0.015, 0.015)
        y += st.vary(-0.015, 0.015)
        backdrop.backing(st, x, y, r)
        sheet = Layer()
        stem = smooth([(x, y), (x + 0.02, y + 0.14), (x - 0.01, y + 0.3)], 6)
        sheet.stroke(stem, 0.016, 0.02, scale(green, 0.72))
        _lotus_flower(sheet, st, x, y + r * 0.2, r, colour)
        st.medium.lay(sheet)


def _chrysanthemum_head(sheet: Layer, st: Stage, x: float, y: float, r: float, colour: Colour) -> None:
    """A head of many narrow petals in four rings."""
    depth = 0.45 if st.scene.colour in ("white", "yellow") else 1.0
    for reach, number, dark in ((1.0, 22, 0.26), (0.82, 20, 0.14), (0.62, 16, 0.0), (0.4, 11, 0.06)):
        tone = 1 - dark * depth
        turn = st.vary(0, 1)
        for k in range(number):
            a = turn + k * 2 * np.pi / number
            shape = petal(x, y, r * reach * st.vary(0.92, 1.06), r * reach * 0.22, a, 0.9)
            sheet.polygon(shape, scale(colour, tone))
            sheet.line(shape, scale(colour, tone * 0.82), 0.003, closed=True)
    sheet.dots(np.array([[x, y]]), r * 0.12, scale(colour, 0.66))


def chrysanthemum(st: Stage) -> None:
    """One to four large chrysanthemum heads on leafy stems."""
    p = st.palette
    backdrop.hills(st, 0.64, 0.2, 2)
    backdrop.land(st, 0.7)
    colour = p.subject(st.scene.colour)
    tone = {"spring": (110, 170, 84), "summer": (38, 112, 58), "autumn": (138, 122, 56), "winter": (104, 128, 116)}[
        st.scene.season
    ]
    green = mix(p.land(tone), p.own(tone), 0.4)
    layouts = {
        1: [(0.5, 0.42, 0.26)],
        2: [(0.32, 0.38, 0.2), (0.69, 0.54, 0.2)],
        3: [(0.5, 0.3, 0.165), (0.26, 0.54, 0.17), (0.75, 0.56, 0.17)],
        4: [(0.3, 0.3, 0.15), (0.7, 0.32, 0.15), (0.27, 0.65, 0.155), (0.72, 0.67, 0.155)],
    }
    mirrored = st.rng.random() < 0.5
    heads = [
        ((1 - x if mirrored else x) + st.vary(-0.025, 0.025), y + st.vary(-0.02, 0.02), r * st.vary(0.94, 1.05))
        for x, y, r in layouts[st.scene.count]
    ]
    stems = Layer()
    for x, y, r in heads:
        stem = smooth([(0.5 + (x - 0.5) * 0.65, 1.0), (0.5 + (x - 0.5) * 0.75, 0.84), (x, y)], 8)
        stems.stroke(stem, 0.022, 0.014, scale(green, 0.8))
        for i in (3, 6, 9, 12):
            lx, ly = stem[min(i, len(stem) - 1)]
            if ly < y + r:
                continue
            sign = 1 if (i % 2 == 0) == (x < 0.5) else -1
            angle = st.vary(-0.75, -0.3) if sign > 0 else np.pi + st.vary(0.3, 0.75)
            for spread in (-0.6, 0.6, 0.0):
                stems.polygon(
                    petal(lx, ly, 0.15 if not spread else 0.1, 0.065, angle + spread, 0.2),
                    scale(green, 0.85 if spread else 1.05),
                )
            if st.winter:
                stems.polygon(blob(st.rng, lx + sign * 0.07, ly - 0.05, 0.035, 0.013), p.snow)
    st.medium.lay(stems)
    for x, y, r in heads:
        backdrop.backing(st, x, y, r * 1.3)
        sheet = Layer()
        _chrysanthemum_head(sheet, st, x, y, r, colour)
        if st.winter:
            for a in (-2.3, -1.8, -1.35, -0.8):
                sheet.polygon(
                    blob(st.rng, x + r * 0.8 * np.cos(a), y + r * 0.8 * np.sin(a), r * 0.17, r * 0.08, 0.2), p.snow
                )
        st.medium.lay(sheet)
