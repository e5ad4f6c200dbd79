"""The parts of Xiaotu: what each network is made of, and how text becomes numbers.

Everything here is small on purpose: the whole model is trained on two processor cores in about two hours.
"""
from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import BertConfig, BertModel, BertTokenizer

SIZE = 256  # the side of a picture in pixels
LATENT_SIZE = SIZE // 8
LATENT_CHANNELS = 4
TEXT_WIDTH = 256
TEXT_LENGTH = 48  # a caption has at most 44 characters, and two marks around it

SCHEDULER = dict(
    num_train_timesteps=1000,
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    prediction_type="v_prediction",
)


def build_vae() -> AutoencoderKL:
    """The autoencoder: 256x256x3 <-> 32x32x4. Its scaling factor is set after training."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(32, 64, 128, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=SIZE,
    )


def build_text_encoder(vocabulary_size: int) -> BertModel:
    """The text encoder: a BERT of four layers."""
    return BertModel(
        BertConfig(
            vocab_size=vocabulary_size,
            hidden_size=TEXT_WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=1024,
            max_position_embeddings=64,
            hidden_act="gelu",
            layer_norm_eps=1e-12,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager",
        ),
        add_pooling_layer=False,
    )


def build_unet() -> UNet2DConditionModel:
    """The denoiser. It attends to the text where a place is 32 pixels wide, which is where composition is decided; a
    second, finer level of attention would cost half as much again. `attention_head_dim` is, by diffusers' historical slip of name, the number of heads."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=16,
    )


def build_scheduler() -> PNDMScheduler:
    """The sampler that ships; only its noise schedule matters to training."""
    return PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1, **SCHEDULER)


def signal_and_noise() -> tuple[torch.Tensor, torch.Tensor]:
    """Per timestep: how much of a noised latent is latent (sqrt of alpha bar), and how much is noise."""
    alphas = build_scheduler().alphas_cumprod.double()
    return alphas.sqrt().float(), (1 - alphas).sqrt().float()


def write_tokenizer(vocabulary: Path, folder: Path) -> None:
    """Writes the tokenizer's folder: the vocabulary, and the settings that transformers and our own engine read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text(vocabulary.read_text(encoding="utf-8"), encoding="utf-8")
    marks = dict(cls_token="[CLS]", mask_token="[MASK]", pad_token="[PAD]", sep_token="[SEP]", unk_token="[UNK]")
    settings = dict(
        marks,
        do_lower_case=True,
        model_max_length=TEXT_LENGTH,
        strip_accents=None,
        tokenize_chinese_chars=True,
        tokenizer_class="BertTokenizer",
    )
    for name, value in (("tokenizer_config.json", settings), ("special_tokens_map.json", marks)):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def load_tokenizer(folder: Path) -> BertTokenizer:
    """The tokenizer that `write_tokenizer` wrote."""
    return BertTokenizer.from_pretrained(str(folder))


def tokenize(tokenizer: BertTokenizer, captions: list[str]) -> torch.Tensor:
    """Token numbers (captions, TEXT_LENGTH), padded with [PAD]; no attention mask goes with them."""
    return tokenizer(
        captions, padding="max_length", truncation=True, max_length=TEXT_LENGTH, return_tensors="pt"
    ).input_ids
