"""Chinese captions for scenes: what a person who wants such a picture would write.

Every phrase of the lexicon (`Word`) carries the scene attributes that it states. A caption is put together from
phrases whose statements are true of the scene, so the attributes that a text determines are the union of what its
phrases say: `caption_with_mentions` returns them with the text, as labels for pre-training the text encoder.
"""
from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Iterable, Mapping, Sequence

from poems import POEMS
from scene import COLOURED, COUNTED, PLACED, Scene

ATTRIBUTES = ("medium", "subject", "season", "time", "weather", "sky", "colour", "count", "position")
MAX_LENGTH = 44
POEM_CHANCE = 0.35
DECORATION_CHANCE = 0.05

Values = Mapping[str, tuple]


@dataclass(frozen=True)
class Word:
    """A phrase: `says` are the attribute values that it states, `fits` further conditions on the scene (attribute ->
    allowed values), `measures` the measure words that it takes, `beside` the attributes it does not combine with."""

    text: str
    says: Mapping[str, object] = field(default_factory=dict, hash=False)
    fits: Values = field(default_factory=dict, hash=False)
    measures: str = ""
    beside: tuple[str, ...] = ()

    def true_of(self, scene: Scene) -> bool:
        """Whether the phrase may be used of this scene at all."""
        return (all(getattr(scene, name) == value for name, value in self.says.items())
                and all(getattr(scene, name) in values for name, values in self.fits.items()))


def _words(texts: str, fits: Values | None = None, measures: str = "", beside: tuple[str, ...] = (),
           **says: object) -> list[Word]:
    return [Word(text, says, fits or {}, measures, beside) for text in texts.split()]


# Conditions under which a phrase that says less than it suggests still rings true.
BY_LIGHT = {"time": ("dawn", "day", "dusk")}
BY_DAY = {"time": ("dawn", "day")}
SUNSET_GLOW = {"sky": ("none", "sun"), "weather": ("clear", "mist")}
SUNLIT = {"time": ("dawn", "day"), "weather": ("clear",)}
NOT_SNOWING = {"weather": ("clear", "mist", "rain")}
GREEN_SEASON = {"season": ("spring", "summer"), "weather": ("clear", "mist", "rain")}
UNCOLOURED_LOW_SUN = {"time": ("dawn", "dusk"), "colour": (None,)}

MEDIUM_WORDS: dict[str, tuple[str, ...]] = {
    "ink": ("水墨", "水墨", "水墨", "水墨", "水墨画", "水墨画", "水墨画", "国画", "国画", "水墨风格", "中国水墨", "写意水墨", "水墨国画", "水墨写意"),
    "bluegreen": ("青绿山水", "青绿山水", "青绿山水", "青绿山水", "青绿", "青绿", "青绿山水画", "青绿设色", "青绿山水风格", "青绿画风"),
    "oil": ("油画", "油画", "油画", "油画", "油画", "油画风格", "布面油画", "油画质感", "厚涂油画"),
    "watercolor": ("水彩", "水彩", "水彩", "水彩", "水彩画", "水彩画", "水彩风格", "清新水彩", "淡水彩"),
    "papercut": ("剪纸", "剪纸", "剪纸", "剪纸", "剪纸风格", "剪纸画", "民间剪纸", "窗花剪纸", "剪纸艺术"),
}
# The medium as a thing one can have a sheet of: 一幅水墨画.
MEDIUM_NOUNS: dict[str, tuple[str, ...]] = {
    "ink": ("水墨画", "水墨画", "国画", "水墨"),
    "bluegreen": ("青绿山水", "青绿山水画"),
    "oil": ("油画",),
    "watercolor": ("水彩画", "水彩画", "水彩"),
    "papercut": ("剪纸", "剪纸画"),
}

_SEASON_NAMES = {"spring": "春", "summer": "夏", "autumn": "秋", "winter": "冬"}

# When: words for the season and the hour, some with the weather or the sky in them.
WHEN: list[Word] = [
    *_words("春天 春天 春季 早春 初春", season="spring"), *_words("春日", BY_LIGHT, season="spring"),
    *_words("夏天 夏天 夏季 盛夏 初夏 仲夏", season="summer"), *_words("夏日", BY_LIGHT, season="summer"),
    *_words("秋天 秋天 秋季 深秋 金秋 晚秋", season="autumn"), *_words("秋日", BY_LIGHT, season="autumn"),
    *_words("冬天 冬天 冬季 隆冬 寒冬 严冬", season="winter"), *_words("冬日", BY_LIGHT, season="winter"),
    *_words("清晨 清晨 早晨 黎明 拂晓 破晓时分 晨曦", time="dawn"),
    *_words("白天 白天 白昼 正午 中午 午后", time="day"),
    *_words("黄昏 黄昏 傍晚 傍晚 日暮 薄暮 暮色", time="dusk"),
    *_words("日落时分 落日余晖", SUNSET_GLOW, time="dusk"),
    *_words("夜晚 夜晚 夜里 深夜 夜色 晚上", time="night"),
    *(Word(name + tail, {"season": season, "time": time})
      for season, name in _SEASON_NAMES.items()
      for tail, time in (("夜", "night"), ("夜", "night"), ("日清晨", "dawn"), ("日黄昏", "dusk"), ("日傍晚", "dusk"),
                         ("日午后", "day"), ("晨", "dawn"))),
    *_words("寒夜", season="winter", time="night"),
    *_words("月夜", time="night", sky="moon"), *_words("星夜", time="night", sky="stars"),
    *_words("雨夜", time="night", weather="rain"), *_words("雪夜 风雪夜", time="night", weather="snow"),
    *_words("春雨时节", season="spring", weather="rain"), *_words("秋雨时节", season="autumn", weather="rain"),
    *_words("秋月夜", season="autumn", time="night", sky="moon"),
    *_words("春江月夜", {"subject": ("river",)}, season="spring", time="night", sky="moon"),
]

