#!/usr/bin/env python3
"""exchange_with_pytorch.py PROGRAM: our archives in PyTorch.

For each net: torch.export writes it, PROGRAM (exchange_with_pytorch.cpp) reads, quantizes and writes it, and here
torch.export.load reads what it wrote and must compute the same bits as PROGRAM did, float, quantized and dynamically quantized; the float
archive must also give what the net itself gives, and say what PyTorch's own archive says.

The nets are small ones written here and, where TORQUANT_MODELS_DIR is set, every FOLDER/*.pt2 in it, with FOLDER's
inputs.safetensors (x0, x1 ...) and calibration.safetensors (<sample>.x<input>).
"""
import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  registers quantized_decomposed
from safetensors.torch import load_file, save_file
from torch import nn


class Residual(nn.Module):
    """Convolutions with batch norm, depthwise, strided, with a skip and a concatenation."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.stem(x)
        y = torch.relu(self.norm(self.depthwise(x)) + x)
        y = torch.cat([y, x], dim=1)
        return self.head(nn.functional.adaptive_avg_pool2d(y, 1).flatten(1))


class Attention(nn.Module):
    """Token embeddings, attention, layer norm, a weight used twice, two outputs of which one is chunked."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.qkv = nn.Linear(16, 48)
        self.norm = nn.LayerNorm(16)
        self.out = nn.Linear(16, 11, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("mask", torch.ones(6, 6).tril().bool(), persistent=False)

    def forward(self, ids):
        q, k, v = self.qkv(self.embedding(ids)).chunk(3, dim=-1)
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)
        y = self.norm(y)
        return self.out(y), y.mean(dim=1)


class TwoInputs(nn.Module):
    """Arithmetic on symbolic sizes, Python scalars, a transposed convolution, a constant."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(4, 6, 3, stride=2)
        self.scale = torch.tensor([0.5, 2.0])

    def forward(self, x, y):
        z = self.up(x).clamp(min=-1.5)
        z = z.reshape(x.shape[0] * 2, 3, -1) * 3 + self.scale[0]
        return z.sum(dim=1), torch.where(y > 0, y, y / 2)


class FeedForward(nn.Module):
    """Linear layers on sequences of any length, one of them written as a product, between float operators."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.up = nn.Linear(16, 40)
        self.down = nn.Parameter(torch.randn(16, 40) / 8)

    def forward(self, x):
        return x + nn.functional.gelu(self.up(self.norm(x))) @ self.down.t()


def batch_of(*shapes, dtype=torch.float):
    return tuple(torch.randn(shape, dtype=dtype) for shape in shapes)


Case = collections.namedtuple("Case", "name module inputs dynamic strict test_batch")
BATCH = torch.export.Dim("batch", min=1, max=32)


def cases():
    for strict in (False, True):
        suffix = "strict" if strict else "default"
        yield Case(f"residual_{suffix}", Residual(), lambda n: batch_of((n, 3, 10, 10)), ({0: BATCH},), strict, 5)
        yield Case(f"attention_{suffix}", Attention(), lambda n: (torch.randint(0, 11, (n, 6)),), ({0: BATCH},), strict, 3)
        yield Case(f"two_inputs_{suffix}", TwoInputs(), lambda n: batch_of((n, 4, 9), (n, 2)), ({0: BATCH}, {0: BATCH}), strict, 7)
    length = ({1: torch.export.Dim("length", min=1, max=64)},)
    for dtype in (torch.float, torch.bfloat16):
        yield Case(f"feed_forward_{dtype}", FeedForward().to(dtype), lambda n, dtype=dtype: batch_of((2, 3 * n, 16), dtype=dtype), length, False, 5)
    yield Case("static_sizes", Residual(), lambda n: batch_of((2, 3, 10, 10)), None, False, 2)


def as_tuple(output):
    return tuple(output) if isinstance(output, (tuple, list)) else (output,)


def check_bits(what, ours, theirs):
    """Both are tensors; a difference in the last bit is a failure."""
    same = ours.dtype == theirs.dtype and ours.shape == theirs.shape and torch.equal(ours, theirs)
    if not same:
        difference = (ours.double() - theirs.double()).abs().max() if ours.shape == theirs.shape else "shapes differ"
        raise SystemExit(f"FAILED {what}: ours {ours.dtype}{list(ours.shape)}, PyTorch's {theirs.dtype}{list(theirs.shape)}, difference {difference}")


