"""Checks of captions, poems and vocabulary over many random scenes: run with pytest, or with python."""
from __future__ import annotations

import functools
import random
import re
from collections import Counter

import captions
from captions import ATTRIBUTES, DIGITS, MAX_LENGTH, MEDIUM_NOUNS, MEDIUM_WORDS
from poems import POEMS
from scene import COLOURED, COUNTED, MEDIA, PLACED, SUBJECTS, Scene, random_scene, settle
from vocabulary import vocabulary

SCENES = 20_000

# Patterns that name a value: only a scene with that value may be described so, and only with the attribute among the
# mentions. Longer words that merely contain such a pattern (NEUTRAL) are taken out of the text first.
NAMING: dict[str, dict[str, str]] = {
    "medium": {"ink": "水墨|国画", "bluegreen": "青绿", "oil": "油画", "watercolor": "水彩", "papercut": "剪纸"},
    "season": {"spring": "春|新竹|新柳", "summer": "夏|艳阳(?!高)|烈日", "autumn": "秋", "winter": "冬|寒|雪|腊|冰"},
    "time": {"dawn": "晨|黎明|拂晓|破晓|旭日|朝|日出|初升|刚刚升起", "day": "白天|白昼|正午|中午|午后|艳阳|太阳高照|烈日",
             "dusk": "黄昏|傍晚|暮|夕阳|落日|日落|斜阳|余晖|落山", "night": "夜|晚上|星"},
    "weather": {"clear": "晴|万里无云|天朗气清|蓝天", "mist": "雾|霭", "rain": "雨", "snow": "雪"},
    "sky": {"sun": "太阳|阳光|夕阳|旭日|朝阳|朝日|日出|斜阳|落日|烈日|艳阳|红日", "moon": "月", "stars": "星"},
    "colour": {"red": "红|朱", "yellow": "黄|金|腊", "white": "白|素", "pink": "粉", "blue": "蓝|湛",
               "green": "绿|碧|翠", "purple": "紫"},
    "position": {"left": "左", "right": "右", "centre": "中央|正中|中间"},
}
NEUTRAL: dict[str, tuple[str, ...]] = {
    "sky": ("落日余晖",),
    "colour": ("青绿", "白天", "白昼", "红日", "黄昏", "黄河", "黄沙", "金秋", "碧海", "翠竹", "绿柳", "翠柳", "蓝天", "(?<=粉)红"),
}
SUBJECT_WORDS = {
    "mountain": "山|岭", "waterfall": "瀑|飞泉", "river": "江|河", "sea": "海", "desert": "漠|沙", "village": "村|农家",
    "boat": "船|舟|帆", "fisherman": "渔|钓", "bridge": "桥", "pavilion": "亭(?!亭?玉)", "pagoda": "塔", "pine": "松",
    "willow": "柳", "bamboo": "竹", "plum": "梅", "lotus": "荷|莲", "chrysanthemum": "菊", "birds": "鸟|雁|鹤|鹭|雀|鹂|鸽",
}
SCENERY = ("mountain", "river", "sea")  # named in passing too: 立在山间, 横跨小河
COUNTING = re.compile("[一两三四五2-5][只艘条叶棵株朵枝]|孤")


def _scenes(count: int = SCENES, seed: int = 1) -> list[Scene]:
    rng = random.Random(seed)
    return [random_scene(rng) for _ in range(count)]


@functools.cache
def _prose() -> list[tuple[Scene, str, frozenset[str]]]:
    rng = random.Random(2)
    return [(scene, *captions.prose_with_mentions(scene, rng)) for scene in _scenes()]


@functools.cache
def _captions() -> list[tuple[Scene, str, frozenset[str]]]:
    rng = random.Random(3)
    return [(scene, *captions.caption_with_mentions(scene, rng)) for scene in _scenes()]


def _named(text: str, attribute: str) -> set[str]:
    """The values of the attribute that the text names."""
    for pattern in NEUTRAL.get(attribute, ()):
        text = re.sub(pattern, "", text)
    return {value for value, pattern in NAMING[attribute].items() if re.search(pattern, text)}


def test_captions_are_well_formed() -> None:
    known = set(vocabulary())
    for scene, text, mentions in _captions():
        assert text and text == text.strip(), scene
        assert len(text) <= MAX_LENGTH, text
        assert mentions <= set(ATTRIBUTES) and "subject" in mentions, text
        assert "的的" not in text and "，，" not in text, text
        for character in text.replace(" ", ""):
            assert character in known, (character, text)


def test_captions_vary() -> None:
    assert len({text for _, text, _ in _captions()}) >= 12_000
    lengths = [len(text) for _, text, _ in _captions()]
    assert 12 <= sum(lengths) / len(lengths) <= 16


