#!/usr/bin/env python3
"""Makes the goldens that tests/parity.rs compares with: two tiny checkpoints of Taiyi's shape and what diffusers
paints with them. Run by hand where diffusers 0.42, transformers 5, torch and Pillow are installed; the results are
committed, because random weights depend on the version of torch.

    python make.py            # everything, beside this file

checkpoint-0/   seed 0, weights as pickles (.bin), as Taiyi's own repository has them
checkpoint-1/   seed 1, weights as safetensors
checkpoint-N.safetensors   values inside the networks, to find where a difference begins:
    input_ids, negative_ids [1, 512] i64; embeddings, negative_embeddings [1, 512, 64];
    latents_42 [1, 4, 32, 32] (the start noise of seed 42); unet_x [1, 4, 32, 32], unet_t [1], unet_eps (context:
    embeddings); vae_z [1, 4, 8, 8], vae_picture [1, 3, 64, 64] (decode of vae_z as it is, range about -1 to 1);
    picture_mean, picture_logvar [1, 4, 32, 32] (encode of init.png scaled to -1..1)
init.png, mask.png   what image-to-image and inpainting start from; white in the mask is repainted
pictures/       one PNG a case
cases.json      the cases: checkpoint, task, prompt, negative, sampler, schedule, steps, seed, guidance, init, mask,
                strength, width, height, file
"""
import json, os, shutil
import numpy as np, torch
from PIL import Image, ImageDraw
from diffusers import (AutoencoderKL, DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler,
                       HeunDiscreteScheduler, PNDMScheduler, StableDiffusionImg2ImgPipeline,
                       StableDiffusionInpaintPipeline, StableDiffusionPipeline, UNet2DConditionModel,
                       UniPCMultistepScheduler)
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, BertTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE = 256
GUIDANCE = 7.5
PROMPTS = ["飞流直下三千尺，油画", "大漠孤烟直，长河落日圆，水墨"]
SEEDS = [42, 7]
# How strongly the UNet listens: fresh weights hardly heed prompt, time step or guidance, and a mistake would not show.
GAIN = 3.0

SAMPLERS = {
    ("plms", "model"): lambda c: PNDMScheduler.from_config(c),
    ("ddim", "model"): lambda c: DDIMScheduler.from_config(c, clip_sample=False),
    ("euler", "model"): lambda c: EulerDiscreteScheduler.from_config(c),
    ("heun", "model"): lambda c: HeunDiscreteScheduler.from_config(c),
    ("dpmpp-2m", "model"): lambda c: DPMSolverMultistepScheduler.from_config(c),
    ("dpmpp-2m", "karras"): lambda c: DPMSolverMultistepScheduler.from_config(c, use_karras_sigmas=True),
    ("unipc", "model"): lambda c: UniPCMultistepScheduler.from_config(c),
}
REPAINTERS = [("plms", "model"), ("ddim", "model"), ("dpmpp-2m", "model")]


