#!/usr/bin/env python3
"""Checks that the sources keep the layer table of CMakeLists.txt: check_layers.py BUILD/layers.json [ROOT]

For each file of ROOT/torquant/LAYER (tests and benchmarks may include anything):
  - an include of another layer is one that the layer names or reaches through those it names;
  - a third-party include belongs to a library that the layer links in the same way;
  - no header includes torch/torch.h, torch/extension.h or ATen/ATen.h, which cost seconds a file;
  - x.h has an x_test.cpp beside it, or a line in headers_without_tests.txt (`path: reason`).
"""
import json
import pathlib
import re
import sys

# First folder of an include to the target that brings it.
THIRD_PARTY = {
    "ATen": "LibTorch::LibTorch",
    "c10": "LibTorch::LibTorch",
    "caffe2": "LibTorch::LibTorch",
    "torch": "LibTorch::LibTorch",
    "flatbuffers": "FlatBuffers",
    "fmt": "fmt::fmt",
    "nlohmann": "nlohmann_json::nlohmann_json",
    "spdlog": "spdlog::spdlog",
    "CLI": "CLI11::CLI11",
    "zlib.h": "ZLIB::ZLIB",
    "jerror.h": "JPEG::JPEG",
    "jpeglib.h": "JPEG::JPEG",
    "png.h": "PNG::PNG",
}
# The C and C++ standard libraries, POSIX and compiler intrinsics have no folder of their own.
SYSTEM = re.compile(r"[a-z0-9_]+(\.h)?|(asm|sys)/[a-z0-9_]+\.h")
HEAVY = {"torch/torch.h", "torch/extension.h", "ATen/ATen.h"}
EVERYTHING = {"cli"}  # may include all layers and libraries: it stands on top

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def reachable(table, layer):
    """The layers that `layer` may include, itself too, and the libraries they link."""
    layers, libraries, todo = set(), set(), [layer]
    while todo:
        name = todo.pop()
        if name in layers:
            continue
        if name not in table:
            raise SystemExit(f"CMakeLists.txt: layer {layer} depends on {name}, which is no layer (there are: {', '.join(table)})")
        layers.add(name)
        libraries.update(library.removesuffix("-header-only") for library in table[name]["libs"])  # of the same headers
        todo += table[name]["layers"]
    return layers, libraries


def include_problem(table, layer, header, included):
    """Why a file of `layer` may not include `included`, or None."""
    if header and included in HEAVY:
        return "is slow to compile: a header includes what it needs of it"
    layers, libraries = (set(table) | EVERYTHING, set(THIRD_PARTY.values())) if layer in EVERYTHING else reachable(table, layer)
    first, *rest = included.split("/")
    if first == "torquant":
        other = rest[0] if len(rest) > 1 else "cli"  # torquant/torquant.h includes all layers
        return None if other in layers else f"is of a layer that {layer} may not use (it may use: {', '.join(sorted(layers))})"
    library = THIRD_PARTY.get(first)
    if library is not None:
        return None if library in libraries else f"needs {library}, which {layer} does not link (it links: {', '.join(sorted(libraries)) or 'nothing'})"
    return None if SYSTEM.fullmatch(included) else "is of a library that THIRD_PARTY in check_layers.py does not list"


def check(table, root):
    problems = []
    folders = sorted(path for path in (root / "torquant").iterdir() if path.is_dir())
    for folder in folders:
        if folder.name not in table and folder.name not in EVERYTHING:
            problems.append(f"torquant/{folder.name}: no torquant_layer({folder.name} ...) in CMakeLists.txt")
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix not in {".h", ".cpp", ".inc"} or path.stem.endswith(("_test", "_bench")):
                continue
            for included in INCLUDE.findall(path.read_text(encoding="utf-8")):
                problem = include_problem(table, folder.name, path.suffix == ".h", included)
                if problem:
                    problems.append(f"{path.relative_to(root)}: {included} {problem}")

    excuses_file = root / "tests/layering/headers_without_tests.txt"
    excuses = {}
    for line in excuses_file.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, reason = line.partition(":")
        excuses[name] = reason.strip()
        if not reason.strip():
            problems.append(f"{excuses_file.name}: {name} has no reason")
    for header in sorted((root / "torquant").rglob("*.h")):
        name, tested = str(header.relative_to(root)), header.with_name(header.stem + "_test.cpp").exists()
        if not tested and name not in excuses:
            problems.append(f"{name}: no {header.stem}_test.cpp beside it, and no line in {excuses_file.name}")
        if tested and name in excuses:
            problems.append(f"{excuses_file.name}: {name} has a test now")
    problems += [f"{excuses_file.name}: {name} does not exist" for name in excuses if not (root / name).exists()]
    return problems


def main():
    table = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    root = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parents[2]
    problems = check(table, root)
    print(*problems, sep="\n")
    print(f"{len(table)} layers, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
