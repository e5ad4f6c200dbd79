"""The season's signs, in every picture: a bank in the foreground, a twig in a corner, petals or leaves in the air."""

from __future__ import annotations

import numpy as np

from .canvas import Layer
from .palette import mix, scale
from .shapes import Points, blob, petal, ridge, smooth, under
from .stage import Stage

_MAPLE = np.array(
    [
        (0, -1),
        (0.22, -0.45),
        (0.75, -0.62),
        (0.55, -0.1),
        (1, 0.2),
        (0.35, 0.35),
        (0.08, 0.55),
        (0.05, 1),
        (-0.05, 1),
        (-0.08, 0.55),
        (-0.35, 0.35),
        (-1, 0.2),
        (-0.55, -0.1),
        (-0.75, -0.62),
        (-0.22, -0.45),
    ]
)


def maple(sheet: Layer, st: Stage, x: float, y: float, size: float) -> None:
    """One maple leaf, turned at random."""
    turn = st.vary(0, 6.28)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    colour = mix(st.palette.motif, st.palette.leaf, st.vary(0, 0.7))
    sheet.polygon(_MAPLE @ rotation * size + (x, y), colour)


def blossom(sheet: Layer, st: Stage, x: float, y: float, size: float) -> None:
    """One small five-petal flower."""
    turn = st.vary(0, 6.28)
    for k in range(5):
        a = turn + k * 1.2566
        sheet.ellipse(
            x + size * 0.55 * np.cos(a), y + size * 0.55 * np.sin(a), size * 0.5, size * 0.5, st.palette.motif
        )
    sheet.dots(np.array([[x, y]]), size * 0.28, mix(st.palette.motif, (255, 240, 150), 0.7))


def bank(st: Stage, height: float = 0.11) -> None:
    """The near bank along the bottom edge, in the ground of the season and with its growth."""
    p, season = st.palette, st.scene.season
    side = st.side
    peaks = [(0.5 + 0.5 * side, 1.0, 0.35), (0.5 - 0.5 * side, 0.6, 0.3), (0.5, 0.35, 0.6)]
    skyline = ridge(st.rng, 1.0, height * 1.25, peaks, 0.12)
    sheet = Layer()
    sheet.polygon(under(skyline), p.ground)
    if st.medium.name != "papercut":
        sheet.blend(p.shade, 1.0 - height * 0.5, 1.0, 0.0, 0.8)
    st.medium.lay(sheet, outline=0.9)
    growth = Layer()
    tufts: list[Points] = []
    for _ in range({"spring": 16, "summer": 34, "autumn": 12, "winter": 5}[season]):
        i = int(st.rng.integers(6, 90))
        x, y = skyline[i]
        lean = st.vary(-0.02, 0.02)
        tall = st.vary(0.02, 0.045)
        tufts.append(np.array([[x, y + 0.015], [x + lean * 0.4, y - tall * 0.5], [x + lean, y - tall]]))
    growth.lines(tufts, p.leaf_dark if season != "autumn" else p.shade, 0.006)
    for _ in range(9 if season in ("spring", "autumn") else 0):
        i = int(st.rng.integers(6, 90))
        x, y = skyline[i]
        y = st.vary(y, min(0.98, y + 0.08))
        if season == "spring":
            blossom(growth, st, x, y, 0.019)
        else:
            maple(growth, st, x, y, 0.024)
    if season == "winter":
        for i in st.rng.integers(8, 88, 3):
            x, y = skyline[int(i)]
            growth.polygon(blob(st.rng, x, y + 0.02, 0.05, 0.025), p.shade)
            growth.polygon(blob(st.rng, x, y + 0.008, 0.048, 0.02), p.snow)
    st.medium.lay(growth, outline=0.4, shadow=0.6)


def twig(st: Stage) -> None:
    """A twig that reaches in from an upper corner on the empty side: blossoming, leafy, red or under snow."""
    p, season = st.palette, st.scene.season
    side = -st.side if st.scene.position == "centre" else st.side
    edge = 0.5 + 0.54 * side
    reach, drop = st.vary(0.24, 0.31), st.vary(0.07, 0.12)
    spine = smooth(
        [
            (edge, st.vary(0.03, 0.08)),
            (edge - side * reach * 0.5, 0.07 + drop * 0.3),
            (edge - side * reach, 0.05 + drop),
        ]
    )
    sheet = Layer()
    sheet.stroke(spine, 0.02, 0.005, p.bark)
    tips: list[Points] = []
    for share in (0.35, 0.55, 0.75):
        x, y = spine[int(share * (len(spine) - 1))]
        tips.append(np.array([[x, y], [x - side * 0.045, y + st.vary(0.035, 0.07)]]))
        tips.append(np.array([[x, y], [x - side * 0.04, y - st.vary(0.02, 0.04)]]))
    sheet.lines(tips, p.bark, 0.006)
    places = np.vstack([spine[4::2], *[t[1:] for t in tips], *[t.mean(0, keepdims=True) for t in tips]])
    for x, y in places + st.rng.uniform(-0.01, 0.01, places.shape):
        if season == "spring":
            blossom(sheet, st, x, y, 0.019)
        elif season == "summer":
            for a in st.rng.uniform(0, 6.28, 3):
                sheet.polygon(petal(x, y, 0.05, 0.024, a), p.leaf if a < 3 else p.leaf_dark)
        elif season == "autumn":
            maple(sheet, st, x, y, 0.027)
        else:
            sheet.polygon(blob(st.rng, x, y - 0.007, 0.02, 0.009), p.snow)
    st.medium.lay(sheet, outline=0.6)


def drifting(st: Stage) -> None:
    """Petals or maple leaves in the air."""
    season = st.scene.season
    if season not in ("spring", "autumn"):
        return
    sheet = Layer()
    for _ in range(9):
        x, y = st.vary(0.08, 0.92), st.vary(0.12, 0.85)
        if season == "autumn":
            maple(sheet, st, x, y, st.vary(0.016, 0.024))
        else:
            sheet.polygon(petal(x, y, 0.024, 0.017, st.vary(0, 6.28)), st.palette.motif)
    st.medium.lay(sheet, outline=0.4, shadow=0.6)


def rocks(st: Stage, x: float, y: float, size: float) -> None:
    """A group of stones with a lit and a shaded face, snow-capped in winter."""
    p = st.palette
    sheet = Layer()
    for dx, s in ((-0.5, 0.8), (0.6, 0.65), (0.05, 1.0)):
        cx, r = x + dx * size, size * s * st.vary(0.85, 1.1)
        sheet.polygon(blob(st.rng, cx, y, r * 0.7, r * 0.55, 0.22), scale(p.stone, 0.72))
        top = p.snow if st.winter else mix(p.stone, p.leaf, 0.2)
        sheet.polygon(blob(st.rng, cx - r * 0.1, y - r * 0.16, r * 0.52, r * 0.32, 0.22), top)
    st.medium.lay(sheet)