# What the air and the sky hold, as nouns for lists.
AIR: list[Word] = [
    *_words("薄雾 雾 雾气 云雾 轻雾", weather="mist"), *_words("烟雾缭绕", weather="mist"),
    *_words("晨雾", time="dawn", weather="mist"), *_words("暮霭", time="dusk", weather="mist"),
    *_words("夜雾", time="night", weather="mist"),
    *(Word(name + "雾", {"season": season, "weather": "mist"}) for season, name in _SEASON_NAMES.items()),
    *_words("雨 细雨 小雨 烟雨 下雨 雨天", weather="rain"),
    *(Word(name + "雨", {"season": season, "weather": "rain"}) for season, name in _SEASON_NAMES.items()),
    *_words("夜雨", time="night", weather="rain"), *_words("暮雨", time="dusk", weather="rain"),
    *_words("晨雨", time="dawn", weather="rain"),
    *_words("雪 大雪 下雪 飘雪 飞雪 雪景 雪天", weather="snow"), *_words("冬雪", season="winter", weather="snow"),
    *_words("暮雪", time="dusk", weather="snow"), *_words("夜雪", time="night", weather="snow"),
    *_words("晴朗 晴", weather="clear"), *_words("晴天 晴空", BY_DAY, weather="clear"),
    *_words("晴夜", time="night", weather="clear"),
    *_words("太阳", sky="sun"), *_words("阳光", SUNLIT, sky="sun"), *_words("红日", UNCOLOURED_LOW_SUN, sky="sun"),
    *_words("日出 朝阳 旭日 朝日", time="dawn", sky="sun"), *_words("夕阳 夕阳 落日 斜阳", time="dusk", sky="sun"),
    *_words("烈日 艳阳", {"weather": ("clear",)}, season="summer", time="day", sky="sun"),
    *_words("月亮 明月 圆月 一轮明月 月光 月色", sky="moon"), *_words("夜月", time="night", sky="moon"),
    *(Word(name + "月", {"season": season, "sky": "moon"}) for season, name in _SEASON_NAMES.items()
      if season in ("spring", "autumn")),
    *_words("星空 繁星 星星 满天星 星光 星河", sky="stars"), *_words("夜空繁星", time="night", sky="stars"),
]

# The same as clauses.
CLAUSES: list[Word] = [
    *_words("薄雾笼罩 云雾缭绕 雾气弥漫 雾蒙蒙的 烟雾朦胧 起了薄雾", weather="mist"),
    *_words("晨雾未散", time="dawn", weather="mist"), *_words("暮霭沉沉", time="dusk", weather="mist"),
    *_words("细雨蒙蒙 细雨绵绵 下着小雨 烟雨迷蒙 雨丝斜飞 烟雨朦胧", weather="rain"),
    *_words("春雨绵绵 春雨潇潇", season="spring", weather="rain"), *_words("秋雨绵绵", season="autumn", weather="rain"),
    *_words("大雪纷飞 雪花飘飘 下着雪 漫天飞雪 积雪皑皑 飘着雪花", weather="snow"),
    *_words("万里无云", weather="clear"), *_words("天气晴朗", BY_LIGHT, weather="clear"), *_words("晴空万里 天朗气清", BY_DAY, weather="clear"),
    *_words("夜空晴朗", time="night", weather="clear"),
    *_words("天上有太阳 太阳挂在天上", sky="sun"), *_words("阳光明媚 阳光正好", SUNLIT, sky="sun"),
    *_words("一轮红日", UNCOLOURED_LOW_SUN, sky="sun"),
    *_words("旭日东升 朝阳初升 太阳刚刚升起", time="dawn", sky="sun"),
    *_words("夕阳西下 落日西沉 夕阳斜照 太阳快要落山", time="dusk", sky="sun"),
    *_words("艳阳高照 太阳高照", {"weather": ("clear",)}, time="day", sky="sun"),
    *_words("明月高悬 一轮明月 月光如水 圆月当空 月亮升起来了 天上挂着月亮", sky="moon"),
    *_words("繁星满天 满天星斗 星光点点 星河灿烂 天上都是星星", sky="stars"),
]

