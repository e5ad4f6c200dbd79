"""A picture as a value: what the painter draws, what the captions say, what the classifier is asked to find.

Every attribute is a word from a closed list. A scene is drawn by `painter.paint(scene, seed)`, spoken of by
`captions.caption(scene, rng)`, and kept away from training when `held_out(scene)` is true: those combinations are
what the evaluation asks for.
"""
from __future__ import annotations

import hashlib
import random
from dataclasses import asdict, dataclass, replace

MEDIA = ("ink", "bluegreen", "oil", "watercolor", "papercut")
SUBJECTS = (
    "mountain", "waterfall", "river", "sea", "desert", "village",
    "boat", "fisherman", "bridge", "pavilion", "pagoda",
    "pine", "willow", "bamboo", "plum", "lotus", "chrysanthemum", "birds",
)
SEASONS = ("spring", "summer", "autumn", "winter")
TIMES = ("dawn", "day", "dusk", "night")
WEATHERS = ("clear", "mist", "rain", "snow")
SKIES = ("none", "sun", "moon", "stars")
COLOURS = ("red", "yellow", "white", "pink", "blue", "green", "purple")
POSITIONS = ("left", "centre", "right")

# The subjects that carry a colour of their own, and the colours that suit them: petals, sails, roofs, cut paper.
COLOURED = {
    "plum": ("red", "pink", "white", "yellow"),
    "lotus": ("pink", "white", "red", "purple"),
    "chrysanthemum": ("yellow", "white", "purple", "red"),
    "boat": ("red", "white", "blue", "yellow"),
    "pavilion": ("red", "yellow", "blue", "green"),
    "pagoda": ("red", "yellow", "green", "purple"),
    "birds": ("white", "red", "blue", "yellow"),
}
COUNTED = {"boat": 3, "birds": 5, "pine": 3, "lotus": 4, "chrysanthemum": 4}  # the largest count that is drawn
PLACED = ("boat", "fisherman", "pavilion", "pagoda", "pine", "willow", "bamboo", "plum", "waterfall", "village")


@dataclass(frozen=True)
class Scene:
    """One picture's attributes. `colour` is None for subjects outside COLOURED, `count` is 1 outside COUNTED,
    `position` is 'centre' outside PLACED."""

    medium: str
    subject: str
    season: str
    time: str
    weather: str
    sky: str
    colour: str | None = None
    count: int = 1
    position: str = "centre"

    def combination(self) -> str:
        """The attributes that the evaluation asks for, in one word."""
        return "/".join((self.medium, self.subject, self.season, self.time, str(self.colour)))

    def as_dict(self) -> dict:
        return asdict(self)


def held_out(scene: Scene) -> bool:
    """True for about 8 % of the combinations (medium, subject, season, time, colour): never trained on."""
    return hashlib.sha256(scene.combination().encode()).digest()[0] < 20


def settle(scene: Scene) -> Scene:
    """Mends what cannot be seen together: the sun at night, the moon at noon, snow in summer, stars in the rain."""
    s = scene
    if s.weather == "snow" and s.season != "winter":
        s = replace(s, season="winter")
    if s.sky == "sun" and s.time == "night":
        s = replace(s, sky="moon")
    if s.sky in ("moon", "stars") and s.time in ("day", "dawn"):
        s = replace(s, sky="sun")
    if s.sky == "stars" and s.time != "night":
        s = replace(s, sky="none")
    if s.weather in ("rain", "snow") and s.sky != "none":
        s = replace(s, sky="none")
    if s.subject not in COLOURED:
        s = replace(s, colour=None)
    elif s.colour not in COLOURED[s.subject]:
        s = replace(s, colour=COLOURED[s.subject][0])
    s = replace(s, count=max(1, min(s.count, COUNTED.get(s.subject, 1))))
    if s.subject not in PLACED:
        s = replace(s, position="centre")
    return s


def random_scene(rng: random.Random, **fixed) -> Scene:
    """A scene drawn at random, with the attributes in `fixed` as asked (and settled)."""
    subject = fixed.get("subject") or rng.choice(SUBJECTS)
    colours = COLOURED.get(subject)
    values = dict(
        medium=rng.choice(MEDIA),
        subject=subject,
        season=rng.choice(SEASONS),
        time=rng.choices(TIMES, (2, 4, 3, 3))[0],
        weather=rng.choices(WEATHERS, (6, 2, 1, 1))[0],
        sky=rng.choices(SKIES, (3, 4, 4, 1))[0],
        colour=rng.choice(colours) if colours else None,
        count=rng.randint(1, COUNTED.get(subject, 1)),
        position=rng.choice(POSITIONS),
    )
    if values["season"] == "winter" and "weather" not in fixed:
        values["weather"] = rng.choices(WEATHERS, (4, 1, 0, 5))[0]
    values.update(fixed)
    return settle(Scene(**values))
