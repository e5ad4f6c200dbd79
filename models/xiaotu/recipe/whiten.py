"""Gives every latent channel the same variance, and takes away what the channels share:
`python whiten.py VAE PICTURES CHECKPOINT`.

VAE is a checkpoint of train_vae.py, or the `vae` folder of a model. The autoencoder renders the same pictures
afterwards: the linear map, and its inverse, become part of the two 1x1 convolutions around the latents.

Why: an autoencoder that began with mean colours keeps them in its first channels. There brightness has many times the
variance of hue, so that the noise of the diffusion hides hues up to its last steps, and the denoiser learns forms in
grey. With equal variances a red sail and a blue one are told apart as early as day and night.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

import architecture
import training
from draw import read_pictures
from train_vae import pixels

PICTURES = 256


def read(source: Path) -> AutoencoderKL:
    """The autoencoder of a checkpoint or of a diffusers folder, in single precision."""
    if source.is_dir():
        return AutoencoderKL.from_pretrained(source, torch_dtype=torch.float32).eval()
    vae, state = architecture.build_vae().eval(), training.load(source)
    if state is None:
        raise FileNotFoundError(source)
    vae.load_state_dict(state["average"])
    return vae


@torch.no_grad()
def statistics(vae: AutoencoderKL, pictures: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean (4) and the covariance (4, 4) of the latents of some pictures."""
    few = pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]
    means = torch.cat([vae.encode(pixels(few[i : i + 4])).latent_dist.mean for i in range(0, len(few), 4)])
    flat = means.permute(1, 0, 2, 3).flatten(1).double()
    return flat.mean(1), torch.cov(flat)


@torch.no_grad()
def whiten(vae: AutoencoderKL, mean: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """Makes the latents W (z - mean), where W is the covariance's inverse square root; returns W, (4, 4)."""
    values, vectors = torch.linalg.eigh(covariance)
    forth = vectors @ torch.diag(values.rsqrt()) @ vectors.T
    back = vectors @ torch.diag(values.sqrt()) @ vectors.T
    channels = len(mean)
    weight, bias = vae.quant_conv.weight.double()[:, :, 0, 0], vae.quant_conv.bias.double()
    # The log variances cannot follow a rotation; their mean, moved by the map's gain, is near enough for so small ones.
    spread = forth.square().sum(1).log()
    new_weight = torch.cat([forth @ weight[:channels], weight[channels:].mean(0, keepdim=True).expand(channels, -1)])
    new_bias = torch.cat([forth @ (bias[:channels] - mean), bias[channels:].mean() + spread])
    after, shift = vae.post_quant_conv.weight.double()[:, :, 0, 0], vae.post_quant_conv.bias.double()
    vae.quant_conv.weight.copy_(new_weight[:, :, None, None])
    vae.quant_conv.bias.copy_(new_bias)
    vae.post_quant_conv.bias.copy_(shift + after @ mean)
    vae.post_quant_conv.weight.copy_((after @ back)[:, :, None, None])
    return forth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vae", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("checkpoint", type=Path)
    arguments = parser.parse_args()
    vae, pictures = read(arguments.vae), read_pictures(arguments.pictures)
    before = vae.decode(vae.encode(pixels(pictures[:2])).latent_dist.mean).sample.detach()
    mean, covariance = statistics(vae, pictures)
    whiten(vae, mean, covariance)
    moved = float((vae.decode(vae.encode(pixels(pictures[:2])).latent_dist.mean).sample.detach() - before).abs().max())
    print(f"deviations before: {covariance.diagonal().sqrt().tolist()}; largest change of a pixel: {moved:.2e}")
    training.save(dict(average=vae.state_dict(), scaling_factor=1.0), arguments.checkpoint)


if __name__ == "__main__":
    main()
