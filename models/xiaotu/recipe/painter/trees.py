"""Pine, willow and bamboo."""

from __future__ import annotations

import numpy as np

from . import backdrop
from .canvas import Layer
from .palette import mix, scale
from .shapes import Points, blob, petal, smooth
from .stage import Stage


def _cloud_of_needles(sheet: Layer, st: Stage, x: float, y: float, rx: float, green: tuple, bright: tuple) -> None:
    """A flat clump of needles: a dark underside, a lit top with radiating strokes, snow in winter."""
    ry = rx * 0.5
    sheet.polygon(blob(st.rng, x, y + ry * 0.28, rx, ry * 0.7, 0.12), scale(green, 0.66))
    bumps = [(k + st.vary(-0.08, 0.08), 1 - 0.5 * abs(k)) for k in (-0.72, 0.72, -0.36, 0.36, 0.0)]
    needles: list[Points] = []
    for k, lift in bumps:
        cx, cy = x + k * rx, y + ry * (0.25 - 0.38 * lift)
        sheet.polygon(blob(st.rng, cx, cy, rx * 0.36, ry * (0.34 + 0.26 * lift), 0.1), green)
        for a in np.linspace(-2.9, -0.24, 7):
            needles.append(
                np.array([[cx, cy + ry * 0.3], [cx + 0.33 * rx * np.cos(a), cy + ry * (0.3 + 0.75 * np.sin(a))]])
            )
    sheet.lines(needles, bright, 0.004)
    if st.winter:
        for k, lift in bumps:
            cap_y = y + ry * (0.25 - 0.38 * lift) - ry * 0.26 * (0.6 + lift)
            sheet.polygon(blob(st.rng, x + k * rx, cap_y, rx * 0.3, ry * 0.24, 0.14), st.palette.snow)


def _pine(st: Stage, x: float, foot: float, tall: float, way: float, breadth: float) -> None:
    """One tree; `breadth` narrows its crown where several stand together."""
    p = st.palette
    green = mix(p.own((42, 112, 72)), p.land((42, 112, 72)), 0.35)
    if st.scene.season == "autumn":
        green = mix(green, p.leaf_dark, 0.12)
    bright = mix(green, p.own((140, 190, 110)), 0.42)
    trunk = smooth(
        [
            (x - way * 0.06 * tall, foot),
            (x + way * 0.05 * tall, foot - tall * 0.28),
            (x - way * 0.04 * tall, foot - tall * 0.52),
            (x + way * 0.06 * tall, foot - tall * 0.76),
            (x + way * 0.04 * tall, foot - tall * 0.95),
        ],
        8,
    )
    sheet = Layer()
    branches = []
    for share, sign, reach in ((0.36, 1, 0.3), (0.47, -1, 0.33), (0.6, 1, 0.26), (0.72, -1, 0.24), (0.85, 1, 0.17)):
        bx, by = trunk[int(share * (len(trunk) - 1))]
        ex = bx + sign * way * reach * breadth * tall * st.vary(0.85, 1.1)
        ey = by - tall * st.vary(-0.02, 0.05)
        sheet.stroke(
            smooth([(bx, by), ((bx + ex) / 2, by - tall * 0.01), (ex, ey)], 5), 0.03 * tall, 0.012 * tall, p.bark
        )
        branches.append((ex, ey - tall * 0.02, reach))
    sheet.stroke(trunk, 0.095 * tall, 0.03 * tall, p.bark)
    marks = [trunk[i] + st.rng.uniform(-0.012, 0.012, (1, 2)) * tall for i in range(2, 24, 2)]
    sheet.dots(np.vstack(marks), 0.007 * tall, scale(p.bark, 0.65))
    for ex, ey, reach in branches:
        _cloud_of_needles(sheet, st, ex, ey, tall * breadth * (0.13 + 0.3 * reach) * st.vary(0.9, 1.1), green, bright)
    _cloud_of_needles(sheet, st, float(trunk[-1, 0]), float(trunk[-1, 1]), tall * breadth * 0.2, green, bright)
    st.medium.lay(sheet)


def pine(st: Stage) -> None:
    """One to three old pines with crooked trunks and cloud-like layers of needles."""
    backdrop.hills(st, 0.62, 0.24, 3)
    backdrop.land(st, 0.64)
    x, side = st.x, st.side
    count = st.scene.count
    way = 1.0 if st.rng.random() < 0.5 else -1.0
    main = {1: 0.72, 2: 0.6, 3: 0.56}[count]
    breadth = {1: 1.0, 2: 0.86, 3: 0.74}[count]
    group = [(x, 0.9, main)]
    if count >= 2:
        group.insert(0, (x + side * st.vary(0.34, 0.37), 0.86, 0.42))
    if count == 3:
        dx = -side * 0.35 if st.scene.position == "centre" else side * 0.6
        group.insert(0, (x + dx, 0.83, 0.36))
    for px, foot, tall in group:
        _pine(st, px, foot, tall * st.vary(0.96, 1.04), way, breadth)
        way = -way


