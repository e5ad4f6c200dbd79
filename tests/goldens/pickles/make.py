#!/usr/bin/env python3
"""Writes the tiny PyTorch files of this folder, and expected.json with what torch itself reads from them.

    pip install torch
    python make.py

Every file is deterministic except for PyTorch's own bookkeeping entries.
"""
import collections
import hashlib
import json
import os
import pickle
import sys
import zipfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
os.chdir(HERE)


def repack(source, target, method, change=lambda name, data: data):
    """The same archive with another compression, and with changed entries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.compress_type = method
            new.writestr(info, change(name, old.read(name)))


def tensors():
    generator = torch.Generator().manual_seed(7)
    wide = torch.randn(6, 5, generator=generator)
    block = torch.randn(24, generator=generator)
    state = collections.OrderedDict()
    state["encoder.conv_in.weight"] = torch.randn(4, 3, 3, 3, generator=generator)
    state["encoder.conv_in.bias"] = torch.zeros(4)
    state["half"] = torch.randn(7, generator=generator).half()
    state["brain"] = torch.randn(2, 3, generator=generator).bfloat16()
    state["double"] = torch.tensor([1.0, 1 / 3, -2.5e-9, 1e300], dtype=torch.float64)
    state["embeddings.position_ids"] = torch.arange(512).expand((1, -1))
    state["flag"] = torch.tensor([True, False])
    state["byte"] = torch.tensor([1, 2, 255], dtype=torch.uint8)
    state["scalar"] = torch.tensor(3.5)
    state["empty"] = torch.zeros(0, 4)
    state["transposed"] = wide.t()
    state["every_other"] = wide[::2, 1::2]
    state["view"] = block[5:17].view(3, 4)
    state["tied"] = state["encoder.conv_in.weight"]
    state["channels_last"] = torch.randn(2, 3, 4, 5, generator=generator).to(memory_format=torch.channels_last)
    state["parameter"] = torch.nn.Parameter(torch.randn(3, generator=generator))
    state["画"] = torch.ones(2)
    return state


def describe(state):
    def entry(t):
        t = t.detach().contiguous()
        raw = bytes(t.flatten().view(torch.uint8).tolist()) if t.numel() else b""
        return {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape), "sha256": hashlib.sha256(raw).hexdigest()}
    return {name: entry(t) for name, t in state.items()}


class Evil:
    def __reduce__(self):
        return (os.system, ("echo this must never run",))


def main():
    state = tensors()
    expected = {}
    for protocol in (2, 3, 4, 5):
        torch.save(state, f"zip{protocol}.bin", pickle_protocol=protocol)
        expected[f"zip{protocol}.bin"] = describe(torch.load(f"zip{protocol}.bin", weights_only=False))  # our own file
    for protocol in (2, 4):
        repack(f"zip{protocol}.bin", f"deflated{protocol}.bin", zipfile.ZIP_DEFLATED)
        expected[f"deflated{protocol}.bin"] = expected[f"zip{protocol}.bin"]

    def big(name, data):
        if name.endswith("/byteorder"):
            return b"big"
        # Only float32 storages lie in this file.
        if "/data/" in name and not name.endswith("serialization_id"):
            return b"".join(data[i:i + 4][::-1] for i in range(0, len(data), 4))
        return data

    floats = {k: v for k, v in state.items() if v.dtype == torch.float32}
    torch.save(floats, "floats.tmp")
    repack("floats.tmp", "big_endian.bin", zipfile.ZIP_STORED, big)
    os.remove("floats.tmp")
    expected["big_endian.bin"] = describe(floats)

    module = torch.nn.Linear(3, 2)
    torch.nn.init.ones_(module.weight), torch.nn.init.zeros_(module.bias)
    torch.save({"epoch": 3, "global_step": 2**40, "lr": 1e-4, "state_dict": module.state_dict(),
                "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}]}, "nested.ckpt")
    expected["nested.ckpt"] = describe(module.state_dict())

    torch.save({"string_to_param": {"*": torch.ones(2, 4)}, "name": "画风"}, "embedding.pt")
    expected["embedding.pt"] = describe({"string_to_param.*": torch.ones(2, 4)})

    untyped = {"f8": torch.tensor([0.5, -2.0, 448.0]).to(torch.float8_e4m3fn), "u16": torch.arange(3).to(torch.uint16)}
    torch.save(untyped, "untyped.pt")
    expected["untyped.pt"] = describe(untyped)

    torch.save(state, "legacy.pt", _use_new_zipfile_serialization=False)
    expected["legacy.pt"] = describe(torch.load("legacy.pt", weights_only=False))  # our own file

    with zipfile.ZipFile("evil.bin", "w") as archive:
        archive.writestr(zipfile.ZipInfo("evil/data.pkl"), pickle.dumps({"weight": Evil()}, protocol=2))
        archive.writestr(zipfile.ZipInfo("evil/byteorder"), "little")
    with zipfile.ZipFile("evil4.bin", "w") as archive:
        archive.writestr(zipfile.ZipInfo("evil/data.pkl"), pickle.dumps({"weight": Evil()}, protocol=4))
    with zipfile.ZipFile("module.bin", "w") as archive:
        # What torch.save(model) begins with: an object of one of torch's own classes.
        data = b"\x80\x02ctorch.nn.modules.linear\nLinear\nq\x00)\x81q\x01}q\x02b."
        archive.writestr(zipfile.ZipInfo("module/data.pkl"), data)

    json.dump(expected, open("expected.json", "w", encoding="utf-8"), indent=1, ensure_ascii=False, sort_keys=True)
    print(sum(os.path.getsize(f) for f in os.listdir(".")), "bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