def test_mentions_are_exact() -> None:
    """Prose names a value exactly if its attribute is among the mentions, and then the scene's own value."""
    for scene, text, mentions in _prose():
        for attribute in NAMING:
            expected = {getattr(scene, attribute)} if attribute in mentions else set()
            assert _named(text, attribute) == expected, (attribute, text, scene)
        if scene.subject in COUNTED:
            counts = COUNTING.findall(text)
            assert bool(counts) == ("count" in mentions), (text, scene)
            allowed = ("孤", "一") if scene.count == 1 else (DIGITS[scene.count], str(scene.count))
            assert all(count[0] in allowed for count in counts), (text, scene)


def test_captions_name_their_subject_and_no_other() -> None:
    for scene, text, _ in _prose():
        without_medium = text.replace("青绿山水", "")
        for subject, pattern in SUBJECT_WORDS.items():
            if subject == scene.subject:
                assert re.search(pattern, without_medium), (text, scene)
            elif subject not in SCENERY:
                assert not re.search(pattern, without_medium), (subject, text, scene)


def test_mention_policy() -> None:
    """The share of the prose captions that mention each attribute, among the scenes where there is something to say."""
    chances = {
        "medium": (0.85, lambda s: True),
        "season": (0.65, lambda s: s.weather != "snow"),
        "time": (0.65, lambda s: s.sky != "stars"),
        "colour": (0.80, lambda s: s.colour is not None),
        "weather": (0.75, lambda s: s.weather != "clear"),
        "sky": (0.50, lambda s: s.sky != "none"),
        "position": (0.30, lambda s: s.subject in PLACED),
        "count": (0.75 * (1 - captions.VAGUE_CHANCE), lambda s: s.count > 1),
    }
    for attribute, (chance, applies) in chances.items():
        mentioned = [attribute in mentions for scene, _, mentions in _prose() if applies(scene)]
        assert abs(sum(mentioned) / len(mentioned) - chance) < 0.03, attribute
    assert not any("sky" in mentions for scene, _, mentions in _captions() if scene.sky == "none")
    assert not any("colour" in mentions for scene, _, mentions in _captions() if scene.colour is None)


def test_poems_hold() -> None:
    """Every line is unique, and its attributes survive `settle`, whatever hour or season is free."""
    assert len({poem.line for poem in POEMS}) == len(POEMS) >= 90
    plain = dict(medium="ink", season="spring", time="day", weather="clear", sky="none", count=1, position="centre")
    for poem in POEMS:
        scene = settle(Scene(**{**plain, **poem.scene}))
        assert poem.matches(scene), poem
        assert poem.matches(random_scene(random.Random(4), **{"weather": "clear", **poem.scene})), poem
    per_subject = Counter(poem.scene["subject"] for poem in POEMS)
    assert all(per_subject[subject] >= 4 for subject in SUBJECTS)


def test_poems_are_quoted_truly() -> None:
    """A caption that opens with a line of poetry tells of a scene which that line fits, and says so in its mentions."""
    quoted = 0
    for scene, text, mentions in _captions():
        poems = [poem for poem in POEMS if text.startswith(poem.line)]
        said = [{name for name, value in poem.scene.items() if value != "none"} for poem in poems if poem.matches(scene)]
        assert not poems or any(mentions.issuperset(names) for names in said), text
        quoted += bool(poems)
    assert quoted > 0.1 * SCENES


def test_evaluation_captions_state_the_essentials() -> None:
    rng = random.Random(5)
    for scene in _scenes(4_000, seed=6):
        for text in (captions.evaluation_caption(scene, rng), captions.canonical(scene, set())):
            assert len(text) <= MAX_LENGTH, text
            assert re.search(SUBJECT_WORDS[scene.subject], text.replace("青绿山水", "")), text
            for attribute in ("medium", "season", "time", *(("colour",) if scene.colour else ())):
                assert _named(text, attribute) == {getattr(scene, attribute)}, (attribute, text, scene)


def test_canonical_states_what_is_asked() -> None:
    for scene in _scenes(1_000, seed=7):
        text = captions.canonical(scene, set(ATTRIBUTES))
        for attribute in NAMING:
            value = getattr(scene, attribute)
            expected = set() if value in (None, "none") else {value}
            assert _named(text, attribute) == expected, (attribute, text, scene)
    scene = Scene("watercolor", "boat", "summer", "dusk", "clear", "sun", "white", 2, "left")
    assert captions.canonical(scene, {"count", "sky"}) == "水彩，两只白色小船，夏天，黄昏，太阳"


def test_lexicon_is_complete() -> None:
    assert set(MEDIUM_WORDS) == set(MEDIUM_NOUNS) == set(MEDIA)
    assert set(captions.NOUNS) == set(captions.TAILS) == set(captions.ADJECTIVES) == set(SUBJECTS)
    assert set(captions.COLOUR_PARTS) == set(COLOURED)


def test_vocabulary() -> None:
    tokens = vocabulary()
    assert tokens == vocabulary() and len(set(tokens)) == len(tokens)
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert 900 <= len(tokens) <= 1400


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("test_"):
            check()
            print("ok", name)
