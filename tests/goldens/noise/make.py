"""Write the goldens of the noise streams: noise.safetensors beside this script.

Names are group/seed/step; the steps of one seed are successive calls on one generator.
cpu-* is torch.randn on torch.Generator("cpu"), made on an x86-64 machine with AVX2 or better.
cuda-sequence is not made on a GPU: it is Philox4x32-10 with cuRAND's float32 uniforms, and the logarithm, square root
and sine in double precision. (The uniforms' fused multiply-adds are done in double and rounded to float32.)

Made with torch 2.15.0, numpy and safetensors.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

SEEDS = [42, 3_141_592_653, 123_456_789_012_345]
LATENTS = {"cpu-latents-512x512": 4 * 64 * 64, "cpu-latents-pair-768x512": 2 * 4 * 96 * 64}
SEQUENCE = [5, 16, 3, 20, 1, 7, 64, 4101, 2, 15, 1039, 1]
CUDA_SEQUENCE = [12, 1000, 4096]


def torch_calls(seed, sizes):
    generator = torch.Generator("cpu").manual_seed(seed)
    return [torch.randn(n, generator=generator).numpy() for n in sizes]


def philox(counter, key):
    c = [np.asarray(word, dtype=np.uint64) for word in counter]
    k = list(key)
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    for _ in range(10):
        p = np.uint64(0xD2511F53) * c[0]
        q = np.uint64(0xCD9E8D57) * c[2]
        c = [
            (q >> shift) ^ c[1] ^ np.uint64(k[0]),
            q & low,
            (p >> shift) ^ c[3] ^ np.uint64(k[1]),
            p & low,
        ]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def cuda_calls(seed, sizes):
    step = np.float32(2.0**-32)
    turn = np.float32(step * np.float32(2 * np.pi))
    calls = []
    for call, n in enumerate(sizes):
        i = np.arange(n, dtype=np.uint64)
        zero = np.zeros(n, dtype=np.uint64)
        words = philox([zero + np.uint64(call), zero, i, zero], [seed % 2**32, seed >> 32])
        x, y = (word.astype(np.float32).astype(np.float64) for word in words[:2])
        u = (x * float(step) + float(step) / 2).astype(np.float32).astype(np.float64)
        v = (y * float(turn) + float(turn) / 2).astype(np.float32).astype(np.float64)
        calls.append((np.sqrt(-2 * np.log(u)) * np.sin(v)).astype(np.float32))
    return calls


def main():
    assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    tensors = {}

    def put(group, seed, calls):
        for step, values in enumerate(calls):
            tensors[f"{group}/{seed}/{step}"] = values

    for seed in SEEDS:
        for n in range(1, 34):
            put(f"cpu-{n}", seed, torch_calls(seed, [n]))
        for group, n in LATENTS.items():
            put(group, seed, torch_calls(seed, [n]))
        put("cpu-sequence", seed, torch_calls(seed, SEQUENCE))
        put("cuda-sequence", seed, cuda_calls(seed, CUDA_SEQUENCE))
    save_file(tensors, Path(__file__).with_name("noise.safetensors"))


if __name__ == "__main__":
    main()
