"""The picture under way and the transparent sheets that shapes are drawn on before a medium lays them down."""

from __future__ import annotations

import cv2
import numpy as np

from .shapes import Points, ellipse, taper
from .textures import SIZE

Colour = tuple[float, float, float]
_SHIFT = 4
_SCALE = SIZE * (1 << _SHIFT)


def _fixed(points: Points) -> np.ndarray:
    """Unit coordinates as the fixed-point integers that OpenCV draws with."""
    return np.round(np.asarray(points, float) * _SCALE - 8).astype(np.int32)


class Layer:
    """One sheet: a premultiplied RGBA buffer, which OpenCV's antialiased drawing blends rightly as it stands."""

    def __init__(self) -> None:
        self.buffer = np.zeros((SIZE, SIZE, 4), np.uint8)

    def polygon(self, points: Points, colour: Colour) -> None:
        """A filled shape."""
        cv2.fillPoly(self.buffer, [_fixed(points)], (*colour, 255), cv2.LINE_AA, _SHIFT)

    def line(self, points: Points, colour: Colour, width: float, closed: bool = False) -> None:
        """A line of one width, given as a share of the picture's side."""
        thickness = max(1, int(round(width * SIZE)))
        cv2.polylines(self.buffer, [_fixed(points)], closed, (*colour, 255), thickness, cv2.LINE_AA, _SHIFT)

    def lines(self, many: list[Points], colour: Colour, width: float) -> None:
        """Many lines in one call."""
        thickness = max(1, int(round(width * SIZE)))
        fixed = [_fixed(points) for points in many]
        cv2.polylines(self.buffer, fixed, False, (*colour, 255), thickness, cv2.LINE_AA, _SHIFT)

    def stroke(self, points: Points, start: float, end: float, colour: Colour) -> None:
        """A tapered brush stroke."""
        self.polygon(taper(points, start, end), colour)

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, colour: Colour, angle: float = 0.0) -> None:
        """A filled ellipse."""
        self.polygon(ellipse(cx, cy, rx, ry, angle), colour)

    def dots(self, centres: Points, radius: float, colour: Colour) -> None:
        """Round dots of one size."""
        for x, y in _fixed(centres):
            cv2.circle(self.buffer, (int(x), int(y)), int(radius * _SCALE), (*colour, 255), -1, cv2.LINE_AA, _SHIFT)

    def fade(self, top: float, bottom: float, start: float = 1.0, end: float = 0.0) -> None:
        """Multiplies the sheet's presence by a vertical ramp: the foot of a mountain lost in mist."""
        y = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
        ramp = np.interp(y, (top, bottom), (start, end)).astype(np.float32)
        self.buffer = (self.buffer * ramp[:, None, None]).astype(np.uint8)

    def blend(self, colour: Colour, top: float, bottom: float, start: float = 0.0, end: float = 1.0) -> None:
        """Turns what is drawn towards `colour` along a vertical ramp, its edges untouched."""
        _, first, _, height = cv2.boundingRect(self.buffer[..., 3])
        rows = self.buffer[first : first + height]
        y = (np.arange(first, first + height, dtype=np.float32) + 0.5) / SIZE
        ramp = np.interp(y, (top, bottom), (start, end)).astype(np.float32)[:, None]
        matrix = np.zeros((4, 4), np.float32)
        matrix[:, 3] = (*(c / 255 for c in colour), 1.0)
        tint = cv2.transform(rows, matrix).reshape(height, -1)
        flat = rows.reshape(height, -1)
        self.buffer[first : first + height] = (flat * (1 - ramp) + tint * ramp).astype(np.uint8).reshape(rows.shape)

    def reflected(self, waterline: float, squash: float = 0.8) -> Layer:
        """This sheet upside down below `waterline`."""
        out = Layer()
        matrix = np.array([[1, 0, 0], [0, -squash, waterline * SIZE * (1 + squash)]], np.float32)
        out.buffer = cv2.warpAffine(self.buffer, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
        out.buffer[: int(waterline * SIZE)] = 0
        return out


def vertical_gradient(stops: list[tuple[float, Colour]]) -> np.ndarray:
    """A (SIZE, SIZE, 3) float picture whose rows pass through the colours at the given heights."""
    y = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
    heights = [height for height, _ in stops]
    rows = np.stack([np.interp(y, heights, [colour[c] for _, colour in stops]) for c in range(3)], 1)
    return np.repeat(rows[:, None, :].astype(np.float32), SIZE, 1)
