"""The five landscapes: mountain, waterfall, river, sea, desert."""

from __future__ import annotations

import numpy as np

from . import backdrop, seasons, weather
from .canvas import Colour, Layer
from .palette import mix, scale
from .shapes import Points, blob, ellipse, place, ridge, smooth, under
from .stage import Stage


def _massif(st: Stage, skyline: Points, bottom: float, colour: Colour, strength: float) -> None:
    """A mountain body: lit from above, with texture strokes down its face, snow on top in winter, mist at its foot."""
    p = st.palette
    top = float(skyline[:, 1].min())
    sheet = Layer()
    sheet.polygon(under(skyline, 1.06 if st.medium.name == "papercut" else bottom), colour)
    if st.medium.name != "papercut":
        sheet.blend(scale(colour, 0.72), top, (top + bottom) / 2, 0.75 * strength, 0.0)
        sheet.blend(p.haze, (top + bottom) / 2, bottom, 0.0, 0.85)
    _faces(st, sheet, skyline, bottom, colour, strength)
    if st.medium.name != "papercut":
        sheet.fade(bottom - 0.14, bottom)
    st.medium.lay(sheet, outline=strength)


def _faces(st: Stage, sheet: Layer, skyline: Points, bottom: float, colour: Colour, strength: float) -> None:
    """Shaded flanks beside each summit, and snow in winter."""
    p = st.palette
    y = skyline[:, 1]
    summits = [i for i in range(6, len(y) - 6) if y[i] == y[i - 6 : i + 7].min()]
    for i in summits:
        x0, y0 = skyline[i]
        tall = bottom - y0
        if tall < 0.2:
            continue
        lean = st.vary(0.02, 0.05)
        spine = [
            (x0, y0),
            (x0 + lean, y0 + tall * 0.2),
            (x0 - lean * 0.3, y0 + tall * 0.38),
            (x0 + lean, y0 + tall * 0.6),
        ]
        right = skyline[i : i + 13 : 2]
        shade = np.vstack([smooth(spine, 5), right[::-1] + (0, 0.004)])
        sheet.polygon(shade, mix(colour, scale(colour, 0.66), 0.75 * strength))
        if st.winter:
            left, far_right = skyline[max(0, i - 7)], skyline[min(len(y) - 1, i + 7)]
            zigzag = [
                far_right,
                (x0 + 0.03, y0 + tall * 0.1),
                (x0 + 0.012, y0 + tall * 0.2),
                (x0 - 0.02, y0 + tall * 0.11),
            ]
            cap = np.vstack([skyline[max(0, i - 7) : i + 8], zigzag, [left]])
            sheet.polygon(cap, p.snow)


def mountain(st: Stage) -> None:
    """Great layered peaks above the mist."""
    p = st.palette
    main = st.vary(0.38, 0.62)
    skyline = ridge(st.rng, 0.8, 0.52, [(main - 0.36, 0.85, 0.16), (main + 0.36, 0.8, 0.16), (main, 0.7, 0.2)], 0.3)
    _massif(st, skyline, 0.8, mix(p.far, p.sky_bottom, 0.15), 0.5)
    st.medium.haze(0.46, 0.74, 0.6)
    weather.behind(st)
    skyline = ridge(st.rng, 0.88, 0.74, [(main, 1.0, 0.15), (main - 0.17, 0.62, 0.1), (main + 0.18, 0.7, 0.11)], 0.26)
    _massif(st, skyline, 0.88, mix(p.far, p.near, 0.6), 0.9)
    st.medium.haze(0.6, 0.86, 0.7)
    side = 1 if st.rng.random() < 0.5 else -1
    skyline = ridge(st.rng, 1.0, 0.46, [(0.5 - 0.48 * side, 1.0, 0.18), (0.5 + 0.5 * side, 0.62, 0.2)], 0.24)
    _massif(st, skyline, 1.04, p.near, 1.0)
    meadow = Layer()
    meadow.polygon(under(ridge(st.rng, 0.91, 0.04, [(0.2, 1, 0.3), (0.8, 1, 0.3)], 0.1)), mix(p.ground, p.shade, 0.3))
    meadow.blend(mix(p.ground, p.haze, 0.5), 0.86, 0.95, 1.0, 0.0)
    st.medium.lay(meadow, outline=0.4, shadow=0.6)
    backdrop.trees(st, 0.9, 5, 0.055)


