"""Mist, rain and snow over the finished scene."""

from __future__ import annotations

import numpy as np

from .canvas import Layer
from .palette import mix
from .stage import Stage


def behind(st: Stage) -> None:
    """Mist that hangs between the distance and the subject, so that the front bands can stay thin."""
    if st.scene.weather == "mist":
        _mist(st, (st.vary(0.34, 0.42), st.vary(0.52, 0.6)), 0.85)


def before(st: Stage) -> None:
    """What the scene's weather lays in front of everything."""
    kind = st.scene.weather
    if kind == "mist":
        _mist(st, (st.vary(0.26, 0.34), st.vary(0.62, 0.68), st.vary(0.82, 0.88)), 0.55)
    elif kind == "rain":
        _rain(st)
    elif kind == "snow":
        _snow(st)


def _mist(st: Stage, heights: tuple[float, ...], strength: float) -> None:
    """Soft white bands (paper ribbons in paper-cut)."""
    white = mix(st.palette.haze, (255, 255, 255), 0.75 if not st.palette.night else 0.35)
    for y in heights:
        if st.medium.name == "papercut":
            sheet = Layer()
            left, right = st.vary(-0.1, 0.35), st.vary(0.65, 1.1)
            t = np.linspace(0, 1, 12)
            spine = np.stack([left + (right - left) * t, y + 0.012 * np.sin(t * 7)], 1)
            half = 0.022 * np.sin(np.pi * np.linspace(0.04, 0.96, 12))[:, None] ** 0.5
            sheet.polygon(np.vstack([spine - half * (0, 1), (spine + half * (0, 1))[::-1]]), white)
            st.medium.lay(sheet, opacity=strength, shadow=0.6)
        else:
            st.medium.haze(y - 0.08, y + 0.08, strength, white)


def _rain(st: Stage) -> None:
    """Fine slanted lines over a greyed picture."""
    st.medium.image = st.medium.image * 0.9 + np.float32(12.0)
    sheet = Layer()
    slant = st.vary(0.2, 0.34)
    lines = []
    for _ in range(110):
        x, y, length = st.vary(-0.02, 1.1), st.vary(-0.05, 1.0), st.vary(0.06, 0.13)
        lines.append(np.array([[x, y], [x - slant * length, y + length]]))
    bright = st.palette.night or st.medium.name == "oil"
    sheet.lines(lines, (214, 224, 238) if bright else (240, 246, 252), 0.004)
    sheet_dark = Layer()
    sheet_dark.lines([line + (0.004, 0) for line in lines], (110, 122, 140), 0.003)
    st.medium.lay(sheet_dark, opacity=0.5, outline=0, shadow=0)
    st.medium.lay(sheet, opacity=0.8, outline=0, shadow=0)


def _snow(st: Stage) -> None:
    """Flakes in three sizes."""
    sheet = Layer()
    for count, radius in ((70, 0.0055), (45, 0.0085), (18, 0.012)):
        sheet.dots(st.rng.uniform(0.02, 0.98, (count, 2)), radius, (252, 253, 255))
    st.medium.lay(sheet, outline=0, shadow=0.7)
