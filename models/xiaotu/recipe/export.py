"""Writes Xiaotu as a diffusers folder (a StableDiffusionPipeline with a BERT), in half precision.

    python export.py FOLDER --vocabulary vocab.txt [--vae vae.pt] [--text text.pt] [--unet unet.pt]

The checkpoints are those of train_vae.py, train_text.py and train_unet.py; a part without one gets random weights,
which is enough to develop an engine against.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

import architecture

MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.0",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "BertModel"],
    "tokenizer": ["transformers", "BertTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def _weights(part: str, average: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A part's weights in a checkpoint; the text encoder's lie beside those of its training heads."""
    if part != "text_encoder":
        return average
    return {name.removeprefix("encoder."): value for name, value in average.items() if name.startswith("encoder.")}


def export(folder: Path, vocabulary: Path, vae: Path | None, text: Path | None, unet: Path | None,
           guidance: float) -> None:
    """Writes the whole folder."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    architecture.write_tokenizer(vocabulary, folder / "tokenizer")
    words = len(architecture.load_tokenizer(folder / "tokenizer"))
    parts = {
        "vae": (architecture.build_vae(), vae),
        "text_encoder": (architecture.build_text_encoder(words), text),
        "unet": (architecture.build_unet(), unet),
    }
    for name, (model, checkpoint) in parts.items():
        if checkpoint:
            state = torch.load(checkpoint, map_location="cpu")
            model.load_state_dict(_weights(name, state["average"]))
            if "scaling_factor" in state:
                model.register_to_config(scaling_factor=state["scaling_factor"])
        model.half().save_pretrained(folder / name, safe_serialization=True)
    architecture.build_scheduler().save_pretrained(folder / "scheduler")
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)
    (folder / "model_index.json").write_text(json.dumps(MODEL_INDEX, indent=2) + "\n", encoding="utf-8")
    # What 丹青 itself reads: the name that people see, and the guidance that the evaluation recommends.
    advice = {"title": "小徒", "guidance": guidance}
    (folder / "danqing.json").write_text(json.dumps(advice, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--vae", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--unet", type=Path)
    parser.add_argument("--guidance", type=float, default=3.0, help="the recommended guidance scale")
    arguments = parser.parse_args()
    export(arguments.folder, arguments.vocabulary, arguments.vae, arguments.text, arguments.unet,
           arguments.guidance)
    StableDiffusionPipeline.from_pretrained(str(arguments.folder), safety_checker=None)
    weights = sum(path.stat().st_size for path in arguments.folder.rglob("*.safetensors"))
    print(f"{arguments.folder}: {weights / 2**20:.1f} MiB of weights")


if __name__ == "__main__":
    main()
