"""Trains the autoencoder: `python train_vae.py PICTURES CHECKPOINT`.

PICTURES is a folder of draw.py. The loss is L1 on pixels and on differences between neighbouring pixels at four scales
(which keeps edges crisp), and a little KL. With --decoder-only the encoder stays as the checkpoint given by --start has
it, so that latents remain valid while the decoder is polished. It then also learns to overlook small errors, which a
denoiser's latents have: up to --latent-noise of their deviation, another amount for each crop.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

import architecture
import training
from draw import read_pictures
from lean import make_lean
from simple_start import begin_simply

CROP = 128
KL_WEIGHT = 2e-7  # per nat of a whole picture
SCALES = 4
LOSSES = ("l1", "edges", "kl")


def pixels(pictures: np.ndarray) -> torch.Tensor:
    """uint8 (n, h, w, 3) as floats in [-1, 1], (n, 3, h, w) in memory order n, h, w, 3."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def draw_batch(pictures: np.ndarray, rng: np.random.Generator, side: int, count: int) -> torch.Tensor:
    """A batch of square crops, half of them mirrored."""
    crops = []
    for index in rng.integers(len(pictures), size=count):
        top, left = rng.integers(architecture.SIZE - side + 1, size=2)
        crop = pictures[index, top : top + side, left : left + side]
        crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return pixels(np.stack(crops))


def disturbed(latents: torch.Tensor, arguments: argparse.Namespace) -> torch.Tensor:
    """Latents (n, 4, h, w), whose deviation is 1 after whiten.py, with some noise."""
    amount = arguments.latent_noise * torch.rand(len(latents), 1, 1, 1)
    return latents + amount * torch.randn_like(latents)


def reconstruction_loss(made: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The L1 distance of pixels, and that of the differences between neighbours at SCALES scales."""
    error = made - wanted
    plain = error.abs().mean()
    edges = error.new_zeros(())
    for _ in range(SCALES):
        edges = edges + error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        error = F.avg_pool2d(error, 2)
    return plain, edges / SCALES


def scaling_factor(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """1 / the deviation of the latents of some pictures."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        means = [vae.encode(pixels(pictures[i : i + 8])).latent_dist.mean.float() for i in range(0, 128, 8)]
    return 1 / float(torch.cat(means).std())


def train(rank: int, shared: training.Shared, arguments: argparse.Namespace) -> None:
    """One process: trains until the budget is spent or a signal says stop."""
    stop = training.StopSignal()
    training.start_process(arguments.seed, rank)
    pictures = read_pictures(arguments.pictures)
    vae = build(arguments)
    start = training.load(arguments.start) if arguments.start else None
    if start:
        vae.load_state_dict(start["average"])
    ensemble = training.Ensemble(vae, shared, rank, decay=0.998)
    state = training.load(arguments.checkpoint)
    if state:
        ensemble.resume(state)
    course = training.Course(ensemble, training.Budget(arguments.steps, None, state["spent"] if state else 0.0), stop,
                             LOSSES)
    rng = np.random.default_rng((arguments.seed, rank, ensemble.step))

    def checkpoint() -> None:
        kept = ensemble.state()
        whole = architecture.build_vae()
        whole.load_state_dict(vae.state_dict() | kept["average"])
        kept["average"] = whole.state_dict()
        kept["spent"] = course.budget.spent()
        kept["scaling_factor"] = start["scaling_factor"] if arguments.decoder_only else scaling_factor(whole, pictures)
        training.save(kept, arguments.checkpoint)

    while course.goes_on():
        whole = ensemble.step % arguments.whole_every == 0
        batch = draw_batch(pictures, rng, *((architecture.SIZE, 1) if whole else (CROP, arguments.crops)))
        ensemble.zero_gradient()
        with torch.autocast("cpu", torch.bfloat16):
            latents = vae.encode(batch).latent_dist
            made = vae.decode(disturbed(latents.mean, arguments) if arguments.decoder_only else latents.sample()).sample
        plain, edges = reconstruction_loss(made.float(), batch)
        kl = latents.kl().float().mean() * architecture.SIZE**2 / batch.shape[-1] ** 2
        (plain + edges + KL_WEIGHT * kl).backward()
        ensemble.update(arguments.rate * training.rate_factor(course.fraction, ensemble.step, 50, arguments.hold))
        course.note((plain, edges, kl))
        if rank == 0 and ensemble.step % 300 == 0:
            checkpoint()
    if rank == 0:
        checkpoint()


def build(arguments: argparse.Namespace) -> AutoencoderKL:
    """The autoencoder, with the encoder frozen if only the decoder is to be trained."""
    vae = make_lean(architecture.build_vae())
    begin_simply(vae)
    if arguments.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    return vae


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--start", type=Path, help="a checkpoint whose averaged weights this run starts from")
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--latent-noise", type=float, default=0.2)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--crops", type=int, default=1, help="in a batch of each process")
    parser.add_argument("--whole-every", type=int, default=16, help="every so many steps a whole picture, not crops")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--hold", type=float, default=0.5, help="the part of the run at the full learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    training.together(train, training.trained_size(build(arguments)), arguments.processes, arguments)


if __name__ == "__main__":
    main()
