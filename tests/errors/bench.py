"""What provocations are made of: a folder of their own, a good model, good data, and tools to damage them."""
import json
import pathlib
import zipfile

import numpy as np
import torch
from safetensors.numpy import save_file

IMAGES = pathlib.Path(__file__).parent.parent / "data/images"


class Bench:
    def __init__(self, folder, model, program):
        self.folder, self.model, self.program = pathlib.Path(folder), pathlib.Path(model), program
        self.folder.mkdir()
        self.before = []  # what the command line begins with

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    def all_but(self, path, count):
        """That file without its last bytes."""
        return self.write(path, pathlib.Path(path).read_bytes()[:-count])

    # ---- programs

    def records(self):
        with zipfile.ZipFile(self.model) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def archive(self, records):
        with zipfile.ZipFile(self.path("model.pt2"), "w") as archive:
            for key, data in records.items():
                archive.writestr(zipfile.ZipInfo(key), data)
        return self.path("model.pt2")

    def of_members(self, *names):
        return self.archive({f"model/{name}": b"pt2" if name == "archive_format" else b"0" for name in names})

    def replaced(self, end, data):
        """The model with the record whose name ends so replaced, or left out where data is None."""
        records = {key: data if key.endswith(end) else old for key, old in self.records().items()}
        return self.archive({key: value for key, value in records.items() if value is not None})

    def changed(self, end, edit):
        """The model with the JSON of that record changed by edit(json)."""
        value = json.loads(next(data for key, data in self.records().items() if key.endswith(end)))
        edit(value)
        return self.replaced(end, json.dumps(value).encode())

    def changed_graph(self, edit):
        return self.changed("models/model.json", lambda model: edit(model["graph_module"]["graph"]))

    def changed_node(self, edit):
        """The first one, changed by edit(node)."""
        return self.changed_graph(lambda graph: edit(graph["nodes"][0]))

    def changed_weight(self, edit):
        """The first weight's entry, changed by edit(entry)."""
        return self.changed("weights_config.json", lambda config: edit(next(iter(config["config"].values()))))

    def exported(self, module, *inputs):
        torch.export.save(torch.export.export(module.eval(), inputs), self.path("other.pt2"))
        return self.path("other.pt2")

    # ---- data

    def rows(self, count=2, rows=6):
        return np.ones((count, rows, 8), np.float32)

    def npz(self, **arrays):
        np.savez(self.path("data.npz"), **arrays)
        return self.path("data.npz")

    def npy(self, array, name="data.npy"):
        np.save(self.path(name), array)
        return self.path(name)

    def safetensors(self, **tensors):
        save_file(tensors, self.path("data.safetensors"))
        return self.path("data.safetensors")

    def good_data(self):
        return self.npz(x0=self.rows())

    # ---- calls

    def inspect(self, program):
        return ["inspect", program]

    def plan(self, recipe, model=None):
        return ["plan", model or str(self.model), "--recipe", recipe]

    def quantize(self, *flags, data=None, output=None, model=None, recipe="xnnpack-static"):
        source = ["--data", data or self.good_data()] if "--observers" not in flags else []
        target = ["-o", output or self.path("out.pt2")]
        return ["quantize", model or str(self.model), "--recipe", recipe, *source, *target, *flags]

    def evaluate(self, **arrays):
        return ["eval", str(self.model), "--data", self.npz(**arrays)]

    def run_file(self, path):
        return ["run", str(self.model), "--input", path, "--output", self.path("y.safetensors")]

    def run(self, **tensors):
        return self.run_file(self.safetensors(**tensors))