# Where the subject is seen: in the rain, under the moon.
UNDER: list[Word] = [
    *_words("薄雾中 雾中 云雾里 雾气中", weather="mist"), *_words("晨雾中 晨雾里", time="dawn", weather="mist"),
    *_words("暮霭中", time="dusk", weather="mist"),
    *_words("雨中 细雨中 烟雨中 烟雨里", weather="rain"), *_words("春雨中 春雨里", season="spring", weather="rain"),
    *_words("秋雨中 秋雨里", season="autumn", weather="rain"), *_words("夜雨中", time="night", weather="rain"),
    *_words("暮雨中", time="dusk", weather="rain"),
    *_words("雪中 大雪中 风雪中 飞雪中 雪地里", weather="snow"), *_words("暮雪中", time="dusk", weather="snow"),
    *_words("晴空下 蓝天下", {**BY_DAY, "colour": (None, "blue")}, weather="clear"),
    *_words("阳光下 阳光里", SUNLIT, sky="sun"), *_words("朝阳下 朝阳里 旭日下", time="dawn", sky="sun"),
    *_words("烈日下", {"weather": ("clear",)}, season="summer", time="day", sky="sun"),
    *_words("夕阳下 夕阳里 落日下 斜阳里 夕阳中", time="dusk", sky="sun"),
    *_words("月下 月光下 明月下 月色中", sky="moon"), *_words("秋月下", season="autumn", sky="moon"),
    *_words("星空下 繁星下 星光下", sky="stars"),
    *_words("晨曦中 晨曦里", time="dawn"), *_words("暮色中 暮色里", time="dusk"), *_words("余晖里", SUNSET_GLOW, time="dusk"),
    *_words("夜色中 夜色里", time="night"), *_words("春风里 春光里", season="spring"), *_words("秋风里 秋色里", season="autumn"),
    *_words("寒风里 寒风中", season="winter"),
]

# What each subject is called. The first words are the plain ones, which `canonical` uses.
NOUNS: dict[str, list[Word]] = {
    "mountain": [
        *_words("山 高山 山峰 大山", measures="座"), *_words("群山 远山 山峦 山岭 崇山峻岭 层层山峦"),
        *_words("青山", GREEN_SEASON, measures="座"), *_words("雪山", measures="座", weather="snow"),
        *_words("春山", season="spring"), *_words("夏山", season="summer"), *_words("秋山", season="autumn"),
        *_words("寒山", season="winter")],
    "waterfall": [
        *_words("瀑布 瀑布 飞瀑", measures="道条挂"), *_words("大瀑布", measures="道"), *_words("山间瀑布 高山瀑布 飞泉 山中飞瀑"),
        *_words("冰瀑", measures="道", season="winter")],
    "river": [
        *_words("河 大河 江 河流 大江", measures="条"), *_words("江水 长河 黄河 长江 江河 河水"),
        *_words("春江", season="spring"), *_words("秋江", season="autumn"), *_words("寒江", season="winter")],
    "sea": [*_words("大海 大海 海 海面", measures="片"), *_words("海浪 沧海 海边 海景 碧海"),
            *_words("春海", season="spring"), *_words("秋日的海", BY_LIGHT, season="autumn")],
    "desert": [*_words("沙漠 沙漠 大漠", measures="片"), *_words("沙丘", measures="片座"), *_words("黄沙 大漠黄沙 戈壁沙漠")],
    "village": [
        *_words("村庄 村庄 小村 山村 村落 小山村 小村庄 古村", measures="座个"), *_words("乡村 农家 村舍 乡村人家"),
        *_words("雪村", measures="座", weather="snow")],
    "boat": [
        *_words("小船 小船 船 木船", measures="只艘条"), *_words("小舟 轻舟", measures="叶只"), *_words("帆船", measures="艘只"),
        *_words("扁舟", measures="叶"), *_words("乌篷船", measures="条只", beside=("colour",)),
        *_words("孤舟", beside=("colour",), count=1)],
    "fisherman": [
        *_words("渔夫 渔翁 渔人 老渔夫", measures="位个"), *_words("钓鱼人 垂钓者 钓鱼的老人 垂钓的老翁", measures="位个"),
        *_words("钓叟 蓑衣渔翁"), *_words("寒江钓叟 寒江独钓", season="winter"), *_words("秋江钓叟 秋江独钓", season="autumn"),
        *_words("春江钓叟", season="spring")],
    "bridge": [*_words("小桥 石桥 拱桥 桥 石拱桥 古桥", measures="座"), *_words("小桥流水")],
    "pavilion": [*_words("亭子 凉亭 小亭 古亭 小亭子 亭", measures="座"), *_words("亭台 亭阁")],
    "pagoda": [*_words("宝塔 古塔 塔 高塔 佛塔", measures="座")],
    "pine": [
        *_words("松树 松树 古松 松 老松 苍松 青松", measures="棵株"), *_words("迎客松", measures="棵株"),
        *_words("孤松", count=1), *_words("寒松", season="winter"), *_words("春松", season="spring")],
    "willow": [
        *_words("柳树 柳树 垂柳 柳 杨柳", measures="棵株"), *_words("绿柳 翠柳", GREEN_SEASON, measures="棵株"),
        *_words("春柳 新柳", NOT_SNOWING, season="spring"), *_words("秋柳", season="autumn"), *_words("寒柳", season="winter")],
    "bamboo": [
        *_words("竹子 竹 翠竹 青竹 修竹", measures="丛"), *_words("竹林", measures="片"), *_words("竹丛", measures="片"),
        *_words("雪竹", weather="snow"), *_words("寒竹", season="winter"), *_words("新竹", season="spring")],
    "plum": [
        *_words("梅花 梅花", measures="枝树株"), *_words("梅", beside=("colour",)), *_words("梅树", measures="棵株"), *_words("梅枝"),
        *_words("红梅 红梅花", measures="枝树", colour="red"), *_words("粉梅", measures="枝树", colour="pink"),
        *_words("白梅 白梅花", measures="枝树", colour="white"), *_words("黄梅", measures="枝树", colour="yellow"),
        *_words("腊梅", measures="枝树", season="winter", colour="yellow"),
        *_words("寒梅 冬梅", measures="枝", season="winter"), *_words("春梅", measures="枝", season="spring")],
    "lotus": [
        *_words("荷花 莲花 荷花", measures="朵枝"), *_words("荷 莲", beside=("colour",)),
        *_words("荷塘 一池荷花", {"count": (2, 3, 4)}, beside=("count",)),
        *_words("粉荷 粉莲", measures="朵枝", colour="pink"), *_words("白莲 白荷 白莲花", measures="朵枝", colour="white"),
        *_words("红莲 红荷", measures="朵枝", colour="red"), *_words("紫莲", measures="朵枝", colour="purple"),
        *_words("夏荷", season="summer"), *_words("秋荷", season="autumn")],
    "chrysanthemum": [
        *_words("菊花 菊花", measures="朵枝"), *_words("菊", beside=("colour",)), *_words("黄菊 金菊 黄菊花", measures="朵枝", colour="yellow"),
        *_words("白菊 白菊花", measures="朵枝", colour="white"), *_words("紫菊", measures="朵枝", colour="purple"),
        *_words("红菊", measures="朵枝", colour="red"), *_words("秋菊", measures="朵枝", season="autumn"),
        *_words("寒菊", measures="朵枝", season="winter")],
    "birds": [
        *_words("飞鸟 小鸟 鸟 鸟儿 水鸟", measures="只"), *_words("大雁 飞雁", measures="只", beside=("colour",)),
        *_words("鸟群", {"count": (3, 4, 5)}, beside=("count",)),
        *_words("群鸟", {"count": (3, 4, 5)}, beside=("count", "colour")),
        *_words("白鹤 白鹭 白鸟 白鸽", measures="只", colour="white"), *_words("黄鹂 黄雀 黄鸟", measures="只", colour="yellow"),
        *_words("红鸟", measures="只", colour="red"), *_words("蓝鸟", measures="只", colour="blue"),
        *_words("秋雁", measures="只", beside=("colour",), season="autumn"), *_words("孤雁", beside=("colour",), count=1)],
}