def waterfall(st: Stage) -> None:
    """A tall white cascade between two cliffs, with spray and a pool."""
    p = st.palette
    x, half = st.x, st.vary(0.065, 0.085)
    backdrop.hills(st, 0.5, 0.26, 2)
    top, foot = st.vary(0.2, 0.25), 0.8
    rock = mix(p.near, p.stone, 0.35)
    back = Layer()
    back.polygon(
        np.array([[x - half, top + 0.01], [x + half, top + 0.01], [x + 0.12, foot], [x - 0.12, foot]]),
        scale(rock, 0.55),
    )
    st.medium.lay(back, outline=0.3)
    backdrop.water(st, foot - 0.02)
    fall = Layer()
    t = np.linspace(0, 1, 14)
    sway = 0.012 * np.sin(t * 5 + st.vary(0, 6))
    y = top + (foot - top) * t
    left = np.stack([x - half * (0.8 + 0.45 * t) + sway, y], 1)
    right = np.stack([x + half * (0.8 + 0.45 * t) + sway, y], 1)
    white = st.palette.own((250, 253, 255))
    fall.polygon(np.vstack([left, right[::-1]]), white)
    for share in np.linspace(0.12, 0.88, 6) + st.rng.uniform(-0.05, 0.05, 6):
        thread = left + (right - left) * share
        fall.line(thread[int(st.rng.integers(0, 4)) :], mix(white, p.own((112, 164, 204)), 0.55), 0.006)
    st.medium.lay(fall, outline=0.5)
    for side, edge in ((-1, left), (1, right)):
        _cliff(st, x, side, edge, half, rock)
    spray = Layer()
    for dx in np.linspace(-1.5, 1.5, 7):
        spray.polygon(blob(st.rng, x + dx * half, foot + 0.01, 0.05, 0.03, 0.2), white)
    st.medium.lay(spray, opacity=0.85, soft=0.01, outline=0, shadow=0.5)
    seasons.rocks(st, x + st.side * 0.26, 0.87, 0.08)


def _cliff(st: Stage, x: float, side: int, edge: Points, half: float, rock: Colour) -> None:
    """The rock wall on one side of a fall: a broken crest that steps down outwards, facets, and trees on top."""
    p = st.palette
    top, foot = float(edge[0, 1]), float(edge[-1, 1]) + 0.03
    out = np.array([0.0, 0.05, 0.13, 0.22, 0.34, 0.48, 0.66, 1.0])
    drop = np.array([-0.03, -0.09, -0.12, -0.05, 0.04, 0.2, 0.32, 0.42]) + st.rng.uniform(-0.025, 0.025, 8)
    crest = smooth(np.stack([x + side * (half * 0.8 + out), top + drop], 1), 6)
    crest[:, 1] += st.rng.uniform(-0.008, 0.008, len(crest))
    sheet = Layer()
    sheet.polygon(np.vstack([edge[::-1] + (side * 0.004, 0), crest, [[x + side * 1.1, foot + 0.06]]]), rock)
    if st.medium.name != "papercut":
        sheet.blend(scale(rock, 0.62), top - 0.1, foot, 0.0, 0.9)
    for i in (10, 16, 22, 28, 33):
        cx, cy = crest[i]
        tall = foot - cy
        facet = [
            (cx, cy + 0.01),
            (cx - side * 0.035, cy + tall * 0.3),
            (cx - side * 0.01, cy + tall * 0.55),
            (cx - side * 0.03, cy + tall * 0.85),
        ]
        spine = smooth(facet, 5)
        sheet.polygon(np.vstack([spine, (spine + (side * 0.05, 0.03))[::-1][3:]]), scale(rock, 0.72))
        sheet.line(spine, scale(rock, 0.5), 0.006)
    for i in range(5, 38, 5):
        cx, cy = crest[i]
        size = st.vary(0.8, 1.15)
        sheet.polygon(blob(st.rng, cx, cy, 0.05 * size, 0.034 * size, 0.25), p.leaf_dark)
        sheet.polygon(
            blob(st.rng, cx - 0.008, cy - 0.014, 0.038 * size, 0.02 * size, 0.25), p.snow if st.winter else p.leaf
        )
    st.medium.lay(sheet)


