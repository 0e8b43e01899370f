#!/usr/bin/env python3
"""make_corpus.py FUZZ_SAMPLES WRITE_MODELS: writes the seeds of the fuzz targets that come from PyTorch, NumPy and the
programs FUZZ_SAMPLES (write_samples.cpp) and WRITE_MODELS (tests/support) anew, into corpus/.

Inputs that fuzzing found stand beside them under names of their own and stay.
"""
import gzip
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  the operators of Quantized
from safetensors.torch import save
from torch import nn

CORPUS = pathlib.Path(__file__).parent / "corpus"
TRACES = ("stack_trace", "from_node")  # long, and they name folders of the machine


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, bias=False)
        self.bn = nn.BatchNorm2d(2)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x))).flatten(1)


class Attention(nn.Module):
    """Tied weights, a mask that is no weight, chunks, a lifted constant."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.out = nn.Linear(4, 5, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("mask", torch.ones(3, 3).tril().bool(), persistent=False)

    def forward(self, ids):
        q, k = (self.embedding(ids) * torch.tensor(2.0)).chunk(2, dim=-1)
        return self.out(torch.cat([q, nn.functional.scaled_dot_product_attention(q, k, k, attn_mask=self.mask)], -1))


class Branch(nn.Module):
    """Two subgraphs, a buffer that is written, a number as input, a computed size."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x, factor):
        self.count.add_(1)
        y = torch.cond(x.sum() > 0, lambda x: x.sin(), lambda x: x.cos(), (x,))
        return y.view(x.shape[0] * 2, -1) * factor, [x, None]


class Quantized(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.randint(-128, 128, (2, 3), dtype=torch.int8))
        self.register_buffer("scale", torch.rand(2))
        self.register_buffer("zero_point", torch.zeros(2, dtype=torch.int64))

    def forward(self, x):
        ops = torch.ops.quantized_decomposed
        x = ops.dequantize_per_tensor.default(ops.quantize_per_tensor.default(x, 0.1, 3, -128, 127, torch.int8), 0.1, 3, -128, 127, torch.int8)
        return nn.functional.linear(x, ops.dequantize_per_channel.default(self.weight, self.scale, self.zero_point, 0, -127, 127, torch.int8))


def nets():
    batch = torch.export.Dim("batch", min=1, max=64)
    yield "conv", ConvNet(), (torch.randn(2, 1, 4, 4),), ({0: batch},)
    yield "attention", Attention(), (torch.tensor([[1, 2, 3]]),), None
    yield "branch", Branch(), (torch.randn(2, 2), 1.5), ({0: batch}, None)
    yield "quantized", Quantized(), (torch.randn(1, 3),), None


def records_of(archive):
    with zipfile.ZipFile(archive) as zip_file:
        records = {name.split("/", 1)[1]: zip_file.read(name) for name in zip_file.namelist()}
    kept = {}
    for name, data in records.items():
        if name.startswith("data/sample_inputs/") or name in (".data/serialization_id", ".data/version", "version"):
            continue
        if name.endswith(".json"):
            model = json.loads(data)
            drop_traces(model)
            data = json.dumps(model, separators=(",", ":")).encode()
        kept[name] = data
    return kept


def drop_traces(value):
    if isinstance(value, dict):
        for key in TRACES:
            value.pop(key, None)
        value.pop("guards_code", None)
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        drop_traces(child)


def write(name, data):
    path = CORPUS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def as_text(records):
    """Records as records.h has them."""
    return b"\n".join(b"@@ %s\n%s" % (name.encode(), data) for name, data in records.items())


def write_samples(program):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], check=True)
        for path in pathlib.Path(folder).glob("*.pt2"):
            write(f"prepared/{path.stem}", as_text(records_of(path)))
        for path in pathlib.Path(folder).glob("*.observers"):
            data = path.read_bytes()
            end = 8 + int.from_bytes(data[:8], "little")
            header = json.loads(data[8:end])
            settings = header.pop("__metadata__")["torquant_observers"]
            parts = {"header": json.dumps(header, separators=(",", ":")).encode(), "observers": settings.encode(), "data": data[end:]}
            write(f"statistics/{path.stem}", as_text(parts))


def saved(save_with, *arrays, **named):
    file = io.BytesIO()
    save_with(file, *arrays, **named)
    return file.getvalue()


def main():
    write_samples(sys.argv[1])
    subprocess.run([sys.argv[2], CORPUS / "tqm"], check=True)
    torch.manual_seed(1)
    for name, net, inputs, shapes in nets():
        archive = io.BytesIO()
        torch.export.save(torch.export.export(net.eval(), inputs, dynamic_shapes=shapes), archive)
        records = records_of(archive)
        write(f"pt2_records/{name}", as_text(records))
        if name in ("conv", "branch"):  # stored and deflated
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED if name == "branch" else zipfile.ZIP_STORED) as zip_file:
                for key, data in records.items():
                    zip_file.writestr(zipfile.ZipInfo(f"{name}/{key}"), data, zip_file.compression)
            write(f"pt2/{name}.pt2", packed.getvalue())

    counting = np.arange(6, dtype=np.float32).reshape(2, 3)
    for name, array in {"float32": counting, "fortran": np.asfortranarray(counting), "bool": counting > 2, "scalar": np.array(2.5), "empty": counting[:0]}.items():
        write(f"npy/{name}", saved(np.save, array))
    write("npz/stored", saved(np.savez, x0=counting, x1=counting > 2, y=np.array([1, 0])))
    write("npz/packed", saved(np.savez_compressed, x0=counting, y=np.array([1, 0])))

    write("safetensors/samples", save({"0.x0": torch.ones(1, 2), "0.y": torch.tensor([3]), "1.x0": torch.zeros(1, 2), "1.y": torch.tensor([0])}))
    write("safetensors/dtypes", save({"a.x0": torch.ones(2, dtype=torch.bfloat16), "a.x1": torch.ones(0, 3)}, {"made": "here"}))

    images = struct.pack(">HBBIII", 0, 8, 3, 2, 2, 3) + bytes(range(12))
    write("idx/images", images)
    write("idx/images.gz", gzip.compress(images, mtime=0))
    write("idx/labels", struct.pack(">HBBI", 0, 8, 1, 4) + bytes([0, 9, 3, 1]))

    for name in ("420.jpg", "progressive.jpg", "cmyk.jpg", "orientation6.jpg", "palette_transparent.png", "interlaced.png", "grey16.png", "rgba.png"):
        write(f"image/{name}", (CORPUS.parent.parent / "data/images" / name).read_bytes())


if __name__ == "__main__":
    main()