# Adjectives that state no attribute, and what the subject does or where it stands.
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "mountain": ("巍峨的", "高高的", "雄伟的", "险峻的"), "waterfall": ("壮观的", "高高的", "奔腾的"),
    "river": ("弯弯的", "宽阔的", "蜿蜒的", "奔流的"), "sea": ("辽阔的", "宽广的", "平静的"),
    "desert": ("无边的", "辽阔的", "荒凉的"), "village": ("宁静的", "安静的", "古老的", "偏远的"),
    "boat": ("小小的", "漂荡的"), "fisherman": ("孤独的", "戴斗笠的", "披蓑衣的"),
    "bridge": ("弯弯的", "古老的"), "pavilion": ("小小的", "古朴的", "安静的"), "pagoda": ("古老的", "高高的", "高耸的"),
    "pine": ("挺拔的", "苍劲的", "高大的"), "willow": ("婀娜的", "依依的", "轻柔的"), "bamboo": ("挺拔的", "幽静的", "茂密的"),
    "plum": ("盛开的", "清香的", "含苞的"), "lotus": ("盛开的", "亭亭玉立的", "含苞的"),
    "chrysanthemum": ("盛开的", "淡雅的", "怒放的"), "birds": ("飞翔的", "自在的"),
}
TAILS: dict[str, tuple[str, ...]] = {
    "mountain": ("连绵起伏", "层层叠叠", "高耸入云"), "waterfall": ("飞流直下", "从山上落下", "奔泻而下", "挂在山间"),
    "river": ("蜿蜒流淌", "流向远方", "奔流不息", "缓缓流过"), "sea": ("波涛起伏", "波光粼粼", "一望无际", "浪花翻涌"),
    "desert": ("一望无际", "连绵起伏", "无边无际"), "village": ("静静的", "在山脚下", "炊烟袅袅", "依山而建"),
    "boat": ("在湖上", "在湖上", "漂在水面上", "停在岸边", "泊在水边", "缓缓划过"),
    "fisherman": ("在江上垂钓", "独自垂钓", "在钓鱼", "在江边钓鱼", "静静垂钓"),
    "bridge": ("横跨小河", "架在溪上", "横在水上"), "pavilion": ("立在水边", "立在湖畔", "静静伫立"),
    "pagoda": ("立在山间", "静静矗立", "高耸入云", "立在山头"), "pine": ("立在山崖上", "傲然挺立", "长在岩石上"),
    "willow": ("垂在水边", "随风轻摆", "立在湖畔", "拂着水面"), "bamboo": ("随风摇曳", "立在石旁", "轻轻摇曳"),
    "plum": ("盛开", "悄然绽放", "开在枝头", "开了"), "lotus": ("盛开", "开在池塘里", "亭亭玉立", "浮在水面上"),
    "chrysanthemum": ("盛开", "开在篱边", "迎风开放", "开了"), "birds": ("飞过天空", "掠过水面", "在空中飞翔", "展翅飞翔"),
}
SNOWY = _words("落满雪的 落满雪的 积雪的 覆着雪的 披着雪的", weather="snow")
SNOWY_SUBJECTS = ("mountain", "village", "bridge", "pavilion", "pagoda", "pine", "bamboo", "plum")