def exchange(name, exported, test, calibration, program, folder):
    """`folder` holds the archive net.pt2 of `exported`; returns how many weights are int8."""
    data = {f"test.{i}": tensor for i, tensor in enumerate(test)}
    data |= {f"calibration.{sample}.{i}": tensor for sample, batch in enumerate(calibration) for i, tensor in enumerate(batch)}
    save_file({key: tensor.contiguous() for key, tensor in data.items()}, folder / "data.safetensors")

    result = subprocess.run([program, folder], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"FAILED {name}: {program} ended with {result.returncode}: {result.stderr}")
    outputs = load_file(folder / "outputs.safetensors")

    expected = as_tuple(exported.module()(*test))
    has_linear = any("aten.linear" in str(node.target) for node in exported.graph.nodes)
    for kind in ("float", "quantized", "dynamic") if has_linear else ("float", "quantized"):
        loaded = torch.export.load(folder / f"{kind}.pt2")
        for i, theirs in enumerate(as_tuple(loaded.module()(*test))):
            check_bits(f"{name} {kind}, output {i}", outputs[f"{kind}.{i}"], theirs)
            if kind == "float":
                check_bits(f"{name} against the net, output {i}", outputs[f"{kind}.{i}"], expected[i])
        loaded.run_decompositions({})
    again, original = torch.export.load(folder / "float.pt2"), torch.export.load(folder / "net.pt2")
    if str(again) != str(original):
        raise SystemExit(f"FAILED {name}: the float archive prints otherwise than PyTorch's")
    if again.state_dict.keys() != original.state_dict.keys():
        raise SystemExit(f"FAILED {name}: the float archive holds other tensors than PyTorch's")
    for key, tensor in original.state_dict.items():
        check_bits(f"{name}, {key}", again.state_dict[key], tensor)
    quantized = torch.export.load(folder / "quantized.pt2")
    int8 = [key for key, tensor in quantized.state_dict.items() if tensor.dtype == torch.int8]
    ops = [str(node.target) for node in quantized.graph.nodes]
    if not int8 or not any("dequantize_per_channel" in op for op in ops):
        raise SystemExit(f"FAILED {name}: nothing is quantized in quantized.pt2")
    if has_linear:
        dynamic = {str(node.target).removesuffix(".default") for node in torch.export.load(folder / "dynamic.pt2").graph.nodes}
        per_token = {f"quantized_decomposed.{name}_per_token" for name in ("quantize", "dequantize")} | {"quantized_decomposed.choose_qparams_per_token_asymmetric"}
        if not per_token <= dynamic:
            raise SystemExit(f"FAILED {name}: dynamic.pt2 lacks {per_token - dynamic}")
    return len(int8)


def exchange_case(case, program, folder):
    torch.manual_seed(7)
    module = case.module.eval()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):  # statistics that do something
            norm.running_mean.uniform_(-0.5, 0.5)
            norm.running_var.uniform_(0.5, 1.5)
    exported = torch.export.export(module, case.inputs(4), dynamic_shapes=case.dynamic, strict=case.strict)
    torch.export.save(exported, folder / "net.pt2")
    return exchange(case.name, exported, case.inputs(case.test_batch), [case.inputs(4) for _ in range(3)], program, folder)


def exchange_model(archive, program, folder):
    shutil.copy(archive, folder / "net.pt2")
    inputs, samples = load_file(archive.parent / "inputs.safetensors"), load_file(archive.parent / "calibration.safetensors")
    test = [inputs[f"x{i}"] for i in range(len(inputs))]
    calibration = [[samples[f"{sample}.x{i}"] for i in range(len(inputs))] for sample in range(4)]
    return exchange(f"{archive.parent.name}/{archive.name}", torch.export.load(archive), test, calibration, program, folder)


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)  # PyTorch's own, about its own trees
    models = os.environ.get("TORQUANT_MODELS_DIR")
    archives = sorted(pathlib.Path(models).glob("*/*.pt2")) if models else []
    if models and not archives:
        raise SystemExit(f"FAILED: no FOLDER/*.pt2 in {models}, which TORQUANT_MODELS_DIR names")
    exchanges = [(exchange_case, case, case.name) for case in cases()] + [(exchange_model, archive, str(archive)) for archive in archives]
    with torch.no_grad():
        for exchange_one, net, name in exchanges:
            with tempfile.TemporaryDirectory() as folder:
                weights = exchange_one(net, sys.argv[1], pathlib.Path(folder))
            print(f"{name}: same bits, float and quantized ({weights} int8 weights)", flush=True)
    print(f"{len(exchanges)} nets passed")


if __name__ == "__main__":
    main()
