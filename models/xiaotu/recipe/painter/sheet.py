"""Contact sheets for looking: `python -m painter.sheet OUT.png [SEED]`, run from the folder above the package.

Rows are subjects, columns are the media; the seasons and hours turn along the diagonals so that each row shows a mix.
"""

from __future__ import annotations

import random
import sys
import time

import cv2
import numpy as np

from scene import MEDIA, SEASONS, SUBJECTS, TIMES, random_scene

from . import paint


def contact_sheet(seed: int, subjects: tuple[str, ...] = SUBJECTS, repeats: int = 2) -> np.ndarray:
    """One row of pictures for each subject: `repeats` of every medium."""
    chance = random.Random(seed)
    rows = []
    for i, subject in enumerate(subjects):
        row = []
        for j in range(len(MEDIA) * repeats):
            scene = random_scene(
                chance,
                subject=subject,
                medium=MEDIA[j % len(MEDIA)],
                season=SEASONS[(i + j + seed) % 4],
                time=TIMES[(i + j // 2 + seed // 4) % 4],
            )
            row.append(np.pad(paint(scene, chance.randrange(2**31)), ((2, 2), (2, 2), (0, 0)), constant_values=255))
        rows.append(np.concatenate(row, 1))
    return np.concatenate(rows, 0)


def main() -> None:
    """Writes the sheet and says how long a picture takes."""
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    paint(random_scene(random.Random(0)), 0)
    start = time.perf_counter()
    sheet = contact_sheet(seed)
    each = (time.perf_counter() - start) * 1000 / (len(SUBJECTS) * len(MEDIA) * 2)
    cv2.imwrite(sys.argv[1], cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    print(f"{each:.1f} ms per picture")


if __name__ == "__main__":
    main()
