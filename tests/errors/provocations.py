"""One function for each message of docs/errors.md: it gives the arguments of a `torquant` call that ends with it.

Each gets a Bench: a folder of its own, a good model, good data, and tools to damage them.
"""
import json
import pathlib
import struct
import subprocess
import zipfile

import numpy as np
import torch
from safetensors.numpy import save_file

ALL = []


def provocation(function):
    ALL.append(function)
    return function


class Bench:
    def __init__(self, folder, model, program):
        self.folder, self.model, self.program = pathlib.Path(folder), pathlib.Path(model), program
        self.folder.mkdir()
        self.before = []  # what the command line begins with

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, data):
        (self.folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    # ---- archives

    def records(self):
        with zipfile.ZipFile(self.model) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def archive(self, records, name="model.pt2"):
        with zipfile.ZipFile(self.path(name), "w") as archive:
            for key, data in records.items():
                archive.writestr(zipfile.ZipInfo(key), data)
        return self.path(name)

    def of_members(self, *names):
        return self.archive({f"model/{name}": b"pt2" if name == "archive_format" else b"0" for name in names})

    def changed(self, part, edit):
        """The model with the JSON record that ends with `part` changed by edit(json)."""
        records = self.records()
        name = next(key for key in records if key.endswith(part))
        value = json.loads(records[name])
        edit(value)
        records[name] = json.dumps(value)
        return self.archive(records)

    def changed_graph(self, edit):
        return self.changed("models/model.json", lambda model: edit(model["graph_module"]["graph"]))

    def changed_weight(self, edit):
        """The first weight's entry, changed by edit(entry)."""
        return self.changed("weights_config.json", lambda config: edit(next(iter(config["config"].values()))))

    # ---- calls

    def inspect(self, program):
        return ["inspect", program]

    def plan(self, recipe):
        return ["plan", str(self.model), "--recipe", recipe]

    def plan_text(self, text):
        return self.plan(self.write("recipe.json", text))

    def quantize(self, data=None, output=None, model=None, recipe="xnnpack-static"):
        return ["quantize", model or str(self.model), "--recipe", recipe, "--data", data or self.good_data(), "-o", output or self.path("out.pt2")]

    def evaluate(self, data):
        return ["eval", str(self.model), "--data", data]

    def run(self, **tensors):
        save_file(tensors, self.path("in.safetensors"))
        return self.run_file(self.path("in.safetensors"))

    def run_file(self, path):
        return ["run", str(self.model), "--input", path, "--output", self.path("y.safetensors")]

    # ---- data

    def images(self, count=2, rows=6):
        return np.ones((count, rows, 8), np.float32)

    def npz(self, **arrays):
        np.savez(self.path("data.npz"), **arrays)
        return self.path("data.npz")

    def npy(self, array):
        np.save(self.path("data.npy"), array)
        return self.path("data.npy")

    def good_data(self):
        return self.npz(x0=self.images())

    def safetensors(self, **tensors):
        save_file(tensors, self.path("data.safetensors"))
        return self.path("data.safetensors")

    def idx(self, header, values, name="images-idx3-ubyte"):
        return self.write(name, header + values)


def header(*sizes, kind=8):
    return struct.pack(f">HBB{len(sizes)}I", 0, kind, len(sizes), *sizes)


# ---- files


@provocation
def no_such_file(bench):
    return bench.inspect("nowhere.pt2")


@provocation
def a_folder_as_program(bench):
    return bench.inspect(bench.path(""))


@provocation
def output_in_no_folder(bench):
    return bench.quantize(output=bench.path("none/out.pt2"))


@provocation
def output_is_a_folder(bench):
    return bench.quantize(output=str(bench.folder))


@provocation
def output_is_a_device(bench):
    return bench.quantize(output="/dev/null")


@provocation
def full_disk(bench):
    """A limit of one block for files, which ends the write as a full disk does."""
    bench.before += ["bash", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "bash"]
    return bench.quantize()


@provocation
def partial_files_of_others(bench):
    for i in range(100):
        (bench.folder / f"out.pt2.torquant-partial{i or ''}").mkdir()
    return bench.quantize()


# ---- archives


@provocation
def text_as_program(bench):
    return bench.inspect(bench.write("model.pt2", "not an archive, but a long enough text to be one"))


@provocation
def empty_file(bench):
    return bench.inspect(bench.write("model.pt2", ""))


@provocation
def half_a_download(bench):
    return bench.inspect(bench.write("model.pt2", bench.model.read_bytes()[:9000]))


@provocation
def flipped_bit(bench):
    with zipfile.ZipFile(bench.model) as archive:
        weight = next(info for info in archive.infolist() if "weights/weight_0" in info.filename)
        with archive.open(weight.filename) as member:
            data = member.read()
    whole = bytearray(bench.model.read_bytes())
    whole[whole.find(data)] ^= 1
    return bench.inspect(bench.write("model.pt2", bytes(whole)))


@provocation
def two_members_of_one_name(bench):
    with zipfile.ZipFile(bench.path("model.pt2"), "w") as archive:
        archive.writestr("model/a", "1")
        archive.writestr("model/b", "2")
    return bench.inspect(bench.write("model.pt2", pathlib.Path(bench.path("model.pt2")).read_bytes().replace(b"model/b", b"model/a")))


@provocation
def member_that_leads_out(bench):
    return bench.inspect(bench.archive({"../../etc/passwd": b""}))


@provocation
def member_packed_otherwise(bench):
    with zipfile.ZipFile(bench.path("model.pt2"), "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("model/a", "1")
    return bench.inspect(bench.path("model.pt2"))


@provocation
def torchscript(bench):
    return bench.inspect(bench.of_members("data.pkl", "constants.pkl", "code/__torch__.py"))


@provocation
def state_dict(bench):
    torch.save({"weight": torch.ones(2)}, bench.path("model.pt"))
    return bench.inspect(bench.path("model.pt"))


@provocation
def old_container(bench):
    return bench.inspect(bench.of_members("serialized_exported_program.json", "serialized_state_dict.pt"))


@provocation
def some_zip(bench):
    return bench.inspect(bench.archive({"readme.txt": b"hello"}))


@provocation
def aotinductor_package(bench):
    return bench.inspect(bench.of_members("archive_format", "archive_version", "data/aotinductor/model/model.so"))


@provocation
def newer_schema(bench):
    return bench.inspect(bench.changed("models/model.json", lambda model: model.update(schema_version={"major": 9, "minor": 1}, torch_version="3.0.0")))


@provocation
def several_programs(bench):
    records = bench.records()
    return bench.inspect(bench.archive(records | {key.replace("models/model", "models/other"): data for key, data in records.items() if key.endswith("models/model.json")}))


@provocation
def record_missing(bench):
    return bench.inspect(bench.archive({key: data for key, data in bench.records().items() if not key.endswith("weights_config.json")}))


@provocation
def weight_missing(bench):
    return bench.inspect(bench.archive({key: data for key, data in bench.records().items() if not key.endswith("weights/weight_0")}))


@provocation
def damaged_json(bench):
    return bench.inspect(bench.archive({key: b"{" if key.endswith("models/model.json") else data for key, data in bench.records().items()}))


@provocation
def deep_json(bench):
    return bench.inspect(bench.archive({key: b"[" * 5000 if key.endswith("models/model.json") else data for key, data in bench.records().items()}))


@provocation
def pickled_weight(bench):
    return bench.inspect(bench.changed_weight(lambda entry: entry.update(use_pickle=True)))


@provocation
def view_beyond_the_storage(bench):
    return bench.inspect(bench.changed_weight(lambda entry: entry["tensor_meta"].update(storage_offset={"as_int": 1})))


@provocation
def absurd_size(bench):
    return bench.inspect(bench.changed_weight(lambda entry: entry["tensor_meta"].update(sizes=[{"as_int": 2**40}] * 2, strides=[{"as_int": 0}] * 2)))


# ---- programs


@provocation
def unknown_operator(bench):
    return bench.plan("xnnpack-static")[:1] + [bench.changed_graph(lambda graph: graph["nodes"][0].update(target="torch.ops.mylib.fancy.default")), "--recipe", "xnnpack-static"]


@provocation
def read_before_defined(bench):
    return bench.inspect(bench.changed_graph(lambda graph: graph["nodes"].reverse()))


@provocation
def wrong_shape(bench):
    def edit(graph):
        name = graph["nodes"][0]["outputs"][0]["as_tensor"]["name"]
        graph["tensor_values"][name]["sizes"][-1] = {"as_int": 9}
    return bench.inspect(bench.changed_graph(edit))


@provocation
def argument_missing(bench):
    return bench.inspect(bench.changed_graph(lambda graph: graph["nodes"][0].update(inputs=graph["nodes"][0]["inputs"][:1])))


@provocation
def argument_unknown(bench):
    return bench.inspect(bench.changed_graph(lambda graph: graph["nodes"][0]["inputs"][1].update(name="weigth")))


@provocation
def argument_of_another_kind(bench):
    return bench.inspect(bench.changed_graph(lambda graph: graph["nodes"][0]["inputs"][1].update(arg={"as_string": "w"})))


@provocation
def unknown_dtype(bench):
    return bench.inspect(bench.changed_weight(lambda entry: entry["tensor_meta"].update(dtype=99)))


# ---- inputs of `run`


@provocation
def input_missing(bench):
    return bench.run(z=bench.images())


@provocation
def too_many_inputs(bench):
    return bench.run(x0=bench.images(), x1=bench.images())


@provocation
def input_of_another_dtype(bench):
    return bench.run(x0=bench.images().astype(np.float64))


@provocation
def input_of_another_size(bench):
    return bench.run(x0=bench.images(rows=7))


@provocation
def input_of_another_rank(bench):
    return bench.run(x0=np.ones(8, np.float32))


@provocation
def input_file_too_short(bench):
    return bench.run_file(bench.write("in.safetensors", "abc"))


@provocation
def input_file_truncated(bench):
    bench.run(x0=bench.images())
    return bench.run_file(bench.write("in.safetensors", pathlib.Path(bench.path("in.safetensors")).read_bytes()[:-4]))


@provocation
def input_file_is_no_safetensors(bench):
    return bench.run_file(bench.write("in.safetensors", "a text instead of tensors"))


# ---- recipes


@provocation
def unknown_recipe(bench):
    return bench.plan("int7-magic")


@provocation
def recipe_is_no_json(bench):
    return bench.plan_text('{"scheme": "xnnpack-static",}')


@provocation
def unknown_scheme(bench):
    return bench.plan_text('{"scheme": "int7"}')


@provocation
def unknown_entry(bench):
    return bench.plan_text('{"shceme": "xnnpack-static"}')


@provocation
def rule_without_select(bench):
    return bench.plan_text('{"rules": [{"scheme": "xnnpack-static"}]}')


@provocation
def empty_select(bench):
    return bench.plan_text('{"rules": [{"select": {}, "scheme": "xnnpack-static"}]}')


@provocation
def number_as_pattern(bench):
    return bench.plan_text('{"rules": [{"select": {"module": 3}, "scheme": "xnnpack-static"}]}')


@provocation
def malformed_pattern(bench):
    return bench.plan_text('{"rules": [{"select": {"module": "re:fc(1"}, "scheme": "xnnpack-static"}]}')


@provocation
def rule_that_selects_nothing(bench):
    return bench.plan_text('{"scheme": "xnnpack-static", "rules": [{"select": {"module": "fc9"}, "scheme": "float"}]}')


@provocation
def everything_in_float(bench):
    return bench.plan_text("{}")


# ---- data


@provocation
def no_data(bench):
    return bench.quantize(data=bench.path("none"))


@provocation
def data_of_unknown_kind(bench):
    return bench.quantize(data=bench.write("data.csv", "1,2,3"))


@provocation
def folder_without_data(bench):
    return bench.quantize(data=str(bench.folder))


@provocation
def folder_with_two(bench):
    for name in ("a.npy", "b.npy"):
        np.save(bench.path(name), bench.images())
    return bench.quantize(data=str(bench.folder))


@provocation
def samples_that_do_not_fit(bench):
    return bench.quantize(data=bench.npz(x0=bench.images(rows=7)))


@provocation
def too_few_samples(bench):
    return bench.quantize(data=bench.npz(x0=bench.images(count=1)))


@provocation
def npy_of_another_dtype(bench):
    return bench.quantize(data=bench.npy(bench.images().astype(">f4")))


@provocation
def npy_truncated(bench):
    bench.npy(bench.images())
    return bench.quantize(data=bench.write("data.npy", pathlib.Path(bench.path("data.npy")).read_bytes()[:-4]))


@provocation
def npy_that_is_none(bench):
    return bench.quantize(data=bench.write("data.npy", "1 2 3 4 5 6"))


@provocation
def npz_of_other_names(bench):
    return bench.quantize(data=bench.npz(images=bench.images()))


@provocation
def npz_of_uneven_rows(bench):
    return bench.quantize(data=bench.npz(x0=bench.images(), x1=bench.images(count=3)))


@provocation
def npz_without_samples(bench):
    return bench.quantize(data=bench.npz(x0=bench.images(count=0)))


@provocation
def safetensors_of_other_names(bench):
    return bench.quantize(data=bench.safetensors(images=bench.images()))


@provocation
def safetensors_with_a_gap(bench):
    return bench.quantize(data=bench.safetensors(**{"0.x0": bench.images(), "1.x1": bench.images()}))


@provocation
def idx_that_is_none(bench):
    return bench.quantize(data=bench.write("images-idx3-ubyte", "a text instead of pixels"))


@provocation
def idx_of_floats(bench):
    return bench.quantize(data=bench.idx(header(1, 2, 2, kind=13), bytes(16)))


@provocation
def idx_truncated(bench):
    return bench.quantize(data=bench.idx(header(1, 2, 2), bytes(3)))


@provocation
def idx_bomb(bench):
    return bench.quantize(data=bench.idx(header(2**31, 2, 2), bytes(4)))


@provocation
def no_labels(bench):
    return bench.evaluate(bench.good_data())


@provocation
def label_out_of_range(bench):
    return bench.evaluate(bench.npz(x0=bench.images(), y=np.array([0, 4])))


@provocation
def labels_that_are_no_integers(bench):
    return bench.evaluate(bench.npz(x0=bench.images(), y=np.array([0.5, 1.0])))


@provocation
def negative_label(bench):
    return bench.evaluate(bench.npz(x0=bench.images(), y=np.array([0, -1])))


@provocation
def labels_of_another_count(bench):
    return bench.evaluate(bench.npz(x0=bench.images(), y=np.array([0, 1, 2])))


# ---- images

IMAGES = pathlib.Path(__file__).parent.parent / "data/images"


def quantize_images(bench, *flags, images=("photos/a.png",), channels=3):
    """A program of images of 8 x 8, on a folder with the same image under each of these names."""
    torch.export.save(torch.export.export(torch.nn.Conv2d(channels, 2, 3).eval(), (torch.ones(1, channels, 8, 8),)), bench.path("conv.pt2"))
    for name in images:
        (bench.folder / name).parent.mkdir(exist_ok=True, parents=True)
        bench.write(name, (IMAGES / "rgb16.png").read_bytes())
    return [*bench.quantize(data=bench.path("photos"), model=bench.path("conv.pt2")), *flags]


UNIT = ("--preprocess", "unit")


@provocation
def images_without_a_preset(bench):
    return quantize_images(bench)


@provocation
def images_half_described(bench):
    return quantize_images(bench, "--mean", "0.5")


@provocation
def image_flags_for_arrays(bench):
    args = quantize_images(bench, *UNIT)
    args[args.index("--data") + 1] = bench.good_data()
    return args


@provocation
def images_for_four_channels(bench):
    return quantize_images(bench, *UNIT, channels=4)


class Sum(torch.nn.Module):
    def forward(self, x, y):
        return x + y


@provocation
def images_for_two_inputs(bench):
    args = quantize_images(bench, *UNIT)
    torch.export.save(torch.export.export(Sum(), (torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8))), bench.path("conv.pt2"))
    return args


@provocation
def two_means(bench):
    return quantize_images(bench, "--mean", "0.5,0.4", "--std", "1")


@provocation
def three_means_for_grey(bench):
    return quantize_images(bench, "--preprocess", "imagenet", channels=1)


@provocation
def mean_of_bytes(bench):
    return quantize_images(bench, "--mean", "123.7", "--std", "1")


@provocation
def std_of_bytes(bench):
    return quantize_images(bench, "--mean", "0", "--std", "58.4")


@provocation
def note_among_images(bench):
    args = quantize_images(bench, *UNIT)
    bench.write("photos/notes.txt", "")
    return args


@provocation
def folder_above_the_classes(bench):
    return quantize_images(bench, *UNIT, images=["photos/train/cat/a.png"])


@provocation
def empty_class(bench):
    args = quantize_images(bench, *UNIT, images=["photos/cat/a.png"])
    (bench.folder / "photos/dog").mkdir()
    return args


@provocation
def images_beside_classes(bench):
    return quantize_images(bench, *UNIT, images=["photos/cat/a.png", "photos/b.png"])


@provocation
def arrays_beside_images(bench):
    args = quantize_images(bench, *UNIT)
    np.save(bench.path("photos/x.npy"), bench.images())
    return args


@provocation
def image_of_another_kind(bench):
    args = quantize_images(bench, *UNIT)
    bench.write("photos/a.png", "GIF89a")
    return args


@provocation
def cut_jpeg(bench):
    args = quantize_images(bench, *UNIT)
    bench.write("photos/a.png", (IMAGES / "444.jpg").read_bytes()[:700])
    return args


@provocation
def cut_png(bench):
    args = quantize_images(bench, *UNIT)
    bench.write("photos/a.png", (IMAGES / "rgb16.png").read_bytes()[:700])
    return args


@provocation
def image_bomb(bench):
    args = quantize_images(bench, *UNIT)
    jpeg = bytearray((IMAGES / "444.jpg").read_bytes())
    size = jpeg.index(b"\xff\xc0") + 5  # height, width
    jpeg[size:size + 4] = b"\xff\xdc\xff\xdc"
    bench.write("photos/a.png", bytes(jpeg))
    return args


@provocation
def crop_larger_than_the_image(bench):
    return quantize_images(bench, *UNIT, "--resize", "7")


# ---- quantization


@provocation
def made_up_data(bench):
    return bench.quantize(data="synthetic")


def exported(bench, module, *inputs):
    torch.export.save(torch.export.export(module.eval(), inputs), bench.path("other.pt2"))
    return bench.path("other.pt2")


@provocation
def less_than_asked(bench):
    """XNNPACK has no int8 kernel for the second layer."""
    net = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3), torch.nn.ConvTranspose2d(4, 4, 2, groups=2))
    model = exported(bench, net, torch.randn(1, 4, 8, 8))
    return bench.quantize(model=model, data=bench.npz(x0=np.ones((2, 4, 8, 8), np.float32)))


