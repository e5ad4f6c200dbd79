"""Famous lines of classical Chinese poetry, each tied to the attributes of the picture that it describes.

Only what a line implies is fixed, by itself or through the poem that it is taken from; the rest of the scene is free.
A line that shows the sun, the moon or the stars also fixes the hour and the weather in which they can be seen; where
its moon has set, hides, or pales at dawn (which the painter does not draw), the sky is empty.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from scene import Scene


@dataclass(frozen=True)
class Poem:
    """A line and the scene attributes that it determines."""

    line: str
    scene: Mapping[str, str | int] = field(hash=False)

    def matches(self, scene: Scene) -> bool:
        """True if the picture has every attribute that the line determines."""
        return all(getattr(scene, name) == value for name, value in self.scene.items())


def _poem(line: str, subject: str, **fixed: str | int) -> Poem:
    return Poem(line, {"subject": subject, **fixed})


# A body seen in the sky, with the hour and the clear air that it needs.
_DAY_SUN = dict(time="day", sky="sun", weather="clear")
_DAWN_SUN = dict(time="dawn", sky="sun", weather="clear")
_DUSK_SUN = dict(time="dusk", sky="sun", weather="clear")
_NIGHT_MOON = dict(time="night", sky="moon", weather="clear")
_NIGHT_STARS = dict(time="night", sky="stars", weather="clear")
_SNOW = dict(season="winter", weather="snow")

POEMS: tuple[Poem, ...] = (
    _poem("会当凌绝顶，一览众山小", "mountain", time="day", weather="clear"),
    _poem("横看成岭侧成峰，远近高低各不同", "mountain"),
    _poem("不识庐山真面目，只缘身在此山中", "mountain", weather="mist"),
    _poem("只在此山中，云深不知处", "mountain", weather="mist"),
    _poem("空山新雨后，天气晚来秋", "mountain", season="autumn", time="dusk"),
    _poem("相看两不厌，只有敬亭山", "mountain", time="day"),
    _poem("千山鸟飞绝，万径人踪灭", "mountain", **_SNOW),
    _poem("终南阴岭秀，积雪浮云端", "mountain", **_SNOW),
    _poem("远上寒山石径斜，白云生处有人家", "mountain", season="autumn"),
    _poem("停车坐爱枫林晚，霜叶红于二月花", "mountain", season="autumn", time="dusk"),
    _poem("明月出天山，苍茫云海间", "mountain", **_NIGHT_MOON),
    _poem("峨眉山月半轮秋，影入平羌江水流", "mountain", season="autumn", **_NIGHT_MOON),
    _poem("青山依旧在，几度夕阳红", "mountain", **_DUSK_SUN),

    _poem("日照香炉生紫烟，遥看瀑布挂前川", "waterfall", time="day", sky="sun", weather="mist"),
    _poem("飞流直下三千尺，疑是银河落九天", "waterfall", time="day"),
    _poem("飞流直下三千尺", "waterfall", time="day"),
    _poem("海风吹不断，江月照还空", "waterfall", **_NIGHT_MOON),
    _poem("西登香炉峰，南见瀑布水", "waterfall"),
    _poem("挂流三百丈，喷壑数十里", "waterfall"),
    _poem("今古长如白练飞，一条界破青山色", "waterfall", time="day"),
    _poem("山中一夜雨，树杪百重泉", "waterfall", weather="rain"),

    _poem("君不见黄河之水天上来，奔流到海不复回", "river", time="day"),
    _poem("君不见黄河之水天上来", "river", time="day"),
    _poem("黄河远上白云间，一片孤城万仞山", "river", time="day"),
    _poem("九曲黄河万里沙，浪淘风簸自天涯", "river", time="day"),
    _poem("白日依山尽，黄河入海流", "river", **_DUSK_SUN),
    _poem("铁马冰河入梦来", "river", season="winter", time="night"),
    _poem("春江潮水连海平，海上明月共潮生", "river", season="spring", **_NIGHT_MOON),
    _poem("星垂平野阔，月涌大江流", "river", **_NIGHT_MOON),
    _poem("野旷天低树，江清月近人", "river", **_NIGHT_MOON),
    _poem("滚滚长江东逝水，浪花淘尽英雄", "river"),
    _poem("大江东去，浪淘尽，千古风流人物", "river"),
    _poem("无边落木萧萧下，不尽长江滚滚来", "river", season="autumn"),
    _poem("日出江花红胜火，春来江水绿如蓝", "river", season="spring", **_DAWN_SUN),
    _poem("一道残阳铺水中，半江瑟瑟半江红", "river", **_DUSK_SUN),
    _poem("问君能有几多愁，恰似一江春水向东流", "river", season="spring"),
    _poem("余霞散成绮，澄江静如练", "river", time="dusk", weather="clear"),
    _poem("江流天地外，山色有无中", "river", weather="mist"),

    _poem("海上生明月，天涯共此时", "sea", **_NIGHT_MOON),
    _poem("海上生明月", "sea", **_NIGHT_MOON),
    _poem("沧海月明珠有泪", "sea", **_NIGHT_MOON),
    _poem("星汉灿烂，若出其里", "sea", **_NIGHT_STARS),
    _poem("东临碣石，以观沧海", "sea", time="day"),
    _poem("水何澹澹，山岛竦峙", "sea", time="day"),
    _poem("秋风萧瑟，洪波涌起", "sea", season="autumn"),
    _poem("楼观沧海日，门对浙江潮", "sea", **_DAWN_SUN),
    _poem("长风破浪会有时，直挂云帆济沧海", "sea", time="day"),
    _poem("忽闻海上有仙山，山在虚无缥缈间", "sea", weather="mist"),
    _poem("曾经沧海难为水，除却巫山不是云", "sea"),

    _poem("大漠孤烟直，长河落日圆", "desert", **_DUSK_SUN),
    _poem("大漠穷秋塞草腓，孤城落日斗兵稀", "desert", season="autumn", **_DUSK_SUN),
    _poem("大漠沙如雪，燕山月似钩", "desert", **_NIGHT_MOON),
    _poem("回乐烽前沙似雪，受降城外月如霜", "desert", **_NIGHT_MOON),
    _poem("今夜不知何处宿，平沙万里绝人烟", "desert", time="night"),
    _poem("瀚海阑干百丈冰，愁云惨淡万里凝", "desert", **_SNOW),
    _poem("黄沙百战穿金甲，不破楼兰终不还", "desert", time="day"),
    _poem("平沙莽莽黄入天", "desert", time="day"),

    _poem("山重水复疑无路，柳暗花明又一村", "village", season="spring", time="day"),
    _poem("千里莺啼绿映红，水村山郭酒旗风", "village", season="spring", time="day"),
    _poem("借问酒家何处有，牧童遥指杏花村", "village", season="spring", time="day", weather="rain"),
    _poem("绿树村边合，青山郭外斜", "village", season="summer", time="day"),
    _poem("稻花香里说丰年，听取蛙声一片", "village", season="summer", time="night"),
    _poem("柴门闻犬吠，风雪夜归人", "village", time="night", **_SNOW),
    _poem("日暮苍山远，天寒白屋贫", "village", season="winter", time="dusk"),
    _poem("渡头余落日，墟里上孤烟", "village", **_DUSK_SUN),
    _poem("斜阳照墟落，穷巷牛羊归", "village", season="summer", **_DUSK_SUN),
    _poem("暧暧远人村，依依墟里烟", "village"),
    _poem("狗吠深巷中，鸡鸣桑树颠", "village", time="day"),

    _poem("孤帆远影碧空尽，唯见长江天际流", "boat", season="spring", time="day", weather="clear", count=1),
    _poem("两岸青山相对出，孤帆一片日边来", "boat", count=1, **_DAY_SUN),
    _poem("两岸猿声啼不住，轻舟已过万重山", "boat", count=1),
    _poem("朝辞白帝彩云间，千里江陵一日还", "boat", time="dawn"),
    _poem("春潮带雨晚来急，野渡无人舟自横", "boat", season="spring", time="dusk", weather="rain", count=1),
    _poem("春水碧于天，画船听雨眠", "boat", season="spring", weather="rain", count=1),
    _poem("月落乌啼霜满天，江枫渔火对愁眠", "boat", season="autumn", time="night", sky="none"),
    _poem("潮平两岸阔，风正一帆悬", "boat", count=1),
    _poem("小舟从此逝，江海寄余生", "boat", count=1),
    _poem("过尽千帆皆不是，斜晖脉脉水悠悠", "boat", **_DUSK_SUN),
    _poem("沉舟侧畔千帆过，病树前头万木春", "boat", season="spring"),
    _poem("醉后不知天在水，满船清梦压星河", "boat", count=1, **_NIGHT_STARS),
    _poem("细草微风岸，危樯独夜舟", "boat", time="night", count=1),

    _poem("孤舟蓑笠翁，独钓寒江雪", "fisherman", **_SNOW),
    _poem("孤舟蓑笠翁", "fisherman", season="winter"),
    _poem("西塞山前白鹭飞，桃花流水鳜鱼肥", "fisherman", season="spring", time="day"),
    _poem("青箬笠，绿蓑衣，斜风细雨不须归", "fisherman", season="spring", weather="rain"),
    _poem("一蓑一笠一扁舟，一丈丝纶一寸钩", "fisherman", season="autumn"),
    _poem("一曲高歌一樽酒，一人独钓一江秋", "fisherman", season="autumn"),
    _poem("烟销日出不见人，欸乃一声山水绿", "fisherman", **_DAWN_SUN),
    _poem("君看一叶舟，出没风波里", "fisherman"),
    _poem("钓罢归来不系船，江村月落正堪眠", "fisherman", time="night", sky="none"),
    _poem("渔舟唱晚，响穷彭蠡之滨", "fisherman", season="autumn", time="dusk"),

    _poem("枯藤老树昏鸦，小桥流水人家", "bridge", season="autumn", time="dusk"),
    _poem("小桥流水人家", "bridge"),
    _poem("鸡声茅店月，人迹板桥霜", "bridge", time="dawn", sky="none"),
    _poem("朱雀桥边野草花，乌衣巷口夕阳斜", "bridge", season="spring", **_DUSK_SUN),
    _poem("二十四桥明月夜，玉人何处教吹箫", "bridge", **_NIGHT_MOON),
    _poem("二十四桥仍在，波心荡、冷月无声", "bridge", season="winter", **_NIGHT_MOON),
    _poem("独立小桥风满袖，平林新月人归后", "bridge", **_NIGHT_MOON),
    _poem("伤心桥下春波绿，曾是惊鸿照影来", "bridge", season="spring"),
    _poem("隐隐飞桥隔野烟，石矶西畔问渔船", "bridge", season="spring", weather="mist"),
    _poem("两水夹明镜，双桥落彩虹", "bridge", season="autumn", time="day", weather="clear"),
    _poem("人从桥上过，桥流水不流", "bridge"),

    _poem("寒蝉凄切，对长亭晚，骤雨初歇", "pavilion", season="autumn", time="dusk"),
    _poem("常记溪亭日暮，沉醉不知归路", "pavilion", season="summer", time="dusk"),
    _poem("绿树阴浓夏日长，楼台倒影入池塘", "pavilion", season="summer", time="day"),
    _poem("孤山寺北贾亭西，水面初平云脚低", "pavilion", season="spring", time="day"),
    _poem("天下伤心处，劳劳送客亭", "pavilion", season="spring"),
    _poem("故人西辞黄鹤楼，烟花三月下扬州", "pavilion", season="spring"),
    _poem("小楼一夜听春雨，深巷明朝卖杏花", "pavilion", season="spring", time="night", weather="rain"),
    _poem("何处是归程，长亭更短亭", "pavilion"),
    _poem("昔人已乘黄鹤去，此地空余黄鹤楼", "pavilion"),

    _poem("姑苏城外寒山寺，夜半钟声到客船", "pagoda", season="autumn", time="night"),
    _poem("姑苏城外寒山寺", "pagoda", season="autumn", time="night"),
    _poem("南朝四百八十寺，多少楼台烟雨中", "pagoda", season="spring", weather="rain"),
    _poem("危楼高百尺，手可摘星辰", "pagoda", **_NIGHT_STARS),
    _poem("清晨入古寺，初日照高林", "pagoda", **_DAWN_SUN),
    _poem("飞来山上千寻塔，闻说鸡鸣见日升", "pagoda", **_DAWN_SUN),
    _poem("人间四月芳菲尽，山寺桃花始盛开", "pagoda", season="spring"),
    _poem("不知香积寺，数里入云峰", "pagoda", weather="mist"),
    _poem("苍苍竹林寺，杳杳钟声晚", "pagoda", time="dusk"),
    _poem("塔势如涌出，孤高耸天宫", "pagoda"),

    _poem("明月松间照，清泉石上流", "pine", **_NIGHT_MOON),
    _poem("明月松间照", "pine", **_NIGHT_MOON),
    _poem("明月夜，短松冈", "pine", **_NIGHT_MOON),
    _poem("空山松子落，幽人应未眠", "pine", season="autumn", time="night"),
    _poem("岂不罹凝寒，松柏有本性", "pine", season="winter"),
    _poem("景翳翳以将入，抚孤松而盘桓", "pine", time="dusk", count=1),
    _poem("松下问童子，言师采药去", "pine", time="day"),
    _poem("亭亭山上松，瑟瑟谷中风", "pine"),
    _poem("何当凌云霄，直上数千尺", "pine"),

    _poem("碧玉妆成一树高，万条垂下绿丝绦", "willow", season="spring"),
    _poem("碧玉妆成一树高", "willow", season="spring"),
    _poem("不知细叶谁裁出，二月春风似剪刀", "willow", season="spring"),
    _poem("两个黄鹂鸣翠柳", "willow", season="spring", time="day"),
    _poem("两个黄鹂鸣翠柳，一行白鹭上青天", "willow", season="spring", time="day", weather="clear"),
    _poem("沾衣欲湿杏花雨，吹面不寒杨柳风", "willow", season="spring", weather="rain"),
    _poem("渭城朝雨浥轻尘，客舍青青柳色新", "willow", season="spring", time="dawn", weather="rain"),
    _poem("庭院深深深几许，杨柳堆烟，帘幕无重数", "willow", season="spring", weather="mist"),
    _poem("月上柳梢头，人约黄昏后", "willow", time="dusk", sky="moon", weather="clear"),
    _poem("今宵酒醒何处，杨柳岸，晓风残月", "willow", season="autumn", time="dawn", sky="none"),
    _poem("昔我往矣，杨柳依依", "willow", season="spring"),

    _poem("独坐幽篁里，弹琴复长啸", "bamboo", **_NIGHT_MOON),
    _poem("独坐幽篁里", "bamboo", **_NIGHT_MOON),
    _poem("竹外桃花三两枝，春江水暖鸭先知", "bamboo", season="spring", time="day"),
    _poem("竹外桃花三两枝", "bamboo", season="spring", time="day"),
    _poem("雨洗娟娟净，风吹细细香", "bamboo", weather="rain"),
    _poem("竹喧归浣女，莲动下渔舟", "bamboo", season="autumn", time="dusk"),
    _poem("夜深风竹敲秋韵，万叶千声皆是恨", "bamboo", season="autumn", time="night"),
    _poem("咬定青山不放松，立根原在破岩中", "bamboo"),
    _poem("千磨万击还坚劲，任尔东西南北风", "bamboo"),
    _poem("新竹高于旧竹枝，全凭老干为扶持", "bamboo"),

    _poem("墙角数枝梅，凌寒独自开", "plum", season="winter", colour="white"),
    _poem("遥知不是雪，为有暗香来", "plum", season="winter", colour="white"),
    _poem("梅须逊雪三分白，雪却输梅一段香", "plum", colour="white", **_SNOW),
    _poem("冰雪林中著此身，不同桃李混芳尘", "plum", colour="white", **_SNOW),
    _poem("疏影横斜水清浅，暗香浮动月黄昏", "plum", season="winter", time="dusk", sky="moon", weather="clear"),
    _poem("不经一番寒彻骨，怎得梅花扑鼻香", "plum", season="winter"),
    _poem("来日绮窗前，寒梅著花未", "plum", season="winter"),
    _poem("众芳摇落独暄妍，占尽风情向小园", "plum", season="winter"),
    _poem("怕愁贪睡独开迟，自恐冰容不入时", "plum", season="winter", colour="red"),
    _poem("砌下落梅如雪乱，拂了一身还满", "plum", season="spring", colour="white"),
    _poem("江南无所有，聊赠一枝春", "plum", season="spring"),
    _poem("吾家洗砚池头树，朵朵花开淡墨痕", "plum", season="winter", medium="ink"),

    _poem("接天莲叶无穷碧，映日荷花别样红", "lotus", season="summer", colour="red", **_DAY_SUN),
    _poem("小荷才露尖尖角，早有蜻蜓立上头", "lotus", season="summer", time="day"),
    _poem("叶上初阳干宿雨，水面清圆，一一风荷举", "lotus", season="summer", **_DAWN_SUN),
    _poem("荷风送香气，竹露滴清响", "lotus", season="summer", time="night"),
    _poem("兴尽晚回舟，误入藕花深处", "lotus", season="summer", time="dusk"),
    _poem("江南可采莲，莲叶何田田", "lotus", season="summer"),
    _poem("荷叶罗裙一色裁，芙蓉向脸两边开", "lotus", season="summer"),
    _poem("毕竟西湖六月中，风光不与四时同", "lotus", season="summer"),
    _poem("秋阴不散霜飞晚，留得枯荷听雨声", "lotus", season="autumn", weather="rain"),
    _poem("菡萏香销翠叶残，西风愁起绿波间", "lotus", season="autumn"),
    _poem("无情有恨何人觉，月晓风清欲堕时", "lotus", time="dawn", sky="none", colour="white"),

    _poem("采菊东篱下，悠然见南山", "chrysanthemum", season="autumn"),
    _poem("采菊东篱下", "chrysanthemum", season="autumn"),
    _poem("不是花中偏爱菊，此花开尽更无花", "chrysanthemum", season="autumn"),
    _poem("冲天香阵透长安，满城尽带黄金甲", "chrysanthemum", season="autumn", colour="yellow"),
    _poem("莫道不销魂，帘卷西风，人比黄花瘦", "chrysanthemum", season="autumn", colour="yellow"),
    _poem("东篱把酒黄昏后，有暗香盈袖", "chrysanthemum", season="autumn", time="dusk"),
    _poem("秋丛绕舍似陶家，遍绕篱边日渐斜", "chrysanthemum", season="autumn", **_DUSK_SUN),
    _poem("飒飒西风满院栽，蕊寒香冷蝶难来", "chrysanthemum", season="autumn"),
    _poem("宁可枝头抱香死，何曾吹落北风中", "chrysanthemum", season="autumn"),
    _poem("待到重阳日，还来就菊花", "chrysanthemum", season="autumn"),

    _poem("落霞与孤鹜齐飞，秋水共长天一色", "birds", season="autumn", time="dusk", weather="clear", count=1),
    _poem("一行白鹭上青天", "birds", time="day", weather="clear", colour="white"),
    _poem("晴空一鹤排云上，便引诗情到碧霄", "birds", season="autumn", time="day", weather="clear", colour="white",
          count=1),
    _poem("漠漠水田飞白鹭，阴阴夏木啭黄鹂", "birds", season="summer", time="day", colour="white"),
    _poem("月出惊山鸟，时鸣春涧中", "birds", season="spring", **_NIGHT_MOON),
    _poem("春眠不觉晓，处处闻啼鸟", "birds", season="spring", time="dawn"),
    _poem("泥融飞燕子，沙暖睡鸳鸯", "birds", season="spring", time="day"),
    _poem("众鸟高飞尽，孤云独去闲", "birds", time="day", weather="clear"),
    _poem("山气日夕佳，飞鸟相与还", "birds", time="dusk"),
    _poem("雁字回时，月满西楼", "birds", season="autumn", **_NIGHT_MOON),
    _poem("塞下秋来风景异，衡阳雁去无留意", "birds", season="autumn"),
    _poem("长风万里送秋雁，对此可以酣高楼", "birds", season="autumn", time="day"),
    _poem("月黑雁飞高，单于夜遁逃", "birds", season="winter", time="night", sky="none"),
)
