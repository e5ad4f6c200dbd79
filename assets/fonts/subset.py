"""Cuts the window's fonts out of Noto CJK (SIL Open Font License 1.1; Debian's package fonts-noto-cjk).

    pip install fonttools brotli
    python assets/fonts/subset.py /usr/share/fonts/opentype/noto

danqing-sans: Noto Sans CJK SC Regular, the characters of GB 2312 and of Big5's first level (traditional forms), with
Latin letters, punctuation and common signs.
danqing-serif: Noto Serif CJK SC Bold, the characters of the Chinese words file, for headings, verses and the seal.
Run it again when the words change. The family names are changed in the files, as the licence asks of changed versions.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

HERE = Path(__file__).parent
WORDS = HERE.parent / "locales" / "zh-CN" / "main.ftl"
SIGNS = "‐‑–—‘’“”…‹›•′″€™←↑→↓↵⌘⏎×÷±≈≠≤≥−∞√°·①②③④⑤⑥⑦⑧⑨⑩■□▲△▼▽◆◇○●★☆✓✗"


def gb2312() -> set[int]:
    """Rows 1 to 9 (signs) and 16 to 87 (6763 characters)."""
    points = set()
    for row in (*range(1, 10), *range(16, 88)):
        for cell in range(1, 95):
            try:
                points.add(ord(bytes((0xA0 + row, 0xA0 + cell)).decode("gb2312")))
            except UnicodeDecodeError:
                pass
    return points


def big5() -> set[int]:
    """The 5401 characters of the first level."""
    points = set()
    for lead in range(0xA4, 0xC7):
        for trail in (*range(0x40, 0x7F), *range(0xA1, 0xFF)):
            try:
                points.add(ord(bytes((lead, trail)).decode("big5")))
            except UnicodeDecodeError:
                pass
    return points


def latin() -> set[int]:
    return {*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, SIGNS)}


def cut(collection: Path, face: str, points: set[int], name: str) -> None:
    fonts = TTCollection(collection, lazy=True).fonts
    font = next(f for f in fonts if f["name"].getDebugName(4) == face)
    options = subset.Options()
    options.layout_features = ["kern", "palt", "locl", "ccmp", "mark"]
    options.hinting = False
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(font)
    title = name.replace("-", " ").title()
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6):
            record.string = title.replace(" ", "") if record.nameID == 6 else title
    path = HERE / f"{name}.otf"
    font.save(path)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(font.getBestCmap())} characters")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/fonts/opentype/noto")
    cut(folder / "NotoSansCJK-Regular.ttc", "Noto Sans CJK SC", gb2312() | big5() | latin(), "danqing-sans")
    words = {ord(c) for c in WORDS.read_text(encoding="utf-8") if not c.isspace()}
    letters = {*map(ord, "丹青"), *range(0x20, 0x7F), *map(ord, SIGNS)}
    cut(folder / "NotoSerifCJK-Bold.ttc", "Noto Serif CJK SC Bold", words | letters, "danqing-serif")


if __name__ == "__main__":
    main()