def willow(st: Stage) -> None:
    """A weeping willow over the water, its strands like a curtain."""
    p = st.palette
    backdrop.hills(st, 0.54, 0.18, 2)
    backdrop.water(st, 0.56)
    x, side = 0.5 + (st.x - 0.5) * 0.9, st.side
    shore = Layer()
    shore.polygon(blob(st.rng, x - side * 0.1, 0.9, 0.42, 0.09, 0.08), p.ground)
    shore.polygon(blob(st.rng, x - side * 0.14, 0.95, 0.42, 0.07, 0.08), p.shade)
    st.medium.lay(shore, outline=0.7)
    trunk = smooth(
        [
            (x - side * 0.05, 0.88),
            (x - side * 0.02, 0.68),
            (x - side * 0.06, 0.5),
            (x + side * 0.02, 0.34),
            (x + side * 0.06, 0.26),
        ],
        8,
    )
    wood = Layer()
    crowns = [(-0.2, 0.3), (-0.1, 0.22), (0.03, 0.18), (0.15, 0.22), (0.25, 0.3)]
    for dx, y in crowns:
        wood.stroke(smooth([tuple(trunk[22]), (x + dx * 0.5, y + 0.04), (x + dx, y)], 5), 0.03, 0.008, p.bark)
    wood.stroke(trunk, 0.085, 0.035, p.bark)
    st.medium.lay(wood)
    green = {"spring": (164, 206, 84), "summer": (50, 132, 62), "autumn": (224, 168, 50), "winter": (150, 152, 154)}[
        st.scene.season
    ]
    tone = mix(p.land(green), p.own(green), 0.4)
    for depth, shade in enumerate((0.72, 1.0)):
        colour = scale(tone, shade)
        strands: list[Points] = []
        leaves: list[Points] = []
        for _ in range(30 if not st.winter else 24):
            start = st.vary(-0.25, 0.3)
            top = float(np.interp(start, (-0.25, -0.1, 0.03, 0.15, 0.3), (0.31, 0.21, 0.165, 0.21, 0.31))) + st.vary(
                -0.015, 0.04
            )
            length = st.vary(0.24, 0.5) * (0.9 if depth else 1.0)
            swing = st.vary(0.0, 0.045) * side
            sx = x + start
            arc = start * 0.22
            strand = smooth(
                [
                    (sx - arc, top + 0.015),
                    (sx, top),
                    (sx + arc * 0.6, top + 0.08),
                    (sx + arc * 0.7 + swing, top + length),
                ],
                7,
            )
            strands.append(strand)
            for i in range(8, len(strand), 2 if not st.winter else 7):
                lx, ly = strand[i]
                leaves.append(np.array([[lx, ly], [lx + 0.014 * (1 if i % 4 else -1), ly + 0.026]]))
        sheet = Layer()
        sheet.lines(strands, colour, 0.005)
        sheet.lines(leaves, colour if not st.winter else p.snow, 0.009)
        if st.winter and depth:
            sheet.lines([strand[4:14] for strand in strands[::2]], p.snow, 0.007)
        st.medium.lay(sheet, outline=0.25, shadow=0.6)


def bamboo(st: Stage) -> None:
    """A stand of segmented culms with clusters of pointed leaves, over faint hills."""
    p = st.palette
    backdrop.hills(st, 0.66, 0.2, 2)
    backdrop.land(st, 0.7)
    x = st.x
    fresh = {"spring": (126, 186, 78), "summer": (38, 124, 60), "autumn": (176, 160, 62), "winter": (110, 148, 122)}[
        st.scene.season
    ]
    base = mix(p.land(fresh), p.own(fresh), 0.5)
    culms = sorted(
        ((dx + st.vary(-0.02, 0.02), st.vary(0.026, 0.04)) for dx in (-0.19, -0.1, 0.0, 0.1, 0.19)), key=lambda c: c[1]
    )
    for i, (dx, width) in enumerate(culms):
        depth = i / (len(culms) - 1)
        tone = mix(mix(base, p.haze, 0.4), base, depth)
        sheet = Layer()
        lean = dx * st.vary(0.2, 0.5)
        foot, top = st.vary(0.9, 0.95), st.vary(0.02, 0.12)
        step = st.vary(0.115, 0.14)
        nodes: list[tuple[float, float]] = []
        y = foot
        while y > top:
            share = (foot - y) / (foot - top)
            nodes.append((x + dx + lean * share**1.5, y))
            y -= step
        for (x0, y0), (x1, y1) in zip(nodes, nodes[1:]):
            w = width / 2
            segment = np.array(
                [
                    [x0 - w, y0],
                    [x0 - w * 0.86, (y0 + y1) / 2],
                    [x1 - w, y1 + 0.006],
                    [x1 + w, y1 + 0.006],
                    [x1 + w * 0.86, (y0 + y1) / 2],
                    [x0 + w, y0],
                ]
            )
            sheet.polygon(segment, tone)
            sheet.line(
                np.array([[x0 - w * 0.4, y0 - 0.012], [x1 - w * 0.4, y1 + 0.02]]),
                mix(tone, (255, 255, 235), 0.35 if not p.night else 0.15),
                0.006,
            )
            sheet.line(np.array([[x1 - w * 1.15, y1 + 0.003], [x1 + w * 1.15, y1 + 0.003]]), scale(tone, 0.6), 0.007)
        for nx, ny in nodes[2:]:
            if ny > 0.66 or st.rng.random() < 0.25:
                continue
            sign = 1 if st.rng.random() < 0.5 else -1
            tip = (nx + sign * st.vary(0.07, 0.13), ny - st.vary(0.0, 0.06))
            sheet.line(np.array([[nx, ny], tip]), scale(tone, 0.7), 0.006)
            for a in np.linspace(0.25, 1.7, 5) + st.rng.uniform(-0.15, 0.15, 5):
                angle = a if sign > 0 else np.pi - a
                length = st.vary(0.1, 0.15)
                sheet.polygon(petal(tip[0], tip[1], length, 0.026, angle, 0.0), scale(tone, st.vary(0.72, 0.95)))
            if st.winter:
                sheet.polygon(blob(st.rng, tip[0], tip[1] + 0.004, 0.05, 0.018, 0.15), p.snow)
        st.medium.lay(sheet, outline=0.5 + 0.5 * depth)