def vocabulary():
    """21128 WordPiece entries, as many as Taiyi's: specials, ASCII, Chinese punctuation, pieces, characters."""
    words = ["[PAD]"] + [f"[unused{i}]" for i in range(1, 100)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [c for c in map(chr, range(33, 127)) if not c.isupper()]
    words += list("，。！？；：、“”‘’（）《》【】…—·～￥")
    words += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + ["oil", "paint", "##ing", "4", "##k"]
    words = list(dict.fromkeys(words))
    return words + [chr(0x4E00 + i) for i in range(21128 - len(words))]


def checkpoint(folder, seed, safetensors):
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(16, 32, 32, 32),
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=64, attention_head_dim=4, norm_num_groups=8)
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(16, 32, 32, 32), layers_per_block=2,
        sample_size=512, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=8)
    text = BertModel(BertConfig(vocab_size=21128, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                                intermediate_size=256, max_position_embeddings=512))
    with torch.no_grad():
        for name, p in unet.named_parameters():
            if "attn2.to_" in name and name.endswith("weight"): p.mul_(GAIN)
            elif name in ("conv_in.weight", "conv_out.weight", "conv_norm_out.weight"): p.mul_(GAIN)
            elif "time_emb_proj" in name: p.mul_(GAIN / 2)
    for name, part in {"unet": unet, "vae": vae, "text_encoder": text}.items():
        part.eval().save_pretrained(os.path.join(folder, name), safe_serialization=safetensors)
    if not safetensors and os.path.exists(weights := os.path.join(folder, "text_encoder", "model.safetensors")):
        os.remove(weights)  # transformers 5 knows no other format
        torch.save(text.state_dict(), os.path.join(folder, "text_encoder", "pytorch_model.bin"))
    PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
                  steps_offset=1, set_alpha_to_one=False).save_pretrained(os.path.join(folder, "scheduler"))
    tokenizer = os.path.join(folder, "tokenizer")
    os.makedirs(tokenizer)
    with open(os.path.join(tokenizer, "vocab.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(vocabulary()) + "\n")
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "tokenize_chinese_chars": True,
              "model_max_length": 512, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
              "cls_token": "[CLS]", "mask_token": "[MASK]"}
    with open(os.path.join(tokenizer, "tokenizer_config.json"), "w") as f:
        json.dump(config, f, indent=2)
    with open(os.path.join(folder, "model_index.json"), "w") as f:
        json.dump({"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.3.0",
                   "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "BertModel"],
                   "tokenizer": ["transformers", "BertTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
                   "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [None, None],
                   "feature_extractor": [None, None]}, f, indent=2)


def inputs():
    """A smooth picture (sky, sun, hills) and a mask with a hard edge."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    sky = np.stack([0.35 + 0.5 * y, 0.55 + 0.3 * y, 0.85 - 0.15 * y], -1)
    sun = np.exp(-((x - 0.7) ** 2 + (y - 0.3) ** 2) / 0.02)[..., None] * np.array([0.6, 0.25, -0.3])
    hill = 1 / (1 + np.exp(-40 * (y - 0.65 - 0.1 * np.sin(5 * x + 0.6))))[..., None]
    picture = (sky + sun) * (1 - hill) + hill * np.stack([0.2 + 0.2 * x, 0.45 - 0.15 * y, 0.2 + 0.1 * x], -1)
    Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8)).save(
        os.path.join(HERE, "init.png"), optimize=True)
    mask = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(mask).ellipse((60, 70, 200, 190), fill=255)
    mask.save(os.path.join(HERE, "mask.png"), optimize=True)


def insides(pipe, prompt, path):
    generator = torch.Generator("cpu").manual_seed(1234)
    draw = lambda *shape: torch.randn(shape, generator=generator)
    ids = lambda words: pipe.tokenizer(words, padding="max_length", max_length=512, truncation=True,
                                       return_tensors="pt").input_ids
    embeddings, negative = pipe.encode_prompt(prompt, "cpu", 1, True, "")
    x, z = draw(1, 4, 32, 32), draw(1, 4, 8, 8)
    picture = torch.from_numpy(np.array(Image.open(os.path.join(HERE, "init.png")))).permute(2, 0, 1)[None] / 127.5 - 1
    moments = pipe.vae.encode(picture).latent_dist
    save_file({k: v.contiguous() for k, v in {
        "input_ids": ids(prompt), "negative_ids": ids(""), "embeddings": embeddings, "negative_embeddings": negative,
        "latents_42": torch.randn(1, 4, 32, 32, generator=torch.Generator("cpu").manual_seed(42)),
        "unet_x": x, "unet_t": torch.tensor([501.0]), "unet_eps": pipe.unet(x, 501, embeddings).sample,
        "vae_z": z, "vae_picture": pipe.vae.decode(z).sample,
        "picture_mean": moments.mean, "picture_logvar": moments.logvar}.items()}, path)


def main():
    torch.set_num_threads(1)  # the networks are so small that more threads only wait for each other
    torch.set_grad_enabled(False)
    inputs()
    pictures = os.path.join(HERE, "pictures")
    shutil.rmtree(pictures, ignore_errors=True)
    os.makedirs(pictures)
    init = Image.open(os.path.join(HERE, "init.png"))
    mask = Image.open(os.path.join(HERE, "mask.png"))
    for n in (0, 1):
        checkpoint(os.path.join(HERE, f"checkpoint-{n}"), n, safetensors=n == 1)
    cases = []
    for n, prompt in enumerate(PROMPTS):
        pipe = StableDiffusionPipeline.from_pretrained(os.path.join(HERE, f"checkpoint-{n}"), safety_checker=None)
        assert pipe.tokenizer.unk_token_id not in pipe.tokenizer(prompt).input_ids
        insides(pipe, prompt, os.path.join(HERE, f"checkpoint-{n}.safetensors"))
        config = pipe.scheduler.config
        parts = dict(pipe.components, requires_safety_checker=False)
        tasks = {"text": pipe, "picture": StableDiffusionImg2ImgPipeline(**parts),
                 "inpaint": StableDiffusionInpaintPipeline(**parts)}

        def paint(task, sampler, steps, seed, strength=None, width=SIDE, height=SIDE):
            tasks[task].scheduler = SAMPLERS[sampler](config)
            tasks[task].set_progress_bar_config(disable=True)
            more = {"text": {"width": width, "height": height}, "picture": {"image": init, "strength": strength},
                    "inpaint": {"image": init, "mask_image": mask, "strength": strength, "width": SIDE,
                                "height": SIDE}}[task]
            picture = tasks[task](prompt=prompt, negative_prompt="", num_inference_steps=steps,
                                  guidance_scale=GUIDANCE, generator=torch.Generator("cpu").manual_seed(seed),
                                  **more).images[0]
            tail = "" if strength is None else f"-{round(strength * 100)}"
            tail += "" if (width, height) == (SIDE, SIDE) else f"-{width}x{height}"
            file = f"{n}-{task}-{'-'.join(sampler)}-{steps}-{seed}{tail}.png"
            picture.convert("RGB").save(os.path.join(pictures, file), optimize=True, compress_level=9)
            cases.append({"checkpoint": f"checkpoint-{n}", "task": task, "prompt": prompt, "negative": "",
                          "sampler": sampler[0], "schedule": sampler[1], "steps": steps, "seed": seed,
                          "guidance": GUIDANCE, "init": None if task == "text" else "init.png",
                          "mask": "mask.png" if task == "inpaint" else None, "strength": strength,
                          "width": width, "height": height,
                          "file": f"pictures/{file}"})
            print(file, flush=True)

        for seed in SEEDS:
            for sampler in SAMPLERS:
                for steps in (10, 25):
                    paint("text", sampler, steps, seed)
            for task in ("picture", "inpaint"):
                for sampler in REPAINTERS:
                    for strength in (0.6, 1.0):
                        paint(task, sampler, 10, seed, strength)
        # Latents of 33x25: halved, they are rounded up, and grown again, cut.
        paint("text", ("dpmpp-2m", "model"), 10, SEEDS[n], width=264, height=200)
        paint("text", ("plms", "model"), 10, SEEDS[n], width=200, height=264)
    with open(os.path.join(HERE, "cases.json"), "w", encoding="utf-8") as f:
        json.dump(cases, f, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
