#!/usr/bin/env python3
"""Trains the classifier of the demo on Fashion-MNIST and exports it to demo/fashion_mnist_resnet.pt2.

Nothing of Torquant needs this script: its result is checked in. It needs the packages torch and numpy (./dev setup installs
them) and Debian's package dataset-fashion-mnist, and takes about a quarter of an hour on two cores:

    build/venv/bin/python tools/train_demo_model.py
"""
import argparse
import gzip
import math
import pathlib
import time

import numpy
import torch
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent


class ConvBatchNorm(nn.Sequential):
    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, activation=True):
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), *([nn.ReLU6()] if activation else []))


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 projection; the input is added where the shapes allow it (MobileNetV2)."""

    def __init__(self, inputs, outputs, stride=1, expansion=3):
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvBatchNorm(inputs, hidden, 1)
        self.depthwise = ConvBatchNorm(hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvBatchNorm(hidden, outputs, 1, activation=False)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skip else y


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the identity (ResNet)."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = ConvBatchNorm(channels, channels, 3)
        self.conv2 = ConvBatchNorm(channels, channels, 3, activation=False)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.conv2(self.conv1(x)))


class FashionMnistResNet(nn.Module):
    """float32 [N, 1, 28, 28], pixels / 255, to logits [N, 10]. The first batch norm makes any normalisation needless."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBatchNorm(1, 16, 3)
        self.stage1 = nn.Sequential(InvertedResidual(16, 32, stride=2), InvertedResidual(32, 32))  # 14 x 14
        self.stage2 = nn.Sequential(InvertedResidual(32, 64, stride=2), InvertedResidual(64, 64))  # 7 x 7
        self.stage3 = nn.Sequential(InvertedResidual(64, 128, stride=2), BasicBlock(128), InvertedResidual(128, 128))  # 4 x 4
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(128, 10)

    def forward(self, x):
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        return self.classifier(self.dropout(self.pool(x).flatten(1)))


def read_idx(path):
    """An IDX file of bytes: two zero bytes, type 8, rank, then each size as a big-endian uint32."""
    raw = gzip.decompress(path.read_bytes())
    assert raw[:3] == b"\0\0\x08", f"{path}: not an IDX file of bytes"
    shape = numpy.frombuffer(raw, ">u4", raw[3], 4)
    return torch.from_numpy(numpy.frombuffer(raw, numpy.uint8, -1, 4 + 4 * raw[3]).reshape(shape.tolist()).copy())


def load(folder, prefix):
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz").float().div_(255).unsqueeze_(1)
    return images, read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz").long()


def augment(images, generator):
    """Mirrors half of the images and shifts the whole batch by up to two pixels."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    top, left = torch.randint(0, 5, (2,), generator=generator).tolist()
    return nn.functional.pad(images, (2, 2, 2, 2))[:, :, top : top + 28, left : left + 28]


@torch.inference_mode()
def accuracy(model, images, labels):
    model.eval()
    hits = sum((model(x).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500)))
    return hits / len(labels)


def train(model, images, labels, epochs, batch_size, peak_rate, generator):
    # Weight decay on weights only; cosine schedule after one epoch of warm-up.
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=peak_rate, momentum=0.9, nesterov=True)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    steps_per_epoch = len(images) // batch_size
    warm_up, total = steps_per_epoch, epochs * steps_per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: s / warm_up if s < warm_up else 0.5 * (1 + math.cos(math.pi * (s - warm_up) / (total - warm_up))))
    for epoch in range(epochs):
        model.train()
        start, running = time.monotonic(), 0.0
        for chosen in torch.randperm(len(images), generator=generator)[: steps_per_epoch * batch_size].split(batch_size):
            loss = loss_function(model(augment(images[chosen], generator)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            running += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: loss {running / steps_per_epoch:.4f}, {time.monotonic() - start:.0f} s", flush=True)


def export(model, path):
    """Dynamic batch 1 to 1024. Source locations are dropped: they name files of the machine that trained."""
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(model.eval(), (torch.zeros(2, 1, 28, 28),), dynamic_shapes=({0: batch},))
    for node in program.graph_module.graph.nodes:
        node.meta.pop("stack_trace", None)
        node.meta.pop("from_node", None)
    torch.export.save(program, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "demo" / "fashion_mnist_resnet.pt2")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--peak-rate", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    model = FashionMnistResNet()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    train(model, *load(args.data, "train"), args.epochs, args.batch_size, args.peak_rate, generator)
    print(f"top-1 on the 10,000 test images: {accuracy(model, *load(args.data, 't10k')):.4f}")
    export(model, args.output)
    print(f"{args.output}: {args.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
