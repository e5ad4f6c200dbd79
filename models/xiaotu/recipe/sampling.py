"""Pictures from captions: DPM-Solver++ 2M with classifier-free guidance, as studios run the model."""
from __future__ import annotations

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, PNDMScheduler, UNet2DConditionModel

import architecture


@torch.no_grad()
def sample_latents(unet: UNet2DConditionModel, scheduler: PNDMScheduler, states: torch.Tensor, empty: torch.Tensor,
                   steps: int, guidance: float, seed: int) -> torch.Tensor:
    """One latent for each row of text states; `empty` are the states of the empty caption, (1, length, width)."""
    solver = DPMSolverMultistepScheduler.from_config(scheduler.config)
    solver.set_timesteps(steps)
    side = architecture.LATENT_SIZE
    latents = torch.randn(len(states), architecture.LATENT_CHANNELS, side, side,
                          generator=torch.Generator().manual_seed(seed))
    both = torch.cat([empty.expand_as(states), states])
    for timestep in solver.timesteps:
        with torch.autocast("cpu", torch.bfloat16):
            plain, asked = unet(torch.cat([latents, latents]), timestep, both).sample.float().chunk(2)
        latents = solver.step(plain + guidance * (asked - plain), timestep, latents).prev_sample
    return latents


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: torch.Tensor) -> np.ndarray:
    """uint8 pictures (n, 256, 256, 3) of latents as the denoiser makes them."""
    pictures = []
    for latent in latents.split(2):
        with torch.autocast("cpu", torch.bfloat16):
            made = vae.decode(latent / vae.config.scaling_factor).sample
        pictures.append(made.float().add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(pictures)


def write_sheet(path: str, pictures: np.ndarray, columns: int) -> None:
    """A PNG with the pictures in rows."""
    rows = [np.concatenate(pictures[i : i + columns], 1) for i in range(0, len(pictures), columns)]
    cv2.imwrite(path, np.concatenate(rows, 0)[..., ::-1])