# The first word is the plain one; those in COLOUR_NAMES may also stand alone in a keyword list.
COLOUR_NAMES: dict[str, tuple[str, ...]] = {
    "red": ("红色", "红色", "朱红色", "大红色"), "yellow": ("黄色", "黄色", "金黄色", "明黄色"), "white": ("白色", "白色", "纯白色"),
    "pink": ("粉色", "粉红色", "粉红色"), "blue": ("蓝色", "蓝色", "深蓝色", "湖蓝色"), "green": ("绿色", "绿色", "翠绿色", "碧绿色"),
    "purple": ("紫色", "紫色", "淡紫色", "深紫色"),
}
COLOUR_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "red": ("红红的", "朱红的", "鲜红的"), "yellow": ("金黄的", "明黄的"), "white": ("洁白的", "素白的"), "pink": ("粉红的", "粉嫩的"),
    "blue": ("蓝蓝的", "湛蓝的"), "green": ("碧绿的", "翠绿的"), "purple": ("淡紫的", "紫莹莹的"),
}
COLOUR_STEMS = {"red": "红", "yellow": "黄", "white": "白", "pink": "粉", "blue": "蓝", "green": "绿", "purple": "紫"}
# The part of the subject that wears the colour.
COLOUR_PARTS: dict[str, tuple[str, ...]] = {
    "boat": ("挂着{}帆的", "扬着{}帆的", "{}帆"), "pavilion": ("{}顶的", "{}瓦", "{}色屋顶的"), "pagoda": ("{}瓦", "{}色屋檐的", "{}檐"),
    "plum": (), "lotus": (), "chrysanthemum": (), "birds": (),
}

DIGITS = {1: "一", 2: "两", 3: "三", 4: "四", 5: "五"}
VAGUE_NUMBERS = ("几", "数", "好几")
POSITION_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("左边", "左边", "左侧", "左侧", "左方", "画面左边", "画面左侧"),
    "right": ("右边", "右边", "右侧", "右侧", "右方", "画面右边", "画面右侧"),
    "centre": ("中央", "中央", "正中", "画面中央", "画面中间", "画面正中"),
}
SEPARATORS = ("，", "，", "，", "，", "，", "，", ",", ",", ", ", " ", " ")
KEYWORD_SEPARATORS = (" ", " ", " ", "、", "、", ",", "，", ", ")
DECORATIONS = ("4k壁纸", "4k", "插画", "唯美", "意境", "意境深远", "精细", "高清", "壁纸", "古风", "杰作", "细节丰富", "诗意")

PLAIN: dict[str, dict[object, str]] = {
    "season": {"spring": "春天", "summer": "夏天", "autumn": "秋天", "winter": "冬天"},
    "time": {"dawn": "清晨", "day": "白天", "dusk": "黄昏", "night": "夜晚"},
    "weather": {"clear": "晴", "mist": "薄雾", "rain": "下雨", "snow": "下雪"},
    "sky": {"sun": "太阳", "moon": "月亮", "stars": "星空"},
    "position": {"left": "左边", "right": "右边", "centre": "中央"},
}

# How often an attribute is mentioned; clear weather and a single thing need less saying.
MENTION_CHANCES = {"medium": 0.85, "season": 0.65, "time": 0.65, "colour": 0.80, "sky": 0.50, "position": 0.30}
WEATHER_CHANCE, CLEAR_CHANCE = 0.75, 0.08
MANY_CHANCE, ONE_CHANCE, VAGUE_CHANCE = 0.75, 0.30, 0.15
BARE_MEASURE_CHANCE = 0.4

_CONTEXT = ("season", "weather", "time", "sky")


