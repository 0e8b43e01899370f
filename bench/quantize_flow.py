#!/usr/bin/env python3
"""Torquant and torchao quantize the same program with the same data, in turns, on one thread.

    python bench/quantize_flow.py MODEL_DIR [MODEL_DIR ...] --peer TORCHAO_FLOW.py [--torquant PROGRAM] [--runs 5] [--images 32]

MODEL_DIR holds `model.pt2` and `calibration.safetensors` (`<sample>.x<input>`); the peer is the script `torchao_flow.py`, and this Python is one that it runs in.
Prints the medians of wall time from load to save (imports of Python left out) and of peak memory, the sizes of the files, how memory grows with ten times the images,
and compares what both wrote: scales, zero points and integer weights, value by value.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONE_THREAD = dict(os.environ, OMP_NUM_THREADS="1")


def run(command):
    """Seconds, peak resident megabytes and what it printed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=ONE_THREAD, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{err}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, out


def torquant(program, model, images, output):
    command = [program, "quantize", model / "model.pt2", "--recipe", "xnnpack-static", "--data", model / "calibration.safetensors"]
    seconds, memory, _ = run([*command, "--samples", str(images), "-o", output])
    return seconds, memory


def torchao(peer, model, images, output):
    _, memory, out = run([sys.executable, peer, model, "--images", str(images), "-o", output])
    return json.loads(out.splitlines()[-1])["total_s"], memory


def quantization(path):
    """Activations as (scale, zero point, minimum, maximum) and weights as (integers, scales, zero points), in the order of the graph."""
    import torch
    import torchao.quantization.pt2e.quantize_pt2e  # registers quantized_decomposed, which both files use

    program = torch.export.load(path)
    tensors = {**program.state_dict, **program.constants}
    signature = program.graph_signature
    targets = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}

    def tensor(node):
        while node.op == "call_function":  # a detach, or the alias that a re-export leaves
            node = node.args[0]
        return tensors[targets[node.name]].detach()

    activations, weights = [], []
    for node in program.graph.nodes:
        target = str(node.target)
        if target.startswith("quantized_decomposed.quantize_per_tensor"):
            activations.append(tuple(node.args[1:5]))
        elif target.startswith("quantized_decomposed.dequantize_per_channel"):
            weights.append(tuple(tensor(argument) for argument in node.args[:3]))
    return activations, weights


def compare(ours, theirs):
    import torch

    (our_activations, our_weights), (their_activations, their_weights) = quantization(ours), quantization(theirs)
    same = sum(a == b for a, b in zip(our_activations, their_activations))
    print(f"  activations: {len(our_activations)} and {len(their_activations)}, the same scale, zero point and range: {same}")
    same = [sum(torch.equal(a[i], b[i]) for a, b in zip(our_weights, their_weights)) for i in range(3)]
    print(f"  weights: {len(our_weights)} and {len(their_weights)}, the same integers: {same[0]}, scales: {same[1]}, zero points: {same[2]}")


def measure(model, arguments, folder):
    ours, theirs = folder / "torquant.pt2", folder / "torchao.pt2"
    measured = [
        (*torquant(arguments.torquant, model, arguments.images, ours), *torchao(arguments.peer, model, arguments.images, theirs))
        for _ in range(arguments.runs)
    ]
    our_time, our_memory, their_time, their_memory = map(statistics.median, zip(*measured))
    ratios = [their / our for our, _, their, _ in measured]
    megabytes = [path.stat().st_size / 1e6 for path in (model / "model.pt2", ours, theirs)]
    _, memory_of_ten = torquant(arguments.torquant, model, 10 * arguments.images, folder / "ten.pt2")
    print(f"{model.name}, {arguments.images} images, one thread, median of {arguments.runs}")
    print(f"  seconds: {our_time:.2f} and {their_time:.2f}: {statistics.median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f})")
    print(f"  peak memory, MB: {our_memory:.0f} and {their_memory:.0f}; with {10 * arguments.images} images {memory_of_ten:.0f}")
    print(f"  file, MB: {megabytes[0]:.2f} float, {megabytes[1]:.2f} and {megabytes[2]:.2f}")
    return ours, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--peer", required=True, type=Path)
    parser.add_argument("--torquant", default=Path(__file__).parent.parent / "build/release/bin/torquant", type=Path)
    parser.add_argument("--runs", default=5, type=int)
    parser.add_argument("--images", default=32, type=int)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        written = {}
        for model in arguments.models:
            folder = Path(temporary) / model.name
            folder.mkdir()
            written[model.name] = measure(model, arguments, folder)
        for name, files in written.items():  # last: the peak of a process counts what the one that started it held
            print(name)
            compare(*files)


if __name__ == "__main__":
    main()
