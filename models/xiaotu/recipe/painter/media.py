"""How each medium lays a sheet on the paper, and what it does to the finished picture."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import Colour, Layer, vertical_gradient
from .palette import Palette, mix, scale
from .shapes import ellipse
from .textures import OUTPUT, SIZE, rolled, textures

_GOLD = np.array((214, 170, 70), np.float32)


def _triple(field: np.ndarray) -> np.ndarray:
    """One channel as three equal ones: far quicker to multiply by than a broadcast axis."""
    field = np.ascontiguousarray(field, np.float32)
    return cv2.merge((field, field, field))


class Medium:
    """A painting under way in one medium: `lay` puts sheets down, `finish` gives the picture."""

    def __init__(self, name: str, palette: Palette, rng: np.random.Generator) -> None:
        self.name = name
        self.palette = palette
        self.rng = rng
        self._mottle = rolled(textures().mottle, rng)
        self._cloud = rolled(textures().cloud, rng)
        self.image = np.zeros((SIZE, SIZE, 3), np.float32)

    def sky(self) -> None:
        """The ground of the picture: a wash, a gradient, or two flat papers."""
        top, bottom = self.palette.sky_top, self.palette.sky_bottom
        if self.name == "papercut":
            self.image = vertical_gradient([(0.0, top), (0.06, top), (0.075, mix(top, bottom, 0.15))])
            for i, share in enumerate((0.4, 0.7, 1.0)):
                y = 0.17 + 0.15 * i + self.rng.uniform(-0.03, 0.03)
                x = np.linspace(-0.05, 1.05, 40)
                wave = y + 0.02 * np.sin(x * self.rng.uniform(5, 9) + self.rng.uniform(0, 6))
                sheet = Layer()
                sheet.polygon(
                    np.vstack([np.stack([x, wave], 1), [[1.05, 1.05], [-0.05, 1.05]]]), mix(top, bottom, share)
                )
                self.lay(sheet, shadow=0.4)
            return
        self.image = vertical_gradient([(0.0, top), (0.62, bottom), (1.0, bottom)])
        strength = {"ink": 0.16, "watercolor": 0.24, "oil": 0.12, "bluegreen": 0.06}[self.name]
        self.image *= _triple(1 + strength * (self._cloud - 0.5))

    def lay(
        self, sheet: Layer, opacity: float = 1.0, soft: float = 0.0, outline: float = 1.0, shadow: float = 1.0
    ) -> None:
        """Puts a sheet on the picture. `soft` blurs it (share of the side); `outline` and `shadow` weigh the medium's
        contour line and the paper's drop shadow."""
        x, y, w, h = cv2.boundingRect(sheet.buffer[..., 3])
        if w == 0:
            return
        pad = 12 + int(soft * SIZE * 2)
        rows = slice(max(0, y - pad), min(SIZE, y + h + pad))
        columns = slice(max(0, x - pad), min(SIZE, x + w + pad))
        raw = sheet.buffer[rows, columns]
        if soft and self.name != "papercut":
            raw = cv2.GaussianBlur(raw, (0, 0), soft * SIZE)
        image = self.image[rows, columns]
        alpha = raw[..., 3] * np.float32(opacity / 255)
        mottle = self._mottle[rows, columns]
        pigment: float | np.ndarray = opacity  # what the drawn colour is multiplied by
        gold: np.ndarray | None = None
        if self.name == "papercut":
            if shadow:
                moved = cv2.warpAffine(alpha, np.array([[1, 0, 2.5], [0, 1, 4.0]], np.float32), alpha.shape[::-1])
                moved = cv2.GaussianBlur(moved, (0, 0), 3.0)
                image *= _triple(1 - (0.42 * shadow) * moved)
        elif self.name == "ink":
            wash = 0.84 + 0.16 * mottle
            pigment = opacity * wash * (0.86 + 0.22 * mottle)
            if outline:
                line = self._edge(raw) * np.clip(mottle * 1.8 - 0.2, 0, 1) * alpha
                pigment = pigment * (1 - (0.7 * outline) * line)
            alpha = alpha * wash
        elif self.name == "watercolor":
            pooled = np.clip(alpha - cv2.blur(alpha, (9, 9)), 0, 1)
            thin = 0.8 + 0.18 * mottle + 0.2 * pooled
            pigment = opacity * thin * (0.93 + 0.2 * mottle - 0.42 * pooled)
            alpha = alpha * thin
        elif self.name == "oil":
            pigment = opacity * (0.86 + 0.28 * mottle)
        elif self.name == "bluegreen" and outline:
            line = self._edge(raw) * alpha * (outline * (0.68 if self.palette.night else 0.9))
            pigment = opacity * (1 - line)
            gold = line
        colour = raw[..., :3] * (_triple(pigment) if isinstance(pigment, np.ndarray) else np.float32(pigment))
        if gold is not None:
            colour += gold[..., None] * _GOLD
        self.image[rows, columns] = image * _triple(1 - alpha) + colour

    @staticmethod
    def _edge(raw: np.ndarray) -> np.ndarray:
        """The contour of a sheet, 0..1."""
        return cv2.morphologyEx(raw[..., 3], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) * np.float32(1 / 255)

    def haze(self, top: float, bottom: float, strength: float, colour: Colour | None = None) -> None:
        """A soft horizontal band of mist over what is painted."""
        rows = slice(max(0, int(top * SIZE)), max(1, min(SIZE, int(bottom * SIZE) + 1)))
        y = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) / SIZE
        band = np.interp(y, (top, (top + bottom) / 2, bottom), (0, strength, 0)).astype(np.float32)
        amount = _triple(np.clip(band[:, None] * (0.55 + 0.9 * self._cloud[rows]), 0, 1))
        self.image[rows] += amount * (np.array(colour or self.palette.haze, np.float32) - self.image[rows])

    def glow(self, cx: float, cy: float, radius: float, colour: Colour, strength: float) -> None:
        """A soft round light (or, with a dark colour, a soft backing wash) about a point."""
        axis = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
        rows = slice(*np.clip((int((cy - 2.3 * radius) * SIZE), int((cy + 2.3 * radius) * SIZE)), 0, SIZE))
        columns = slice(*np.clip((int((cx - 2.3 * radius) * SIZE), int((cx + 2.3 * radius) * SIZE)), 0, SIZE))
        across = np.exp(-(((axis[columns] - cx) / radius) ** 2))
        down = np.exp(-(((axis[rows] - cy) / radius) ** 2))
        amount = _triple(np.float32(strength) * down[:, None] * across[None, :])
        area = self.image[rows, columns]
        area += amount * (np.array(colour, np.float32) - area)

    def finish(self) -> np.ndarray:
        """The picture as 8-bit RGB at its final size."""
        getattr(self, f"_finish_{self.name}")()
        small = cv2.resize(self.image, (OUTPUT, OUTPUT), interpolation=cv2.INTER_AREA)
        return np.clip(small + 0.5, 0, 255).astype(np.uint8)

    def _finish_ink(self) -> None:
        """Paper fibres, and the painter's seal."""
        self.image *= _triple(0.95 + 0.09 * rolled(textures().grain, self.rng))
        left = self.rng.random() < 0.5
        x, y = (0.035, 0.9) if left else (0.905, 0.9)
        seal, side = Layer(), 0.06
        seal.polygon(np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]]), (196, 36, 30))
        for i in range(3):
            gx = x + 0.013 + i * 0.016
            mark = np.array([[gx, y + 0.012], [gx, y + 0.048]])
            seal.line(mark, (250, 226, 214), 0.005)
        seal.line(np.array([[x + 0.01, y + 0.03], [x + 0.05, y + 0.03]]), (250, 226, 214), 0.005)
        self.lay(seal, outline=0)

    def _finish_bluegreen(self) -> None:
        """Silk threads."""
        self.image *= _triple(rolled(textures().weave, self.rng))

    def _finish_oil(self) -> None:
        """Every colour is taken up by brush dabs: broad ones in quiet places, fine ones where there is detail."""
        picture = np.clip(self.image, 0, 255)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        detail = np.abs(grey - cv2.blur(grey, (7, 7)))
        detail = np.clip(cv2.blur(detail, (13, 13)) / 3 - 0.2, 0, 1)[..., None]
        maps = textures()
        broad = cv2.remap(picture, maps.coarse.source, None, cv2.INTER_NEAREST) * (
            maps.coarse.relief * maps.coarse.tint
        )
        close = cv2.remap(picture, maps.fine.source, None, cv2.INTER_NEAREST) * maps.fine.relief
        close = 0.7 * close + 0.3 * picture * maps.fine.relief
        self.image = broad + (close - broad) * detail

    def _finish_watercolor(self) -> None:
        """Wavering edges, paper tooth, and the ragged white border where the wash stops."""
        yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
        wobble = textures().wobble
        self.image = cv2.remap(
            self.image, xx + wobble[..., 0], yy + wobble[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
        )
        edge = np.minimum(np.minimum(xx, SIZE - 1 - xx), np.minimum(yy, SIZE - 1 - yy)) / SIZE
        painted = np.clip((edge + 0.03 * (self._mottle - 0.5) - 0.022) * 160, 0, 1)
        pool = 1 - 0.18 * np.clip(1 - np.abs(edge + 0.03 * (self._mottle - 0.5) - 0.03) * 120, 0, 1) * painted
        paper = np.float32(250.0)
        self.image = self.image * _triple(painted * pool) + _triple(paper * (1 - painted))
        self.image *= _triple(0.93 + 0.13 * rolled(textures().grain, self.rng))

    def _finish_papercut(self) -> None:
        """The frame: a sheet in the colour of the season with a round-cornered window, over everything."""
        corner, margin = 0.07, 0.03
        pieces = []
        for cx, cy, start in ((1, 1, 0), (0, 1, 90), (0, 0, 180), (1, 0, 270)):
            x = margin + corner + cx * (1 - 2 * (margin + corner))
            y = margin + corner + cy * (1 - 2 * (margin + corner))
            arc = ellipse(x, y, corner, corner, np.radians(start), 40)[:11]
            pieces.append(arc)
        window = np.vstack(pieces)
        frame = Layer()
        frame.polygon(np.array([[-0.1, -0.1], [1.1, -0.1], [1.1, 1.1], [-0.1, 1.1]]), scale(self.palette.shade, 0.96))
        cut = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(cut, [np.round(window * SIZE * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        frame.buffer = (frame.buffer * (1 - cut[..., None] / 255.0)).astype(np.uint8)
        self.lay(frame)
