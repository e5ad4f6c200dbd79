"""Sky bodies, distant hills, land and water: what lies behind the subject."""

from __future__ import annotations

import numpy as np

from . import weather
from .canvas import Colour, Layer
from .palette import mix, scale
from .shapes import Points, blob, ridge, smooth, under
from .stage import Stage


def sky(st: Stage) -> None:
    """The sky of the hour, with its disc or stars and the light about the sun."""
    st.medium.sky()
    # The twig takes the corner on the empty side of a placed subject, the other corner otherwise: clear of both.
    x = 0.5 + st.side * (st.vary(0.24, 0.32) if st.scene.position == "centre" else st.vary(0.07, 0.13))
    body, time = st.scene.sky, st.scene.time
    y = {"dawn": 0.34, "day": 0.17, "dusk": 0.32, "night": 0.18}[time] + st.vary(-0.03, 0.03)
    if st.scene.subject == "waterfall":  # the only open sky is above the fall
        x, y = st.x, 0.115
    if time in ("dawn", "dusk"):
        st.medium.glow(x, y + 0.1, 0.32, (255, 214, 196) if time == "dawn" else (255, 206, 110), 0.6)
    if body == "sun":
        sun(st, x, y)
    elif body == "moon":
        moon(st, x, y)
    elif body == "stars":
        stars(st)
    elif time == "night":
        stars(st, 7)


def sun(st: Stage, x: float, y: float) -> None:
    """A red disc at the ends of the day, a golden one at its height."""
    disc: dict[str, Colour] = {"dawn": (246, 110, 86), "day": (250, 176, 46), "dusk": (222, 44, 30)}
    colour = disc[st.scene.time]
    st.medium.glow(x, y, 0.13, mix(colour, (255, 240, 210), 0.7), 0.6)
    sheet = Layer()
    sheet.ellipse(x, y, 0.062, 0.062, colour)
    st.medium.lay(sheet, outline=0)


def moon(st: Stage, x: float, y: float) -> None:
    """A full moon or a crescent."""
    pale: Colour = (255, 248, 214)
    st.medium.glow(x, y, 0.13, pale, 0.4)
    sheet = Layer()
    radius = 0.066
    if st.rng.random() < 0.5:
        sheet.ellipse(x, y, radius, radius, pale)
    else:
        t = np.linspace(-np.pi / 2, np.pi / 2, 20)
        outer = np.stack([np.cos(t), np.sin(t)], 1)
        inner = np.stack([0.45 * np.cos(t), np.sin(t)], 1)[::-1]
        turn = st.vary(-0.7, 0.3)
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        sheet.polygon(np.vstack([outer, inner]) @ rotation * radius * 1.15 + (x, y), pale)
    st.medium.lay(sheet, outline=0)


def stars(st: Stage, count: int = 46) -> None:
    """Points of light in the upper half."""
    sheet = Layer()
    large = count // 3
    centres = np.stack([st.rng.uniform(0.05, 0.95, count), st.rng.uniform(0.05, 0.5, count)], 1)
    sheet.dots(centres[large:], 0.004, (250, 246, 224))
    for x, y in centres[:large]:
        r = st.vary(0.009, 0.014)
        star = [(0, -r), (r / 4, -r / 4), (r, 0), (r / 4, r / 4), (0, r), (-r / 4, r / 4), (-r, 0), (-r / 4, -r / 4)]
        sheet.polygon(np.array(star) + (x, y), (255, 250, 226))
    st.medium.lay(sheet, outline=0, shadow=0)


def _peaks(st: Stage, count: int, width: float) -> list[tuple[float, float, float]]:
    places = np.linspace(0.02, 0.98, count) + st.rng.uniform(-0.12, 0.12, count)
    return [(float(x), st.vary(0.55, 1.0), width * st.vary(0.7, 1.3)) for x in places]


