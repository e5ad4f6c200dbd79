"""Trains the judge: `python train_classifier.py PICTURES CHECKPOINT --steps 700`.

A small residual network that tells subject, season, time, colour, medium and weather of a picture, looking at
128x128. It is trained on drawn pictures alone, with the blurs, noises and shifts that a decoder might add.

With --check HELD_OUT (a folder of draw.py --held-out) its accuracy there is printed as JSON; with --vae as well, on
the pictures as that autoencoder renders them, too.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import architecture
import scene as scenes
import training
from draw import read_pictures, read_scenes
from sampling import decode
from train_vae import pixels

SIDE = 128
BATCH = 32  # for each process
SHIFT = 8
VALUES: dict[str, tuple] = {
    "subject": scenes.SUBJECTS,
    "season": scenes.SEASONS,
    "time": scenes.TIMES,
    "colour": scenes.COLOURS,
    "medium": scenes.MEDIA,
    "weather": scenes.WEATHERS,
}
WIDTHS = [len(values) for values in VALUES.values()]
NOTHING = -100  # the label of a colour where there is none


class Block(nn.Module):
    """A residual block that may halve the picture."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(8, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(8, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        inner = F.relu(self.first_norm(self.first(hidden)))
        return F.relu(self.second_norm(self.second(inner)) + self.skip(hidden))


class Judge(nn.Module):
    """From pictures in [-1, 1], (n, 3, SIDE, SIDE), to the logits of all classes. The last 8x8 places are kept apart as
    2x2 quarters, since where the light is tells the hour."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 24, 5, 2, 2), nn.ReLU(),
            Block(24, 40, 2), Block(40, 64, 2), Block(64, 64, 1), Block(64, 128, 2), Block(128, 128, 1),
        )
        self.head = nn.Linear(128 * 5, sum(WIDTHS))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        features = self.body(pictures)
        quarters = F.adaptive_avg_pool2d(features, 2).flatten(1)
        return self.head(torch.cat([quarters, features.amax((2, 3))], 1))


def labels(scene: scenes.Scene) -> list[int]:
    """One class for each attribute."""
    return [
        NOTHING if (value := getattr(scene, name)) is None else values.index(value) for name, values in VALUES.items()
    ]


def shrink(picture: np.ndarray) -> np.ndarray:
    """A picture at the judge's size."""
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def disturbed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small picture, slightly shifted, recoloured, blurred, compressed and noised."""
    dx, dy = rng.integers(-SHIFT, SHIFT + 1, size=2).tolist()
    picture = cv2.warpAffine(picture, np.float32([[1, 0, dx], [0, 1, dy]]), (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.4))
    if rng.random() < 0.2:
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])
        picture = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    values = picture.astype(np.float32) * rng.uniform(0.94, 1.06, 3) + rng.uniform(-8, 8, 3)
    if rng.random() < 0.4:
        values += rng.normal(0, rng.uniform(1, 8), values.shape)
    return values.clip(0, 255).astype(np.uint8)


def train(rank: int, shared: training.Shared, arguments: argparse.Namespace) -> None:
    """One process: trains until the budget is spent or a signal says stop."""
    stop = training.StopSignal()
    training.start_process(arguments.seed, rank)
    cv2.setNumThreads(1)
    pictures = read_pictures(arguments.pictures)
    wanted = torch.tensor([labels(scene) for scene in read_scenes(arguments.pictures)])
    judge = Judge().to(memory_format=torch.channels_last)
    ensemble = training.Ensemble(judge, shared, rank, decay=0.99, weight_decay=1e-2)
    state = training.load(arguments.checkpoint)
    if state:
        ensemble.resume(state)
    course = training.Course(ensemble, training.Budget(arguments.steps, None, state["spent"] if state else 0.0), stop,
                             tuple(VALUES))
    rng = np.random.default_rng((arguments.seed, rank, ensemble.step))

    def checkpoint() -> None:
        training.save(ensemble.state() | dict(spent=course.budget.spent()), arguments.checkpoint)

    while course.goes_on():
        chosen = rng.integers(len(pictures), size=BATCH)
        batch = pixels(np.stack([disturbed(shrink(pictures[index]), rng) for index in chosen]))
        ensemble.zero_gradient()
        with torch.autocast("cpu", torch.bfloat16):
            logits = judge(batch)
        parts = tuple(
            F.cross_entropy(part, wanted[chosen, index]) for index, part in enumerate(logits.float().split(WIDTHS, 1))
        )
        sum(parts).backward()
        ensemble.update(arguments.rate * training.rate_factor(course.fraction, ensemble.step, 50, 0.3))
        course.note(parts)
        if rank == 0 and ensemble.step % 300 == 0:
            checkpoint()
    if rank == 0:
        checkpoint()


def trained_judge(checkpoint: Path) -> Judge:
    """The judge of a checkpoint, for use only."""
    state = training.load(checkpoint)
    if state is None:
        raise FileNotFoundError(checkpoint)
    judge = Judge().eval().requires_grad_(False)
    judge.load_state_dict(state["average"])
    return judge


def verdicts(judge: Judge, pictures: np.ndarray) -> torch.Tensor:
    """The judge's class for each attribute of each picture, (n, attributes); colours of every picture."""
    rows = []
    for start in range(0, len(pictures), 50):
        logits = judge(pixels(np.stack([shrink(picture) for picture in pictures[start : start + 50]])))
        rows.append(torch.stack([part.argmax(1) for part in logits.split(WIDTHS, 1)], 1))
    return torch.cat(rows)


def accuracies(found: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Per attribute, the part of pictures that have it where the judge finds what is wanted."""
    return {
        name: round(float((found[:, i] == wanted[:, i])[wanted[:, i] != NOTHING].float().mean()), 4)
        for i, name in enumerate(VALUES)
    }


@torch.no_grad()
def check(checkpoint: Path, folder: Path, vae_checkpoint: Path | None) -> dict[str, dict[str, float]]:
    """The judge's accuracies on drawn pictures and on their reconstructions."""
    judge, pictures = trained_judge(checkpoint), read_pictures(folder)
    wanted = torch.tensor([labels(scene) for scene in read_scenes(folder)])
    report = {"drawn": accuracies(verdicts(judge, pictures), wanted)}
    if vae_checkpoint:
        vae, state = architecture.build_vae(), training.load(vae_checkpoint)
        vae.load_state_dict(state["average"])
        few = pictures[:200]
        latents = torch.cat([vae.encode(pixels(few[i : i + 4])).latent_dist.mean for i in range(0, len(few), 4)])
        report["reconstructed"] = accuracies(verdicts(judge, decode(vae, latents * vae.config.scaling_factor)), wanted[:200])
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--check", type=Path)
    parser.add_argument("--vae", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.check:
        print(json.dumps(check(arguments.checkpoint, arguments.check, arguments.vae)))
        return
    training.together(train, training.trained_size(Judge()), arguments.processes, arguments)


if __name__ == "__main__":
    main()