@dataclass
class _Text:
    """A caption in the making: what is to be mentioned, and what its phrases have said so far."""

    scene: Scene
    want: frozenset[str]
    rng: random.Random
    vague_count: bool
    said: set[str] = field(default_factory=lambda: {"subject"})

    def missing(self, among: Iterable[str] = ATTRIBUTES) -> set[str]:
        return {name for name in among if name in self.want and name not in self.said}

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def choose(self, table: Sequence[Word], goal: Iterable[str], spare: Iterable[str] = ()) -> Word | None:
        """A phrase that says something of `goal`, and nothing outside `goal` and `spare`; rich phrases come first."""
        goal = set(goal)
        allowed = goal | set(spare)
        fitting = [w for w in table if goal.intersection(w.says) and allowed.issuperset(w.says) and w.true_of(self.scene)]
        if not fitting:
            return None
        word = self.rng.choices(fitting, [len(w.says) ** 2 for w in fitting])[0]
        self.said.update(word.says)
        return word

    def cover(self, table: Sequence[Word], goal: Iterable[str], spare: Iterable[str] = ()) -> list[str]:
        """Phrases that together say all of `goal` that is still missing, in the order season, weather, hour, sky."""
        goal = tuple(goal)
        words: list[Word] = []
        while missing := self.missing(goal):
            word = self.choose(table, missing, self.missing(spare))
            if word is None:
                break
            words.append(word)
        words.sort(key=lambda w: min(_CONTEXT.index(name) for name in w.says))
        return [w.text for w in words]

    def medium(self, names: Mapping[str, tuple[str, ...]] = MEDIUM_WORDS) -> list[str]:
        """The medium as a list of one phrase, or of none if it is not to be mentioned."""
        if not self.missing(("medium",)):
            return []
        self.said.add("medium")
        return [self.rng.choice(names[self.scene.medium])]

    def noun(self) -> Word:
        """What the subject is called here."""
        scene = self.scene
        counted = "count" in self.want or self.vague_count
        fitting = [w for w in NOUNS[scene.subject]
                   if w.true_of(scene) and self.want.issuperset(w.says) and not self.said.intersection(w.says)
                   and not self.want.intersection(w.beside)
                   and (not counted or (w.measures and not self.vague_count) or "count" in w.says
                        or (self.vague_count and (w.measures or "count" in w.beside)))]
        word = self.rng.choices(fitting, [1 + len(w.says) for w in fitting])[0]
        self.said.update(word.says)
        return word

    def colour(self, noun: Word) -> str:
        """The colour before a noun, or nothing if it is not to be mentioned."""
        scene = self.scene
        if not self.missing(("colour",)):
            return ""
        self.said.add("colour")
        parts = COLOUR_PARTS[scene.subject] if "帆" not in noun.text else ()
        if parts and self.chance(0.3):
            return self.rng.choice(parts).format(COLOUR_STEMS[scene.colour])
        if self.chance(0.2):
            return self.rng.choice(COLOUR_ADJECTIVES[scene.colour])
        return self.rng.choice(COLOUR_NAMES[scene.colour]) + self.rng.choice(("", "的"))

    def number(self, noun: Word, bare: bool) -> str:
        """The number and the measure word before a noun, or nothing."""
        scene = self.scene
        if not noun.measures or "count" in noun.says:
            return ""
        measure = self.rng.choice(noun.measures)
        if self.missing(("count",)):
            self.said.add("count")
            digit = str(scene.count) if scene.count > 1 and self.chance(0.05) else DIGITS[scene.count]
            return digit + measure
        if self.vague_count:
            return self.rng.choice(VAGUE_NUMBERS) + measure.replace("叶", "只")
        if scene.subject not in COUNTED and not bare and self.chance(BARE_MEASURE_CHANCE):
            return "一" + measure
        return ""

    def thing(self, bare: bool = False, compact: bool = False) -> str:
        """The subject with its number, colour and epithets. `bare`: no 一 that counts nothing; `compact`: no epithet."""
        noun = self.noun()
        number = self.number(noun, bare)
        epithet = ""
        if not compact:
            if (self.scene.subject in SNOWY_SUBJECTS and "雪" not in noun.text and self.missing(("weather",))
                    and self.chance(0.4) and (snowy := self.choose(SNOWY, ("weather",)))):
                epithet = snowy.text
            elif self.chance(0.12) and len(noun.text) <= 3 and not noun.says:
                epithet = self.rng.choice(ADJECTIVES[self.scene.subject])
        colour = self.colour(noun)
        if epithet and colour.endswith("的"):
            colour = colour.removesuffix("的") if len(colour) == 3 and colour[1] == "色" else colour
        return number + epithet + colour + noun.text

    def tail(self, thing: str, p: float) -> str:
        """Where the thing is in the picture, if that is to be mentioned, else perhaps what it does."""
        if self.missing(("position",)):
            self.said.add("position")
            return "在" + self.rng.choice(POSITION_WORDS[self.scene.position])
        tail = self.rng.choice(TAILS[self.scene.subject])
        repeats = set(tail).intersection(thing) - set("的上")
        return tail if self.chance(p) and not repeats else ""

    def placed(self, thing: str, p: float) -> str:
        """The subject with its place: before it (左边一座塔) or after it (塔在左边)."""
        if self.missing(("position",)) and self.chance(0.4):
            self.said.add("position")
            return self.rng.choice(POSITION_WORDS[self.scene.position]) + self.rng.choice(("", "是", "有")) + thing
        return thing + self.tail(thing, p)

    def lead(self, p: float = 0.4) -> str:
        """Season and hour as the opening of a phrase, with 的 between them at the chance `p`: 秋天的傍晚."""
        words = self.cover(WHEN, ("season", "time"), ("weather", "sky"))
        return ("的" if self.chance(p) else "").join(words)

    def ended(self, parts: list[str], separator: str) -> str:
        """The parts joined, with the medium at either end."""
        medium = self.medium()
        parts = parts + medium if self.chance(0.75) else medium + parts
        return separator.join(part for part in parts if part)


