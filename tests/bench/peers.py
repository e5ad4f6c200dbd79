#!/usr/bin/env python3
"""Times diffusers' UNet and VAE on this machine, with the keys that `danqing bench --json` writes.

    pip install torch diffusers openvino
    python tests/bench/peers.py openvino bf16 --folder /tmp/peers --json peers.json
    danqing bench --json ours.json
    python tests/bench/peers.py --compare ours.json peers.json

The networks have the shape of Stable Diffusion 1.x and random weights. OpenVINO reads them from the folder; where they are
not there yet they are converted first, and the program then starts anew, so that the conversion does not count as
memory. Ratios mean something only if both were taken on one machine in one sitting. A `unet_pass` of danqing's leaves
out what it works out once a picture, `unet_listen`; diffusers works it out in each pass.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

UNET = dict(
    sample_size=64,
    in_channels=4,
    out_channels=4,
    layers_per_block=2,
    block_out_channels=(320, 640, 1280, 1280),
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    cross_attention_dim=768,
    attention_head_dim=8,
)
VAE = dict(
    latent_channels=4,
    block_out_channels=(128, 256, 512, 512),
    layers_per_block=2,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    sample_size=512,
)
BATCH, SIDE, TOKENS, WIDTH = 2, 512, (77, 512), 768


def torch_networks(dtype):
    """(pass, decode), each a function that makes the network, and a function that calls it with numpy arrays."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    torch.set_grad_enabled(False)
    as_tensor = lambda array: torch.from_numpy(array).to(dtype)

    def unet():
        net = UNet2DConditionModel(**UNET).to(dtype).eval()
        return lambda x, text: net(as_tensor(x), 500, as_tensor(text), return_dict=False)[0]

    def vae():
        net = AutoencoderKL(**VAE).to(dtype).eval()
        return lambda z: net.decode(as_tensor(z), return_dict=False)[0]

    return unet, vae


def convert(folder):
    """Writes both networks as OpenVINO's IR with random weights."""
    import openvino as ov
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    class Pass(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = UNet2DConditionModel(**UNET).eval()

        def forward(self, x, timestep, text):
            return self.inner(x, timestep, text, return_dict=False)[0]

    class Decode(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = AutoencoderKL(**VAE).eval()

        def forward(self, z):
            return self.inner.decode(z, return_dict=False)[0]

    folder.mkdir(parents=True, exist_ok=True)
    latents, text = torch.randn(BATCH, 4, 64, 64), torch.randn(BATCH, TOKENS[0], WIDTH)
    with torch.no_grad():
        for name, make, example in (
            ("unet", Pass, (latents, torch.tensor(500), text)),
            ("vae", Decode, (latents[:1],)),
        ):
            ov.save_model(ov.convert_model(make(), example_input=example), folder / f"ov_{name}.xml")


def openvino_networks(folder, precision, threads):
    import numpy as np
    import openvino as ov

    core = ov.Core()
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads}

    def unet():
        net = core.compile_model(folder / "ov_unet.xml", "CPU", hints)
        return lambda x, text: net([x, np.array(500), text])

    def vae():
        net = core.compile_model(folder / "ov_vae.xml", "CPU", hints)
        return lambda z: net([z])

    return unet, vae


def peak_mib():
    """The most memory that this process has held; none where the system does not tell in these units."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), None)


def measure(arguments):
    import numpy as np

    threads = arguments.threads or len(os.sched_getaffinity(0))
    if arguments.engine == "torch":
        import torch

        torch.set_num_threads(threads)
        unet, vae = torch_networks({"f32": torch.float32, "bf16": torch.bfloat16}[arguments.precision])
    else:
        unet, vae = openvino_networks(arguments.folder, arguments.precision, threads)
    figures = []

    def note(name, values, unit="s", **task):
        figures.append({
            "measure": name, "precision": arguments.precision, "threads": threads, **task, "unit": unit,
            "median": statistics.median(values), "least": min(values), "greatest": max(values), "runs": len(values),
        })
        print(name, task, f"{statistics.median(values):.3f} {unit}", file=sys.stderr, flush=True)

    def seconds(work):
        began = time.perf_counter()
        result = work()
        return time.perf_counter() - began, result

    def repeated(work):
        work()
        return [seconds(work)[0] for _ in range(arguments.repeats)]

    random = lambda *shape: np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    latents = random(BATCH, 4, SIDE // 8, SIDE // 8)
    took, call = seconds(unet)
    note("unet_load", [took])
    for tokens in TOKENS:
        text = random(BATCH, tokens, WIDTH)
        note("unet_pass", repeated(lambda: call(latents, text)), batch=BATCH, side=SIDE, tokens=tokens)
    # The UNet stays, as it does while an artist paints.
    took, decode = seconds(vae)
    note("vae_load", [took])
    note("vae_decode", repeated(lambda: decode(latents[:1])), batch=1, side=SIDE)
    peak = peak_mib()
    if peak is not None:
        note("peak_memory", [peak], "mib", batch=BATCH, side=SIDE)
    version = __import__(arguments.engine).__version__
    machine = {"processor": platform.processor(), "threads": threads, "system": platform.platform()}
    report = {"version": f"{arguments.engine} {version}", "machine": machine, "complete": True, "figures": figures}
    text = json.dumps(report, indent=2, ensure_ascii=False)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


def compare(ours, peers):
    """Ours over theirs, for each figure of theirs: less is better."""
    ours, peers = (json.loads(path.read_text(encoding="utf-8")) for path in (ours, peers))
    key = lambda figure: tuple(figure.get(name) for name in ("measure", "threads", "batch", "side", "tokens"))
    print(f"danqing {ours['version']} / {peers['version']}")
    for theirs in peers["figures"]:
        for mine in (figure for figure in ours["figures"] if key(figure) == key(theirs)):
            task = " ".join(str(part) for part in key(theirs) if part is not None)
            values = f"{mine['median']:.3f} / {theirs['median']:.3f} {theirs['unit']}"
            ratio = mine["median"] / theirs["median"]
            print(f"{task:34} {mine['precision']:>4} / {theirs['precision']:4} {values:>24}  {ratio:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", nargs="?", choices=("torch", "openvino"))
    parser.add_argument("precision", nargs="?", choices=("f32", "bf16"), default="bf16")
    parser.add_argument("--folder", type=Path, default=Path("peers"), help="where OpenVINO's networks lie")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="all that this process may use unless told")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OURS", "PEERS"))
    arguments = parser.parse_args()
    if arguments.compare:
        return compare(*arguments.compare)
    if not arguments.engine:
        parser.error("torch or openvino?")
    if arguments.engine == "openvino" and not all((arguments.folder / f"ov_{n}.xml").exists() for n in ("unet", "vae")):
        convert(arguments.folder)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    measure(arguments)


if __name__ == "__main__":
    main()
