"""Encodes drawn pictures: `python encode.py PICTURES VAE_CHECKPOINT LATENTS.npy`.

LATENTS.npy receives, for every drawn picture, the mean of its latent distribution times the scaling factor, in half
precision (count x 4 x 32 x 32). An interrupted run begins again where the first empty picture is.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as multiprocessing
from numpy.lib.format import open_memmap

import architecture
import training
from draw import read_pictures
from lean import make_lean
from train_vae import pixels

CHUNK = 4
SHAPE = (architecture.LATENT_CHANNELS, architecture.LATENT_SIZE, architecture.LATENT_SIZE)


def encode(rank: int, processes: int, pictures_folder: Path, checkpoint: Path, target: Path) -> None:
    """One process: encodes every `processes`-th chunk of pictures that is still empty."""
    torch.set_num_threads(1)
    state = training.load(checkpoint)
    vae = architecture.build_vae()
    vae.load_state_dict(state["average"])
    vae = make_lean(vae).eval().bfloat16()
    pictures, latents = read_pictures(pictures_folder), open_memmap(target, mode="r+")
    for start in range(rank * CHUNK, len(pictures), processes * CHUNK):
        part = slice(start, start + CHUNK)
        if latents[part][-1].any():
            continue
        with torch.no_grad():
            mean = vae.encode(pixels(pictures[part]).bfloat16()).latent_dist.mean
        latents[part] = (mean.float() * state["scaling_factor"]).half().numpy()
        if start % 1000 == 0:
            print(f"{start} of {len(pictures)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("latents", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if not arguments.latents.exists():
        open_memmap(arguments.latents, mode="w+", dtype=np.float16, shape=(len(read_pictures(arguments.pictures)), *SHAPE))
    multiprocessing.spawn(encode, (arguments.processes, arguments.pictures, arguments.checkpoint, arguments.latents),
                          nprocs=arguments.processes, daemon=True)


if __name__ == "__main__":
    main()
