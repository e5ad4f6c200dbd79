"""A head start for the autoencoder: weights with which it already shrinks and enlarges pictures.

From random weights most of a short training goes by until the autoencoder finds colours, because group normalisation
takes away what absolute colours there are. Here the residual branches add nothing at first; the convolutions between
them carry the three colours, averaged on the way down and smoothed on the way up; and beside each colour run two large
constants, against which normalisation leaves the colours as they are. So the first three latent channels begin as the
mean colours of their places, and the training begins with blurred pictures.
"""
from __future__ import annotations

import math

import torch
from diffusers import AutoencoderKL
from torch import nn

CONSTANT = 3.0
RANDOM_PART = 0.5  # of the usual random weights, where a convolution has channels of its own
LATENT_SCALE = 2.0
LOG_VARIANCE = -6.0
# SiLU is nearly straight about this place.
PLACE = 2.0
HEIGHT = PLACE / (1 + math.exp(-PLACE))
SLOPE = HEIGHT / PLACE * (1 + PLACE - HEIGHT)

COLOURS = [0, 4, 8]
HIGH, LOW = [channel + 1 for channel in COLOURS], [channel + 2 for channel in COLOURS]
CARRIED = list(range(12))  # these, and a silent channel beside each three
AVERAGE = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]) / 4
SMOOTH = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
IDENTITY = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def _begin(conv: nn.Conv2d, scale: float) -> None:
    """The first convolution: from the first three inputs to the colours' channels, with the constants beside them."""
    conv.weight.mul_(RANDOM_PART)
    conv.weight[CARRIED] = 0
    conv.bias[CARRIED] = 0
    for source, channel in enumerate(COLOURS):
        conv.weight[channel, source, 1, 1] = scale
    conv.bias[HIGH], conv.bias[LOW] = CONSTANT, -CONSTANT


def _carry(conv: nn.Conv2d, kernel: torch.Tensor, constant_kernel: torch.Tensor) -> None:
    """A convolution on the way: every channel is handed on, those that are carried with nothing else."""
    conv.weight.mul_(RANDOM_PART)
    conv.weight[CARRIED] = 0
    conv.bias[CARRIED] = 0
    for channel in range(min(conv.weight.shape[:2])):
        conv.weight[channel, channel] += constant_kernel if channel in HIGH + LOW else kernel


def _end(norm: nn.GroupNorm, conv: nn.Conv2d, scale: float) -> None:
    """The last normalisation and convolution: from the colours' channels to the first three outputs."""
    size = norm.num_channels // norm.num_groups
    for target, channel in enumerate(COLOURS):
        constants = sum(other // size == channel // size for other in HIGH + LOW)
        norm.weight[channel] = CONSTANT * math.sqrt(constants / size)
        norm.bias[channel] = PLACE
        conv.weight[target].mul_(0.02)
        conv.weight[target, CARRIED] = 0
        conv.weight[target, channel, 1, 1] = scale / SLOPE
        conv.bias[target] = -scale * HEIGHT / SLOPE


@torch.no_grad()
def begin_simply(vae: AutoencoderKL) -> None:
    """Gives an untrained autoencoder its head start."""
    one = torch.ones(1, 1)
    for name, module in vae.named_modules():
        if name.endswith((".conv2", ".to_out.0")):
            module.weight.zero_()
            module.bias.zero_()
        elif name.endswith(".conv_shortcut"):
            _carry(module, one, one)
        elif ".downsamplers." in name and name.endswith(".conv"):
            _carry(module, AVERAGE, AVERAGE)
        elif ".upsamplers." in name and name.endswith(".conv"):
            _carry(module, SMOOTH, IDENTITY)
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.copy_(torch.eye(len(conv.weight))[:, :, None, None])
        conv.bias.zero_()
    _begin(vae.encoder.conv_in, 1.0)
    _end(vae.encoder.conv_norm_out, vae.encoder.conv_out, LATENT_SCALE)
    channels = vae.config.latent_channels
    vae.encoder.conv_out.weight[len(COLOURS) : channels] *= 8
    vae.encoder.conv_out.weight[channels:] = 0
    vae.encoder.conv_out.bias[channels:] = LOG_VARIANCE
    _begin(vae.decoder.conv_in, 1 / LATENT_SCALE)
    _end(vae.decoder.conv_norm_out, vae.decoder.conv_out, 1.0)
