"""Provocations by models of the runtime: what lower refuses, damaged .tqm files, and calls that do not fit them."""
import pathlib

import numpy as np
import torch

from calls import finished


def convolution(bench):
    return bench.exported(torch.nn.Conv2d(3, 8, 3, padding=1), torch.randn(1, 3, 8, 8))


def volumes(bench):
    return bench.exported(torch.nn.Conv3d(3, 4, 1), torch.randn(1, 3, 4, 8, 8))


def tqm(bench):
    quantized, lowered = bench.path("int8.pt2"), bench.path("model.tqm")
    data = bench.npz(x0=np.ones((4, 3, 8, 8), np.float32))
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 4))
    model = bench.exported(net, torch.randn(1, 3, 8, 8))
    finished(bench, *bench.quantize(model=model, data=data, recipe="int8-static", output=quantized))
    finished(bench, "lower", quantized, "-o", lowered)
    return lowered


def changed(bench, edit):
    """The model's bytes after edit(bytes)."""
    return bench.write("model.tqm", edit(pathlib.Path(tqm(bench)).read_bytes()))


def run(bench, model, *flags, **tensors):
    tensors = tensors or {"x0": np.ones((1, 3, 8, 8), np.float32)}
    return ["run", model, "--input", bench.safetensors(**tensors), "--output", bench.path("y.safetensors"), *flags]


def forced_isa(name):
    def provoke(bench):
        model = tqm(bench)
        bench.before += ["env", f"TORQUANT_FORCE_ISA={name}"]
        return run(bench, model)
    return provoke


def compare(bench, change=lambda data, begin: data):
    """Compares with a model whose data segment begins at `begin`."""
    header = lambda data: int.from_bytes(data[:4], "little") + 4
    model = changed(bench, lambda data: change(data, -(-header(data) // 64) * 64))
    x0 = np.random.default_rng(1).random((1, 3, 8, 8), np.float32)
    return ["compare", bench.path("int8.pt2"), model, "--stages", "--input", bench.safetensors(x0=x0)]


def of_another_program(bench):
    call = compare(bench)
    return ["compare", convolution(bench), *call[2:]]


ALL = {
    "model_of_another_program": of_another_program,
    "model_with_other_weights": lambda b: compare(b, lambda data, at: data[:at] + bytes(byte ^ 0x55 for byte in data[at : at + 64]) + data[at + 64 :]),
    "model_with_other_logits": lambda b: compare(b, lambda data, at: data[:-64] + b"\x00\x00\x80\x3f" * 16),
    "lower_volumes_in_float": lambda b: ["lower", volumes(b), "-o", b.path("out.tqm")],
    "lowered_already": lambda b: run(b, tqm(b), "--lower", "onednn"),
    "nodes_of_a_program": lambda b: ["bench", convolution(b), "--nodes", "--input", b.safetensors(x0=np.ones((1, 3, 8, 8), np.float32))],
    "cut_model": lambda b: run(b, changed(b, lambda data: data[:100])),
    "damaged_model": lambda b: run(b, changed(b, lambda data: data[:12] + b"\xff" * 40 + data[52:])),
    "model_without_its_weights": lambda b: run(b, changed(b, lambda data: data[: int.from_bytes(data[:4], "little") + 4])),
    "image_of_another_size": lambda b: run(b, tqm(b), x0=np.ones((1, 3, 8, 9), np.float32)),
    "image_of_doubles": lambda b: run(b, tqm(b), x0=np.ones((1, 3, 8, 8))),
    "unknown_isa": forced_isa("sse9"),
    "isa_of_another_cpu": forced_isa("neondot"),
}
