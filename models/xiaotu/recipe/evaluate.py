"""Asks the shipped model for held-out scenes, and the judge what it sees:

    python evaluate.py FOLDER JUDGE_CHECKPOINT OUT.json [--count 500] [--sheet contact-sheet.png]
    python evaluate.py FOLDER JUDGE_CHECKPOINT OUT.json --guidances 3.5 --program danqing --options "--precision int8"

FOLDER is the diffusers folder as it ships. First each guidance is tried on captions of other held-out scenes, then the
best one (by the mean of subject, colour, time and season) on those that count. `shuffled` compares the pictures with the captions of
other pictures: what chance alone would give. With --program the pictures are painted by danqing, with the options given.
"""
from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as multiprocessing
from PIL import Image
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import BertModel

import architecture
from captions import evaluation_caption
from draw import scene_number
from lean import make_lean
from sampling import decode, sample_latents, write_sheet
from train_classifier import accuracies, labels, trained_judge, verdicts

STEPS = 20
BATCH = 10
SEED = 20261122
ASKED = ("subject", "season", "time", "colour")
SHEET = (
    "一只小船在湖上，夕阳，水彩", "孤舟蓑笠翁，独钓寒江雪，水墨", "飞流直下三千尺，疑是银河落九天，青绿山水", "冬夜里的红梅，剪纸",
    "大漠孤烟直，长河落日圆，油画", "春天的柳树，清晨，水彩画", "月光下的荷花，粉色，水墨画", "秋天的山，黄昏，青绿山水",
    "采菊东篱下，悠然见南山，水墨", "停车坐爱枫林晚，霜叶红于二月花，油画", "三只白鹤飞过天空，春天，青绿山水", "雪中的村庄，夜晚，油画",
    "竹林，雨，水墨", "红色的宝塔，秋天，白天，剪纸", "海上生明月，天涯共此时，水彩", "左边一座亭子，绿色，夏天，水彩",
    "两棵松树，冬天，大雪，水墨", "石桥，薄雾，清晨，水彩", "四朵紫色的菊花，秋天，油画", "五只小鸟，黄昏，剪纸",
    "月落乌啼霜满天，江枫渔火对愁眠，水墨", "蓝色的帆船，夏天，白天，油画", "小荷才露尖尖角，早有蜻蜓立上头，剪纸", "星空下的沙漠，油画",
)


class Model:
    """The shipped model, in single precision."""

    def __init__(self, folder: Path) -> None:
        def load(kind: type, part: str) -> torch.nn.Module:
            return kind.from_pretrained(folder / part, torch_dtype=torch.float32).eval().requires_grad_(False)

        self.unet = make_lean(load(UNet2DConditionModel, "unet"))
        self.vae = make_lean(load(AutoencoderKL, "vae"))
        self.text_encoder = load(BertModel, "text_encoder")
        self.tokenizer = architecture.load_tokenizer(folder / "tokenizer")
        self.scheduler = PNDMScheduler.from_pretrained(folder / "scheduler")

    def states(self, texts: list[str]) -> torch.Tensor:
        """The text states that condition the denoiser."""
        return self.text_encoder(architecture.tokenize(self.tokenizer, texts)).last_hidden_state

    def draw(self, texts: list[str], guidance: float, seed: int) -> np.ndarray:
        """One picture for each text."""
        latents = sample_latents(self.unet, self.scheduler, self.states(texts), self.states([""]), STEPS, guidance, seed)
        return decode(self.vae, latents)


def _draw_part(task: tuple[Path, list[str], float, int]) -> np.ndarray:
    """Draws some captions in a process of its own."""
    folder, texts, guidance, seed = task
    torch.set_num_threads(1)
    if folder not in _loaded:
        _loaded[folder] = Model(folder)
    return _loaded[folder].draw(texts, guidance, seed)


_loaded: dict[Path, Model] = {}


def draw_all(pool: multiprocessing.Pool, folder: Path, texts: list[str], guidance: float) -> np.ndarray:
    """Pictures for all texts; the same for the same texts and guidance, however many processes there are."""
    tasks = [(folder, texts[i : i + BATCH], guidance, SEED + i) for i in range(0, len(texts), BATCH)]
    return np.concatenate(list(pool.imap(_draw_part, tasks)))


def paint_all(program: str, options: str, folder: Path, texts: list[str], guidance: float) -> np.ndarray:
    """Pictures for all texts, painted by danqing, one process and one thread each."""
    with tempfile.TemporaryDirectory() as place:
        def paint(task: tuple[int, str]) -> np.ndarray:
            index, text = task
            picture = Path(place, f"{index}.png")
            how = ["--steps", str(STEPS), "--sampler", "dpmpp-2m", "--guidance", str(guidance), *shlex.split(options)]
            what = [program, "paint", text, "-o", str(picture), "--model", str(folder), "--seed", str(SEED + index)]
            environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
            subprocess.run([*what, *how], check=True, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            return np.asarray(Image.open(picture).convert("RGB"))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(paint, enumerate(texts))))


def asked(count: int, seed: int) -> tuple[list[str], torch.Tensor]:
    """Captions of held-out scenes, and the classes that the judge should find, (count, attributes)."""
    rng = random.Random(seed)
    scenes = [scene_number(index, seed, True) for index in range(count)]
    return [evaluation_caption(scene, rng) for scene in scenes], torch.tensor([labels(scene) for scene in scenes])


def score(found: dict[str, float]) -> float:
    """The mean accuracy of what captions ask for."""
    return sum(found[name] for name in ASKED) / len(ASKED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("judge", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--trial-count", type=int, default=100)
    parser.add_argument("--guidances", type=float, nargs="+", default=[2.0, 3.0, 4.5, 6.0])
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--program")
    parser.add_argument("--options", default="")
    arguments = parser.parse_args()

    texts, wanted = asked(arguments.count, SEED)
    judge = trained_judge(arguments.judge)
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        trials = {}
        trial_texts, trial_wanted = asked(arguments.trial_count, SEED + 1)
        for guidance in arguments.guidances if len(arguments.guidances) > 1 else []:
            pictures = draw_all(pool, arguments.folder, trial_texts, guidance)
            trials[guidance] = accuracies(verdicts(judge, pictures), trial_wanted)
            print(guidance, trials[guidance], flush=True)
        best = max(trials, key=lambda guidance: score(trials[guidance])) if trials else arguments.guidances[0]
        if arguments.sheet:
            write_sheet(str(arguments.sheet), draw_all(pool, arguments.folder, list(SHEET), best), columns=6)
        if arguments.program:
            pictures = paint_all(arguments.program, arguments.options, arguments.folder, texts, best)
        else:
            pictures = draw_all(pool, arguments.folder, texts, best)
        found = verdicts(judge, pictures)
    result = accuracies(found, wanted)
    report = dict(
        captions=len(texts), steps=STEPS, sampler="DPM-Solver++ 2M", guidance=best, accuracy=result,
        mean_of_colour_time_season=round((result["colour"] + result["time"] + result["season"]) / 3, 4),
        shuffled=accuracies(found, wanted[torch.randperm(len(wanted), generator=torch.Generator().manual_seed(SEED))]),
        guidance_trials={str(guidance): trial for guidance, trial in trials.items()}, trial_captions=arguments.trial_count,
    )
    arguments.out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