def _list_form(text: _Text) -> str:
    """一只小船在湖上，夕阳，水彩"""
    subject = text.placed(text.thing(), 0.25)
    tables = (WHEN + AIR, WHEN + AIR + CLAUSES)
    context = text.cover(text.rng.choice(tables), _CONTEXT)
    if text.chance(0.4):
        text.rng.shuffle(context)
    at = 0 if text.chance(0.6) else text.rng.randint(0, len(context))
    return text.ended(context[:at] + [subject] + context[at:], text.rng.choice(SEPARATORS))


def _keyword_form(text: _Text) -> str:
    """青绿山水 瀑布 秋天 清晨"""
    items = text.cover(WHEN + AIR, _CONTEXT)
    noun = text.noun()
    items.append(text.number(noun, bare=True) + noun.text)
    if text.missing(("colour",)):
        text.said.add("colour")
        items.append(text.rng.choice(COLOUR_NAMES[text.scene.colour]))
    if text.missing(("position",)):
        text.said.add("position")
        items.append(text.rng.choice(POSITION_WORDS[text.scene.position]))
    items += text.medium()
    text.rng.shuffle(items)
    return text.rng.choice(KEYWORD_SEPARATORS).join(items)


def _setting(text: _Text, p: float = 0.4) -> tuple[str, bool]:
    """The hour and the air before a thing, and whether it ends in a phrase of place (月下, 雪中)."""
    under = text.choose(UNDER, text.missing(_CONTEXT)) if text.chance(0.5) else None
    lead = text.lead(p)
    if under is None:
        return lead, False
    if lead:
        joint = "的" if lead[-1] in "天日" and not lead.endswith("白天") and "的" not in lead else "，"
        lead += text.rng.choice(("，", "，", joint, "" if lead[-1] in "夜晨" else "，"))
    return lead + under.text, True


def _link(text: _Text, setting: str, is_place: bool, thing: str) -> str:
    """The particle between a setting and the thing that stands in it; one 的 in the neighbourhood is enough."""
    if not setting:
        return ""
    of = "，" if "的" in thing or "的" in setting else "的"
    if is_place:
        return text.rng.choice((of, of, "，", ""))
    within = "里" if setting[-1] in "夜天" and not setting.endswith("白天") else of
    return text.rng.choice((of, of, "，", within))


def _flowing_form(text: _Text) -> str:
    """冬夜里一座落满雪的红色宝塔，水墨画"""
    setting, is_place = _setting(text)
    thing = text.thing()
    link = _link(text, setting, is_place, thing)
    body = text.placed(thing, 0.3) if link == "，" else thing + text.tail(thing, 0.3)
    clauses = text.cover(CLAUSES, _CONTEXT)
    opening = clauses if text.chance(0.3) else []
    closing = [] if opening else clauses
    return text.ended(opening + [setting + link + body] + closing, "," if text.chance(0.12) else "，")


def _sheet_form(text: _Text) -> str:
    """一幅描绘冬夜红色宝塔的水墨画; 一幅水墨画，画的是冬夜里的红色宝塔"""
    medium = text.medium(MEDIUM_NOUNS)[0]
    sheet = text.rng.choice(("一幅", "一幅", "一张"))
    if text.chance(0.4) and not text.missing(("position",)):
        lead = text.lead(p=0)
        thing = text.thing(bare=True, compact=True)
        link = "里" if lead.endswith("夜") and text.chance(0.5) else ""
        verb = text.rng.choice(("", "画着", "描绘", "描绘"))
        picture = f"{sheet}{verb}{lead}{link}{thing}的{medium}"
        return "，".join([picture, *text.cover(CLAUSES, _CONTEXT)])
    setting, is_place = _setting(text)
    thing = text.thing()
    body = setting + _link(text, setting, is_place, thing) + thing + text.tail(thing, 0.25)
    opening = text.rng.choice(("，", "，", "：", "，画的是", "，画着", "，描绘"))
    return sheet + medium + opening + "，".join([body, *text.cover(CLAUSES, _CONTEXT)])


def _asking_form(text: _Text) -> str:
    """画一座红色宝塔，冬夜，要水墨画"""
    thing = text.thing()
    place = text.tail(thing, 0)
    verb = text.rng.choice(("画", "画", "帮我画", "请画", "我想画", "想要"))
    context = text.cover(WHEN + AIR + CLAUSES, _CONTEXT)
    medium = text.medium(MEDIUM_NOUNS)
    if medium and text.chance(0.5):
        return "，".join([f"{text.rng.choice(('用', '以'))}{medium[0].removesuffix('画')}画{thing}", *([place] if place else []), *context])
    wish = [text.rng.choice(("", "要", "画成")) + name for name in medium]
    return "，".join([verb + thing, *([place] if place else []), *context, *wish])


def _title_form(text: _Text) -> str:
    """雪夜古塔，水墨"""
    setting = text.lead()
    thing = text.thing(bare=True, compact=True)
    position = text.tail(thing, 0)
    rest = text.cover(AIR, _CONTEXT)
    end = "图" if not rest and not position and len(setting + thing) <= 6 and text.chance(0.25) else ""
    link = "的" if setting and (len(setting) > 3 or len(thing) == 1) and "的" not in setting + thing else ""
    return text.ended([setting + link + thing + position + end, *rest], text.rng.choice(SEPARATORS))


