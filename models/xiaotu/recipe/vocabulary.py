"""Writes the vocabulary of the text encoder: `python vocabulary.py OUT/vocab.txt`.

A file for transformers' BertTokenizer, one token a line. That tokenizer lower-cases Latin text and splits Chinese text
into characters, so the tokens are the special ones, ASCII, full-width punctuation, and single Chinese characters:
those that captions can produce, and those of related words that users are likely to type.
"""
from __future__ import annotations

import string
import sys
from pathlib import Path

import captions
from poems import POEMS

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FULL_WIDTH_PUNCTUATION = "，。、；：？！（）《》〈〉“”‘’—…·「」【】～"

# Words near to the captions' that users are likely to type; only their characters count.
RELATED_WORDS = """
天空 蓝天 白云 云朵 云海 云彩 彩云 彩霞 晚霞 朝霞 霞光 日出 日落 太阳 月牙 弯月 满月 银河 流星 北斗 彩虹 闪电 雷雨 暴雨 大雾 冰雪 霜 露珠 微风
树 大树 树林 森林 枫叶 枫树 银杏 桃花 桃树 樱花 杏花 梨花 海棠 牡丹 芍药 兰花 桂花 茶花 杜鹃 水仙 芦苇 芭蕉 梧桐 槐树 柏树 藤 草地 草原 小草 落叶 花朵 花瓣 花园 花丛 野花
鸟 燕子 麻雀 喜鹊 孔雀 凤凰 仙鹤 鸳鸯 鸭子 白鹅 海鸥 老鹰 乌鸦 鹦鹉 猫 狗 牛 水牛 马 骏马 羊 鹿 兔子 虎 狮 龙 鱼 锦鲤 金鱼 虾 蟹 蝴蝶 蜻蜓 蜜蜂 蝉 青蛙 熊猫 猴
湖 湖泊 池塘 溪流 小溪 泉水 水面 水波 倒影 波浪 浪潮 沙滩 海岛 岛屿 海岸 礁石 岸 瀑 潭 峡谷 悬崖 峭壁 山谷 山坡 山顶 丘陵 田野 稻田 麦田 梯田 菜园 果园 荒野 雪原 冰川 火山 洞
房子 房屋 屋顶 小屋 茅屋 木屋 院子 庭院 园林 宫殿 城墙 城门 城市 街道 巷子 楼阁 高楼 阁楼 寺庙 古寺 庙 牌坊 长城 故宫 西湖 黄山 泰山 桂林 江南 塞北 北京 苏州 杭州 徽派 窗户 门 墙 栏杆 台阶 石阶 小路 道路 篱笆 井 灯 灯笼 烛光 炊烟 篝火 烟花
人 女孩 男孩 孩子 老人 少女 仙女 美人 书生 诗人 僧人 和尚 道士 侠客 将军 牧童 农夫 樵夫 游人 旅人 背影 侧影 剪影 斗笠 蓑衣 雨伞 古筝 琵琶 笛子 琴 棋 书 剑 茶 酒 扇子 骆驼 马车 竹筏 船夫 船桨 风帆 风筝 秋千
中国风 古风 国风 仙气 仙境 梦幻 浪漫 宁静 清新 淡雅 典雅 素雅 优雅 雅致 朦胧 空灵 苍凉 壮丽 秀丽 美丽 漂亮 好看 温暖 寒冷 冷清 热闹 寂静 孤寂 悠远 辽阔 开阔 神秘 忧伤 快乐 幸福 思念 故乡 离别 相逢
工笔 工笔画 写意 白描 素描 版画 年画 壁画 水粉 丙烯 漫画 动漫 卡通 写实 抽象 极简 印象派 莫奈 梵高 齐白石 宋代 唐代 明代 清代 古代 现代 传统 民俗 书法 印章 题字 宣纸 卷轴 扇面 山水画 花鸟画 风景画 作品 大师 名画
远景 近景 中景 特写 全景 俯视 仰视 构图 背景 前景 光影 光线 逆光 色彩 颜色 黑白 灰色 黑色 棕色 橙色 金色 银色 青色 粉紫 淡蓝 浅绿 深红 鲜艳 柔和 明亮 昏暗 温柔 细腻 粗犷 线条 笔触 墨色 浓墨 泼墨 渲染 质感 层次 细节 高清 超清 电影感 手机壁纸 头像 封面 海报 插图 绘本 艺术
一个 两个 三个 四 五 六 七 八 九 十 百 千 万 几 许多 很多 一群 一排 一对 双 单 半 满 上 下 左 右 前 后 里 外 旁 内 中间 边 角 东 南 西 北 之间 附近 周围 对面 远处 近处
元宵 清明 端午 中秋 重阳 除夕 春节 新年 立春 惊蛰 谷雨 立夏 芒种 夏至 立秋 白露 霜降 立冬 小雪 冬至 腊月 正月 三月 九月 凌晨 早上 上午 下午 子夜 午夜 今天 明天 昨天 家 你 我 他 她 它 们 这 那 是 的 了 和 与 及 有 没有 不 要 请 给 想 能 可以 更 最 很 非常 一点 带 加 把 被 从 到 向 往 对 为 以 由 像 如 似 好 坏 新 旧 老 小 大 长 短 高 低 多 少 生成 创作 绘制 设计 制作 图片 图像 照片 画面 场景 主题 风格 效果
坐 站 走 跑 飞 游 看 望 听 吹 弹 唱 读 写 下棋 喝 吃 睡 醒 采 摘 耕 种 收获 划 撑 牵 骑 抱 拿 挂 照 映 映照 倒映 环绕 笼罩 飘落 飘 落 开 谢 枯 荣 生长 升起 坠 流 涌
"""


def is_chinese(character: str) -> bool:
    """True for a character of the CJK Unified Ideographs."""
    return "\u4e00" <= character <= "\u9fff"


def _caption_characters() -> set[str]:
    """The characters that captions can produce, and a few more: all of their source, the lexicon with its templates,
    and the poems. Taken from the text itself, a new phrase cannot be forgotten here."""
    texts = [Path(captions.__file__).read_text(encoding="utf-8"), *(poem.line for poem in POEMS)]
    return {character for character in "".join(texts) if is_chinese(character)}


def vocabulary() -> list[str]:
    """The tokens in the order of their numbers, without repetition."""
    alphanumeric = string.digits + string.ascii_lowercase
    chinese = _caption_characters() | {character for character in RELATED_WORDS if is_chinese(character)}
    return [*SPECIAL, *string.punctuation, *alphanumeric, *("##" + character for character in alphanumeric),
            *FULL_WIDTH_PUNCTUATION, *sorted(chinese)]


def main(path: str) -> None:
    Path(path).write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
