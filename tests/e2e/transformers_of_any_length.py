"""transformers_of_any_length.py TORQUANT: PyTorch exports transformers that leave the number of tokens open, in several spellings; the program quantizes and lowers them, and gives what PyTorch gives at each length."""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file

PROGRAM = sys.argv[1]
TOKENS, WIDTH, HEADS = 96, 64, 4


class SpelledNorm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(WIDTH) + 0.5)

    def forward(self, x):
        x = x.to(torch.float32)
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)).to(torch.float32)


def spelled_attention(query, key, value, attn_mask):
    scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    hidden = torch.where(attn_mask, torch.tensor(0.0), torch.finfo(torch.float32).min)
    return torch.softmax(scores + hidden, -1, dtype=torch.float32) @ value


class Layer(torch.nn.Module):
    def __init__(self, spelled):
        super().__init__()
        self.attend = spelled_attention if spelled else torch.nn.functional.scaled_dot_product_attention
        self.query, self.key, self.value, self.out = (torch.nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = torch.nn.Linear(WIDTH, 4 * WIDTH), torch.nn.Linear(4 * WIDTH, WIDTH)
        self.norm1, self.norm2 = (SpelledNorm() if spelled else torch.nn.LayerNorm(WIDTH) for _ in range(2))

    def forward(self, x, mask):
        split = lambda t: t.view(*x.shape[:2], HEADS, -1).transpose(1, 2)
        seen = self.attend(split(self.query(x)), split(self.key(x)), split(self.value(x)), attn_mask=mask)
        x = self.norm1(x + self.out(seen.transpose(1, 2).reshape(x.shape)))
        return self.norm2(x + self.down(torch.nn.functional.gelu(self.up(x))))


class Encoder(torch.nn.Module):
    def __init__(self, spelled):
        super().__init__()
        self.words, self.places = torch.nn.Embedding(200, WIDTH), torch.nn.Embedding(TOKENS, WIDTH)
        self.layers = torch.nn.ModuleList(Layer(spelled) for _ in range(2))
        self.register_buffer("position_ids", torch.arange(TOKENS)[None])

    def forward(self, ids, mask):
        x = self.words(ids) + self.places(self.position_ids[:, : ids.shape[1]])
        wide = mask[:, None, None, :].bool().expand(-1, 1, ids.shape[1], -1)
        for layer in self.layers:
            x = layer(x, wide)
        return x


def run(*arguments, code=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stderr if code else done.stdout


def inputs(batch, tokens):
    mask = torch.ones(batch, tokens, dtype=torch.int64)
    mask[0, tokens - tokens // 3 :] = 0
    return torch.randint(0, 200, (batch, tokens)), mask


def main(folder):
    torch.manual_seed(1)
    tokens, batch = torch.export.Dim("tokens", min=2, max=TOKENS), torch.export.Dim("batch", max=8)
    for name, shape, batches in (("one", {1: tokens}, (1,)), ("many", {0: batch, 1: tokens}, (1, 2, 5)), ("spelled", {1: tokens}, (1,))):
        net = Encoder(spelled=name == "spelled").eval()
        program = torch.export.export(net, inputs(2 if len(batches) > 1 else 1, 20), dynamic_shapes=(shape, shape))
        torch.export.save(program, folder / f"{name}.pt2")
        run("quantize", folder / f"{name}.pt2", "--recipe", "int8-dynamic", "-o", folder / "int8.pt2")
        model = folder / f"{name}.tqm"
        lowered = json.loads(run("lower", folder / "int8.pt2", "-o", model, "--json"))
        kinds = {node["operation"] for node in lowered["in_float"]}
        assert not kinds & {"Softmax", "FloatBinary multiply"}, kinds  # attention and norms are nodes of their own
        assert lowered["length"] == [2, TOKENS], lowered
        for length in (2, 3, 19, 64, TOKENS):
            for count in batches:
                x = inputs(count, length)
                save_file(dict(zip(("x0", "x1"), x)), folder / "x.safetensors")
                run("run", model, "--input", folder / "x.safetensors", "--output", folder / "y.safetensors")
                with torch.no_grad():
                    expected = net(*x)
                got = load_file(folder / "y.safetensors")["y0"]
                assert got.shape == expected.shape, (got.shape, expected.shape)
                decibels = 10 * torch.log10(expected.square().sum() / (got - expected).square().sum())
                assert decibels > 30, f"{name}, {count} sequences of {length}: {decibels:.1f} dB"
        stages = json.loads(run("compare", folder / "int8.pt2", model, "--stages", "--input", folder / "x.safetensors", "--json"))
        assert stages, stages
        save_file(dict(zip(("x0", "x1"), inputs(1, TOKENS + 1))), folder / "x.safetensors")
        refused = run("run", model, "--input", folder / "x.safetensors", "--output", folder / "y.safetensors", code=1)
        assert "length" in refused and f"2 to {TOKENS}" in refused, refused
        assert f"lengths of 2 to {TOKENS}" in run("inspect", model)


with tempfile.TemporaryDirectory() as path:
    main(pathlib.Path(path))