# Each form with its weight and whether it needs the medium.
_FORMS = ((_list_form, 28, False), (_keyword_form, 16, False), (_flowing_form, 28, False), (_sheet_form, 9, True),
          (_asking_form, 5, False), (_title_form, 17, False))


def _closure(scene: Scene, said: set[str]) -> frozenset[str]:
    """What is said, with what follows from it: it snows only in winter, and stars are seen only by night."""
    implied = set(said)
    if "weather" in said and scene.weather == "snow":
        implied.add("season")
    if "sky" in said and scene.sky == "stars":
        implied.add("time")
    return frozenset(implied)


def _wishes(scene: Scene, rng: random.Random) -> set[str]:
    """The attributes that a caption of this scene is to mention."""
    want = {"subject"}
    chances = dict(MENTION_CHANCES)
    if scene.colour is None:
        del chances["colour"]
    if scene.sky == "none":
        del chances["sky"]
    if scene.subject not in PLACED:
        del chances["position"]
    chances["weather"] = CLEAR_CHANCE if scene.weather == "clear" else WEATHER_CHANCE
    if scene.subject in COUNTED:
        chances["count"] = MANY_CHANCE if scene.count > 1 else ONE_CHANCE
    want.update(name for name, chance in chances.items() if rng.random() < chance)
    return want


def _decorated(text: str, rng: random.Random) -> str:
    """The text, seldom with one of the ornaments that people add to prompts."""
    if rng.random() >= DECORATION_CHANCE:
        return text
    separator = next((mark for mark in ("，", ",", "、", " ") if mark in text), "，")
    return text + separator + rng.choice(DECORATIONS)


def _compose(scene: Scene, want: set[str], rng: random.Random) -> tuple[str, frozenset[str]]:
    """A prose caption that mentions what is wanted; redrawn if it comes out too long."""
    while True:
        wanted = frozenset(want)
        vague = "count" in want and scene.count > 1 and rng.random() < VAGUE_CHANCE
        if vague:
            wanted -= {"count"}
        forms = [(form, weight) for form, weight, needs_medium in _FORMS if "medium" in wanted or not needs_medium]
        form = rng.choices([f for f, _ in forms], [w for _, w in forms])[0]
        text = _Text(scene, wanted, rng, vague)
        written = _decorated(form(text), rng)
        if len(written) <= MAX_LENGTH and wanted <= text.said:
            return written, _closure(scene, text.said)


def prose_with_mentions(scene: Scene, rng: random.Random) -> tuple[str, frozenset[str]]:
    """A caption that quotes no poem, and the attributes that it determines."""
    return _compose(scene, _wishes(scene, rng), rng)


def _quote(scene: Scene, rng: random.Random) -> tuple[str, frozenset[str]] | None:
    """A line of poetry that fits the scene, alone or with a few words after it; None if no line fits."""
    fitting = [poem for poem in POEMS if poem.matches(scene)]
    if not fitting:
        return None
    poem = rng.choice(fitting)
    said = {name for name, value in poem.scene.items() if value != "none"}  # an empty sky goes without saying
    parts = [poem.line]
    if rng.random() < 0.75:
        extra = {name for name in ("medium", "season", "time") if name not in said and rng.random() < MENTION_CHANCES[name]}
        text = _Text(scene, frozenset(extra), rng, vague_count=False)
        parts += text.cover(WHEN, ("season", "time")) + text.medium()
        said |= extra
    return rng.choice(("，", "，", "，", " ", ",")).join(parts), _closure(scene, said)


def caption_with_mentions(scene: Scene, rng: random.Random) -> tuple[str, frozenset[str]]:
    """A caption of the scene, and the attributes that its text determines (a subset of ATTRIBUTES)."""
    if rng.random() < POEM_CHANCE and (quotation := _quote(scene, rng)):
        return quotation
    return prose_with_mentions(scene, rng)


def caption(scene: Scene, rng: random.Random) -> str:
    """A natural caption of the scene."""
    return caption_with_mentions(scene, rng)[0]


def _essentials(scene: Scene) -> set[str]:
    return {"medium", "subject", "season", "time"} | ({"colour"} if scene.colour else set())


def evaluation_caption(scene: Scene, rng: random.Random) -> str:
    """A caption in varied prose that always states medium, subject, season, time, and the colour if there is one."""
    return _compose(scene, _wishes(scene, rng) | _essentials(scene), rng)[0]


def canonical(scene: Scene, mention: set[str]) -> str:
    """A plain comma list that states the attributes in `mention`, and always medium, subject, season, time, colour.

    An empty sky has no word, and a count or a colour that the subject does not have is left out.
    """
    said = mention | _essentials(scene)
    noun = NOUNS[scene.subject][0]
    number = DIGITS[scene.count] + noun.measures[0] if "count" in said and scene.subject in COUNTED else ""
    colour = COLOUR_NAMES[scene.colour][0] if scene.subject in COLOURED else ""
    parts = [MEDIUM_WORDS[scene.medium][0], number + colour + noun.text]
    parts += [PLAIN[name][getattr(scene, name)] for name in ("season", "time", "weather", "sky", "position")
              if name in said and getattr(scene, name) in PLAIN[name]]
    return "，".join(parts)
