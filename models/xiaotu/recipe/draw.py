"""Draws the training pictures: `python draw.py FOLDER --count 16000`.

FOLDER receives `pictures.npy` (count x 256 x 256 x 3, uint8), `scenes.jsonl` (one scene a line) and `drawn.npy` (which
pictures are finished, so that an interrupted run goes on where it stopped). With --held-out the scenes are those that
training must never see; otherwise they are all the others.
"""
from __future__ import annotations

import argparse
import json
import multiprocessing
import random
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from painter import paint
from scene import Scene, held_out, random_scene

SIZE = 256
CHUNK = 25


def scene_number(index: int, seed: int, wanted_held_out: bool) -> Scene:
    """The scene of picture `index`: always the same for the same seed."""
    rng = random.Random(f"{seed}/{index}")
    while True:
        scene = random_scene(rng)
        if held_out(scene) == wanted_held_out:
            return scene


def read_scenes(folder: Path) -> list[Scene]:
    """The scenes of a drawn folder, in order."""
    with (folder / "scenes.jsonl").open(encoding="utf-8") as lines:
        return [Scene(**json.loads(line)) for line in lines]


def read_pictures(folder: Path) -> np.ndarray:
    """The pictures of a drawn folder, as a read-only memory map."""
    return np.load(folder / "pictures.npy", mmap_mode="r")


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The memory map at `path`, created with zeros if it is not there or has another shape."""
    if path.exists() and (array := open_memmap(path, mode="r+")).shape == shape:
        return array
    return open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)


def _draw_chunk(task: tuple[Path, int, list[tuple[int, Scene]]]) -> int:
    """Draws a few pictures into the memory map of their folder."""
    folder, seed, numbered = task
    pictures = open_memmap(folder / "pictures.npy", mode="r+")
    drawn = open_memmap(folder / "drawn.npy", mode="r+")
    for index, scene in numbered:
        pictures[index] = paint(scene, seed * 1_000_000 + index)
        drawn[index] = 1
    return len(numbered)


def draw(folder: Path, count: int, seed: int, wanted_held_out: bool, processes: int) -> None:
    """Draws what is still missing of `count` pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [scene_number(index, seed, wanted_held_out) for index in range(count)]
    (folder / "scenes.jsonl").write_text("".join(json.dumps(scene.as_dict()) + "\n" for scene in scenes))
    _array(folder / "pictures.npy", (count, SIZE, SIZE, 3))
    missing = np.flatnonzero(_array(folder / "drawn.npy", (count,)) == 0).tolist()
    tasks = [
        (folder, seed, [(index, scenes[index]) for index in missing[start : start + CHUNK]])
        for start in range(0, len(missing), CHUNK)
    ]
    finished = count - len(missing)
    with multiprocessing.Pool(processes) as pool:
        for number, drawn in enumerate(pool.imap_unordered(_draw_chunk, tasks), 1):
            finished += drawn
            if number % 20 == 0 or number == len(tasks):
                print(f"{finished} of {count}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    draw(arguments.folder, arguments.count, arguments.seed, arguments.held_out, arguments.processes)


if __name__ == "__main__":
    main()