def river(st: Stage) -> None:
    """An S-shaped river that widens towards the viewer between its banks."""
    p = st.palette
    horizon = st.vary(0.36, 0.41)
    backdrop.hills(st, horizon, 0.24, 3)
    backdrop.land(st, horizon)
    side = 1 if st.rng.random() < 0.5 else -1
    bend = st.vary(0.85, 1.1)
    depth = np.linspace(0, 1, 60)
    centre = 0.5 + side * bend * (0.04 + 0.26 * depth) * np.sin(depth**0.75 * 6.6 + 0.3)
    width = 0.025 + 0.42 * depth**1.3
    y = horizon + 0.03 + (1.03 - horizon) * depth**1.25
    left, right = np.stack([centre - width / 2, y], 1), np.stack([centre + width / 2, y], 1)
    stream = mix(p.water, p.own((92, 160, 214)), 0.6)
    shore = Layer()
    shore.polygon(np.vstack([left - (0.014, 0), (right + (0.014, 0))[::-1]]), p.shade)
    st.medium.lay(shore, outline=0.6)
    sheet = Layer()
    sheet.polygon(np.vstack([left, right[::-1]]), stream)
    glint = mix(stream, (255, 255, 255), 0.5 if not p.night else 0.25)
    for share in (0.3, 0.5, 0.7):
        start = int(st.rng.integers(14, 30))
        sheet.line((left + (right - left) * share)[start : start + 18], glint, 0.005)
    st.medium.lay(sheet, outline=0.7, shadow=0.3)
    grove = Layer()
    for i in (24, 34, 44):
        bank = right if (centre[i] < 0.5) else left
        away = 1 if (centre[i] < 0.5) else -1
        x, size = float(bank[i, 0] + away * (0.09 + 0.05 * depth[i])), 0.06 + 0.09 * float(depth[i])
        ty = float(y[i])
        grove.stroke(np.array([[x, ty], [x, ty - size * 0.5], [x, ty - size]]), 0.018, 0.01, p.bark)
        grove.polygon(blob(st.rng, x, ty - size, size * 0.52, size * 0.5, 0.25), p.leaf_dark)
        grove.polygon(
            blob(st.rng, x - size * 0.1, ty - size * 1.15, size * 0.38, size * 0.32, 0.25),
            p.snow if st.winter else p.leaf,
        )
        if st.scene.season == "spring":
            grove.dots(st.rng.normal((x, ty - size), size * 0.22, (6, 2)), 0.012, p.motif)
    st.medium.lay(grove, outline=0.8)


def sea(st: Stage) -> None:
    """Rows of overlapping wave scales under a high horizon, with one breaking crest."""
    p = st.palette
    horizon = st.vary(0.36, 0.42)
    island = Layer()
    x = st.vary(0.25, 0.75)
    island.polygon(
        under(ridge(st.rng, horizon + 0.01, 0.13, [(x, 1, 0.09), (x + 0.14, 0.6, 0.08)], 0.12), horizon + 0.02), p.near
    )
    st.medium.lay(island, outline=0.6)
    deep = p.own((28, 92, 150)) if st.medium.name != "ink" else p.land((96, 124, 150))
    deep = mix(deep, p.water, 0.15)
    foam = p.own((250, 252, 255))
    base = Layer()
    base.polygon(np.array([[-0.05, horizon], [1.05, horizon], [1.05, 1.05], [-0.05, 1.05]]), mix(deep, p.haze, 0.45))
    st.medium.lay(base, outline=0.4, shadow=0.5)
    y, row = horizon + 0.05, 0
    while y < 1.08:
        depth = (y - horizon) / (1 - horizon)
        radius = 0.055 + 0.1 * depth
        sheet = Layer()
        offset = (row % 2) * radius + st.vary(-0.01, 0.01)
        for cx in np.arange(-radius + offset - radius, 1 + 2 * radius, 2 * radius):
            for k, share in enumerate((1.0, 0.9, 0.6, 0.3)):
                tone = (
                    mix(foam, deep, 0.12)
                    if k == 0
                    else mix(deep, foam if k % 2 == 0 else p.haze, 0.4 * (1 - depth) + 0.1 * k)
                )
                sheet.polygon(ellipse(cx, y + radius * 0.3, radius * share, radius * share * 0.8, 0, 24), tone)
        st.medium.lay(sheet, outline=0.3, shadow=0.5)
        y += radius * 0.72
        row += 1
    _crest(st, deep, foam)


def _crest(st: Stage, deep: Colour, foam: Colour) -> None:
    """The breaking wave: a curl with fingers of foam."""
    side = 1 if st.rng.random() < 0.5 else -1
    cx, cy, s = 0.5 - side * st.vary(0.08, 0.2), st.vary(0.7, 0.76), st.vary(0.9, 1.1)
    body = [
        (-0.42, 0.24),
        (-0.28, 0.06),
        (-0.1, -0.12),
        (0.1, -0.2),
        (0.24, -0.13),
        (0.25, -0.02),
        (0.17, -0.06),
        (0.07, -0.03),
        (0.06, 0.08),
        (0.16, 0.18),
        (0.34, 0.25),
    ]
    outline = smooth(body, 6) * s * (side, 1) + (cx, cy)
    sheet = Layer()
    sheet.polygon(outline, deep)
    for lift in (0.3, 0.55, 0.8):
        line = smooth([(-0.36, 0.24), (-0.16, 0.06), (0.0, -0.08 * (1 - lift) - 0.02), (0.04, 0.1), (0.12, 0.2)], 5)
        sheet.line(line * (s * side * (1 - 0.15 * lift), s) + (cx, cy + 0.06 * lift), mix(deep, foam, 0.35), 0.006)
    for px, py in smooth(body[1:6], 3):
        for _ in range(2):
            r = st.vary(0.016, 0.036)
            fx, fy = cx + side * px * s + st.vary(-0.014, 0.014), cy + py * s + st.vary(-0.008, 0.022)
            sheet.polygon(blob(st.rng, fx, fy, r, r * 0.8, 0.35), foam)
    drops = np.stack([cx + side * s * st.rng.uniform(0.05, 0.38, 8), cy + s * st.rng.uniform(-0.24, 0.02, 8)], 1)
    sheet.dots(drops, 0.008, foam)
    st.medium.lay(sheet)