@provocation
def nothing_to_quantize(bench):
    model = exported(bench, torch.nn.Tanh(), torch.randn(1, 4))
    return bench.quantize(model=model, data=bench.npz(x0=np.ones((2, 4), np.float32)))


@provocation
def quantized_already(bench):
    subprocess.run([bench.program, *bench.quantize(output=bench.path("int8.pt2"))], check=True, capture_output=True)
    return bench.quantize(model=bench.path("int8.pt2"))


@provocation
def not_finite(bench):
    return bench.quantize(data=bench.npz(x0=np.full((2, 6, 8), np.nan, np.float32)))


# ---- usage


@provocation
def no_command(bench):
    return []


@provocation
def unknown_command(bench):
    return ["bake"]


@provocation
def unknown_option(bench):
    return ["inspect", str(bench.model), "--bogus"]


@provocation
def option_missing(bench):
    return ["quantize", str(bench.model), "--recipe", "xnnpack-static", "-o", "x.pt2"]


@provocation
def number_out_of_range(bench):
    return bench.quantize() + ["--samples", "0"]


@provocation
def value_out_of_a_list(bench):
    return bench.run(x0=bench.images()) + ["--lower", "cuda"]


@provocation
def unknown_quantizer(bench):
    return ["capabilities", "cuda"]


@provocation
def crop_that_is_no_size(bench):
    return [*bench.quantize(), "--crop", "large"]


@provocation
def seed_that_is_none(bench):
    return [*bench.quantize(), "--shuffle", "-1"]