def hills(st: Stage, horizon: float, height: float = 0.24, count: int = 3) -> None:
    """Layered hills in the season's tint that fade into the sky with distance, mist at their feet."""
    p = st.palette
    for i in range(count):
        depth = (i + 1) / count
        colour = mix(mix(p.far, p.sky_bottom, 0.35), p.near, depth * 0.85)
        tall = height * (1.0 - 0.33 * i)
        skyline = ridge(st.rng, horizon, tall, _peaks(st, 3 + i, 0.2 - 0.03 * i), 0.22)
        sheet = Layer()
        sheet.polygon(under(skyline, horizon + 0.03), colour)
        if st.medium.name != "papercut":
            sheet.blend(p.haze, horizon - tall * 0.6, horizon + 0.02, 0.0, 0.8)
        st.medium.lay(sheet, opacity=0.85 + 0.15 * depth, outline=0.5 + 0.4 * depth, shadow=0.6)
    st.medium.haze(horizon - 0.09, horizon + 0.06, 0.45)
    weather.behind(st)


def land(st: Stage, horizon: float, colour: Colour | None = None) -> None:
    """Open ground from the horizon down, with soft folds."""
    p = st.palette
    base = colour or p.ground
    for i, top in enumerate((horizon, horizon + 0.12, horizon + 0.26)):
        skyline = ridge(st.rng, top + 0.02, 0.05, _peaks(st, 2, 0.3), 0.1)
        sheet = Layer()
        sheet.polygon(under(skyline), mix(base, p.shade, 0.18 * i))
        if st.medium.name != "papercut":
            sheet.blend(mix(base, p.haze, 0.2), top - 0.02, top + 0.16, 1.0, 0.0)
        st.medium.lay(sheet, outline=0.5, shadow=0.6)


def water(st: Stage, horizon: float) -> None:
    """Still water from the horizon down, with a few broken lines of light."""
    p = st.palette
    sheet = Layer()
    sheet.polygon(np.array([[-0.05, horizon], [1.05, horizon], [1.05, 1.05], [-0.05, 1.05]]), p.water)
    if st.medium.name != "papercut":
        sheet.blend(scale(p.water, 0.8), horizon, 1.0, 0.0, 1.0)
    st.medium.lay(sheet, outline=0.0, opacity=0.92, shadow=0.6)
    ripples(st, horizon)


def ripples(st: Stage, horizon: float, count: int = 15) -> None:
    """Thin horizontal strokes, longer and wider apart towards the viewer."""
    sheet = Layer()
    pale = mix(st.palette.water, (255, 255, 255) if not st.palette.night else (150, 170, 210), 0.45)
    strokes: list[Points] = []
    for _ in range(count):
        near = st.rng.random()
        y = horizon + 0.03 + (0.95 - horizon) * near
        x, half = st.vary(0, 1), 0.03 + 0.07 * near
        t = np.linspace(-1, 1, 12)
        strokes.append(np.stack([x + half * t, y + 0.004 * np.sin(t * 6)], 1))
    sheet.lines(strokes, pale, 0.004)
    st.medium.lay(sheet, opacity=0.75, outline=0, shadow=0)


def trees(st: Stage, horizon: float, count: int, size: float) -> None:
    """A sparse row of round trees in the season's foliage; bare and capped with snow in winter."""
    p = st.palette
    sheet = Layer()
    for x in np.linspace(0.04, 0.96, count) + st.rng.uniform(-0.05, 0.05, count):
        s = size * st.vary(0.75, 1.2)
        y = horizon + st.vary(0, 0.02)
        sheet.line(np.array([[x, y], [x, y - s]]), p.bark, 0.008)
        sheet.polygon(blob(st.rng, x, y - s, s * 0.5, s * 0.55, 0.25), p.leaf_dark)
        sheet.polygon(
            blob(st.rng, x - s * 0.1, y - s * 1.15, s * 0.36, s * 0.36, 0.25), p.snow if st.winter else p.leaf
        )
        if st.scene.season == "spring":
            spots = st.rng.normal((x, y - s), s * 0.22, (5, 2))
            sheet.dots(spots, 0.011, p.motif)
    st.medium.lay(sheet, outline=0.7)


def backing(st: Stage, x: float, y: float, radius: float) -> None:
    """A darker wash behind a pale subject, so that white reads as white."""
    if st.scene.colour == "white" and not st.palette.night:
        st.medium.glow(x, y, radius, scale(mix(st.palette.sky_top, st.palette.shade, 0.5), 0.64), 0.62)


def path(st: Stage, points: list[tuple[float, float]], start: float, end: float, colour: Colour) -> None:
    """A winding band: a road, a stream."""
    sheet = Layer()
    sheet.stroke(smooth(points, 10), start, end, colour)
    st.medium.lay(sheet, outline=0.8)