def desert(st: Stage) -> None:
    """S-curved dunes with a lit and a shaded side, and a straight column of smoke."""
    p = st.palette
    sand = mix(p.land((240, 200, 124)), p.ground, 0.42 if st.winter else 0.16)
    shade = mix(p.land((190, 132, 74)), p.shade, 0.5 if st.winter else 0.16)
    far = Layer()
    far.polygon(
        under(ridge(st.rng, 0.5, 0.16, [(st.vary(0.1, 0.3), 1, 0.2), (st.vary(0.6, 0.9), 0.8, 0.2)], 0.06), 0.6),
        mix(p.far, p.sky_bottom, 0.3),
    )
    st.medium.lay(far, outline=0.5)
    side = 1 if st.rng.random() < 0.5 else -1
    smoke = Layer()
    x = 0.5 + side * st.vary(0.1, 0.2)
    smoke.stroke(np.array([[x, 0.52], [x + 0.003, 0.35], [x - 0.004, 0.2]]), 0.012, 0.03, p.land((120, 112, 108)))
    smoke.fade(0.18, 0.36, 0.15, 0.9)
    st.medium.lay(smoke, outline=0, soft=0.003)
    for i, (top, tall) in enumerate(((0.5, 0.12), (0.6, 0.2), (0.76, 0.22))):
        way = side if i % 2 == 0 else -side
        px = 0.5 - way * st.vary(0.08, 0.26)
        dune = Layer()
        skyline = ridge(st.rng, top + 0.08, tall, [(px, 1.0, 0.3), (px + way * 0.6, 0.4, 0.3)], 0.0)
        lit = mix(sand, p.haze, 0.3 - 0.15 * i)
        dune.polygon(under(skyline), lit)
        peak = skyline[int(np.argmin(skyline[:, 1]))]
        curve = smooth(
            [
                tuple(peak),
                (peak[0] + way * 0.1, top + 0.06),
                (peak[0] - way * 0.06, top + 0.17),
                (peak[0] + way * 0.16, top + 0.42),
            ],
            8,
        )
        beyond = skyline[skyline[:, 0] > peak[0]] if way > 0 else skyline[skyline[:, 0] < peak[0]][::-1]
        dune.polygon(np.vstack([curve[::-1], beyond, [[0.5 + way * 0.6, 1.05]]]), mix(shade, p.haze, 0.2 - 0.1 * i))
        st.medium.lay(dune, outline=0.7)
        if i == 1:
            _caravan(st, skyline)


def _caravan(st: Stage, crest: Points) -> None:
    """Three camels in a row along a dune's crest."""
    camel = smooth(
        [
            (-0.62, -0.5),
            (-0.4, -0.74),
            (-0.26, -1.0),
            (-0.1, -0.76),
            (0.06, -0.98),
            (0.24, -0.7),
            (0.42, -0.62),
            (0.56, -1.0),
            (0.78, -1.06),
            (0.8, -0.94),
            (0.66, -0.88),
            (0.56, -0.46),
            (0.3, -0.36),
            (-0.5, -0.34),
        ],
        4,
    )
    way = 1 if st.rng.random() < 0.5 else -1
    colour = mix(st.palette.own((96, 58, 36)), st.palette.land((96, 58, 36)), 0.4)
    sheet, start, size = Layer(), st.vary(0.3, 0.42), st.vary(0.075, 0.085)
    for k in range(3):
        x = start + 0.16 * k
        y = float(np.interp(x, crest[:, 0], crest[:, 1])) + 0.03
        sheet.polygon(place(camel, x, y, size, way < 0), colour)
        legs = [
            place([(lx, -0.45), (lx + lean, 0.06)], x, y, size, way < 0)
            for lx, lean in ((-0.46, -0.06), (-0.32, 0.06), (0.3, -0.05), (0.42, 0.08))
        ]
        sheet.lines(legs, colour, 0.008)
    st.medium.lay(sheet, outline=0.5)
