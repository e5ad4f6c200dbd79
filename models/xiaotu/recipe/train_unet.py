"""Trains the denoiser: `python train_unet.py PICTURES LATENTS.npy CHECKPOINT --text text.pt --vae vae.pt --minutes 60`.

Every picture that is encoded by now (encode.py may still be at work) is shown with a caption composed anew; one
caption in ten is empty. The text encoder is frozen. The network predicts v; the squared error counts fully where there
is much noise, and less where there is hardly any. At the noisiest timesteps some latents are replaced by pure noise,
which is what sampling starts from.

The checkpoint is written every 300 steps and at SIGTERM, and a run that finds one goes on from there. Every
--sheet-every steps the averaged model draws sixteen held-out captions beside the checkpoint.
"""
from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import BertModel, BertTokenizer

import architecture
import training
from captions import caption, evaluation_caption
from draw import read_scenes, scene_number
from lean import make_lean
from sampling import decode, sample_latents, write_sheet
from scene import Scene
from train_text import encoder_of

TIMESTEPS = 1000
GAMMA = 5.0
EMPTY_CHANCE = 0.1
PURE_NOISE_FROM, PURE_NOISE_CHANCE = 880, 0.25
LOSSES = ("loss", "noisy_half", "clear_half")


class Texts:
    """Text states for scenes."""

    def __init__(self, checkpoint: Path) -> None:
        self.tokenizer: BertTokenizer = architecture.load_tokenizer(checkpoint.parent / "tokenizer")
        self.encoder: BertModel = encoder_of(checkpoint, self.tokenizer)[0]

    @torch.no_grad()
    def states(self, texts: list[str]) -> torch.Tensor:
        """The last hidden states of captions, (n, length, width)."""
        with torch.autocast("cpu", torch.bfloat16):
            return self.encoder(architecture.tokenize(self.tokenizer, texts)).last_hidden_state.float()


def stratified_timesteps(count: int, rank: int, processes: int) -> torch.Tensor:
    """One timestep from each of `count` equal parts of the schedule; the processes' parts lie between each other."""
    places = torch.arange(count) * processes + rank + torch.rand(count)
    return (places / (count * processes) * TIMESTEPS).long()


def weights(signal: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The weight of the squared error of v at every timestep: 1 up to a signal-to-noise ratio of GAMMA."""
    ratio = (signal / noise).square()
    return (ratio.clamp(max=GAMMA) + 1) / (ratio + 1)


def draw_sheet(path: Path, average: dict[str, torch.Tensor], vae_checkpoint: Path, texts: Texts) -> None:
    """Sixteen held-out captions, drawn by the averaged weights in ten steps."""
    unet = architecture.build_unet()
    unet.load_state_dict(average)
    vae = architecture.build_vae()
    state = training.load(vae_checkpoint)
    vae.load_state_dict(state["average"])
    vae.register_to_config(scaling_factor=state["scaling_factor"])
    rng = random.Random(7)
    wanted = [evaluation_caption(scene_number(index, 7, True), rng) for index in range(16)]
    path.with_suffix(".txt").write_text("\n".join(wanted) + "\n", encoding="utf-8")
    latents = sample_latents(make_lean(unet), architecture.build_scheduler(), texts.states(wanted), texts.states([""]),
                             steps=10, guidance=3.0, seed=7)
    write_sheet(str(path), decode(make_lean(vae), latents)[:, ::2, ::2], columns=8)


def train(rank: int, shared: training.Shared, arguments: argparse.Namespace) -> None:
    """One process: trains until the budget is spent or a signal says stop."""
    stop = training.StopSignal()
    training.start_process(arguments.seed, rank)
    scenes: list[Scene] = read_scenes(arguments.pictures)
    latents = np.load(arguments.latents, mmap_mode="r")
    texts = Texts(arguments.text)
    unet = make_lean(architecture.build_unet())
    if arguments.start:
        unet.load_state_dict(UNet2DConditionModel.from_pretrained(arguments.start, subfolder="unet").float().state_dict())
    ensemble = training.Ensemble(unet, shared, rank, decay=arguments.decay)
    state = training.load(arguments.checkpoint)
    if state:
        ensemble.resume(state)
    course = training.Course(ensemble, training.Budget(None, arguments.minutes, state["spent"] if state else 0.0), stop,
                             LOSSES)
    rng = np.random.default_rng((arguments.seed, rank, ensemble.step))
    words = random.Random(f"{arguments.seed}/{rank}/{ensemble.step}")
    signal, noise = architecture.signal_and_noise()
    weight = weights(signal, noise)

    def checkpoint() -> dict:
        kept = ensemble.state() | dict(spent=course.budget.spent())
        training.save(kept, arguments.checkpoint)
        return kept

    encoded = np.empty(0, dtype=int)
    while course.goes_on():
        if not len(encoded) or ensemble.step % 200 == 0:
            encoded = np.flatnonzero(latents[:, :, 0].any(axis=(1, 2)))
        chosen = rng.choice(encoded, arguments.batch)
        clean = torch.from_numpy(latents[chosen].astype(np.float32))
        asked = ["" if words.random() < EMPTY_CHANCE else caption(scenes[i], words) for i in chosen]
        timesteps = stratified_timesteps(len(clean), rank, shared.processes)
        alpha, sigma = signal[timesteps].view(-1, 1, 1, 1), noise[timesteps].view(-1, 1, 1, 1)
        pure = (timesteps >= PURE_NOISE_FROM) & (torch.rand(len(clean)) < PURE_NOISE_CHANCE)
        alpha = torch.where(pure.view(-1, 1, 1, 1), torch.zeros_like(alpha), alpha)
        sigma = torch.where(pure.view(-1, 1, 1, 1), torch.ones_like(sigma), sigma)
        grain = torch.randn_like(clean)
        ensemble.zero_gradient()
        with torch.autocast("cpu", torch.bfloat16):
            made = unet((alpha * clean + sigma * grain).to(memory_format=torch.channels_last), timesteps,
                        texts.states(asked)).sample
        errors = (made.float() - (alpha * grain - sigma * clean)).square().mean((1, 2, 3)) * weight[timesteps]
        loss = errors.mean()
        loss.backward()
        ensemble.update(arguments.rate * training.rate_factor(course.fraction, ensemble.step, 200, arguments.hold))
        noisy = timesteps >= TIMESTEPS // 2
        course.note((loss, errors[noisy].mean(), errors[~noisy].mean()))
        if rank == 0 and ensemble.step % 300 == 0:
            kept = checkpoint()
            if ensemble.step % arguments.sheet_every == 0:
                sheet = arguments.checkpoint.parent / f"sheet-{ensemble.step:05}.png"
                draw_sheet(sheet, kept["average"], arguments.vae, texts)
    if rank == 0:
        checkpoint()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("latents", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="a model's folder whose denoiser a new run begins with")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=8, help="for each process")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--hold", type=float, default=0.6, help="the part of the run at the full learning rate")
    parser.add_argument("--decay", type=float, default=0.997, help="of the averaged weights")
    parser.add_argument("--sheet-every", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    size = training.trained_size(architecture.build_unet())
    training.together(train, size, arguments.processes, arguments)


if __name__ == "__main__":
    main()
