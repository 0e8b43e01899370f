"""Provocations by files, archives and the programs in them."""
import pathlib
import zipfile

import torch


def full_disk(bench):
    """A limit of one block for files, which ends the write as a full disk does."""
    bench.before += ["bash", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "bash"]
    return bench.quantize()


def partial_files_of_others(bench):
    for i in range(100):
        (bench.folder / f"out.pt2.torquant-partial{i or ''}").mkdir()
    return bench.quantize()


def flipped_bit(bench):
    weight = next(data for name, data in bench.records().items() if name.endswith("weights/weight_0"))
    whole = bytearray(bench.model.read_bytes())
    whole[whole.find(weight)] ^= 1
    return bench.inspect(bench.write("model.pt2", bytes(whole)))


def two_members_of_one_name(bench):
    path = bench.archive({"model/a": b"1", "model/b": b"2"})
    return bench.inspect(bench.write(path, pathlib.Path(path).read_bytes().replace(b"model/b", b"model/a")))


def member_packed_otherwise(bench):
    with zipfile.ZipFile(bench.path("model.pt2"), "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("model/a", "1")
    return bench.inspect(bench.path("model.pt2"))


def state_dict(bench):
    torch.save({"weight": torch.ones(2)}, bench.path("model.pt"))
    return bench.inspect(bench.path("model.pt"))


def several_programs(bench):
    records = bench.records()
    return bench.inspect(bench.archive(records | {key.replace("models/model", "models/other"): data for key, data in records.items() if key.endswith("models/model.json")}))


def wrong_shape(bench):
    def edit(graph):
        name = graph["nodes"][0]["outputs"][0]["as_tensor"]["name"]
        graph["tensor_values"][name]["sizes"][-1] = {"as_int": 9}
    return bench.inspect(bench.changed_graph(edit))


FILES = {
    "no_such_file": lambda b: b.inspect("nowhere.pt2"),
    "a_folder_as_program": lambda b: b.inspect(b.path("")),
    "output_in_no_folder": lambda b: b.quantize(output=b.path("none/out.pt2")),
    "output_is_a_folder": lambda b: b.quantize(output=str(b.folder)),
    "output_is_a_device": lambda b: b.quantize(output="/dev/null"),
    "full_disk": full_disk,
    "partial_files_of_others": partial_files_of_others,
}

ARCHIVES = {
    "text_as_program": lambda b: b.inspect(b.write("model.pt2", "not an archive, but a long enough text to be one")),
    "empty_file": lambda b: b.inspect(b.write("model.pt2", "")),
    "half_a_download": lambda b: b.inspect(b.write("model.pt2", b.model.read_bytes()[:9000])),
    "flipped_bit": flipped_bit,
    "two_members_of_one_name": two_members_of_one_name,
    "member_that_leads_out": lambda b: b.inspect(b.archive({"../../etc/passwd": b""})),
    "member_packed_otherwise": member_packed_otherwise,
    "torchscript": lambda b: b.inspect(b.of_members("data.pkl", "constants.pkl", "code/__torch__.py")),
    "state_dict": state_dict,
    "old_container": lambda b: b.inspect(b.of_members("serialized_exported_program.json", "serialized_state_dict.pt")),
    "some_zip": lambda b: b.inspect(b.archive({"readme.txt": b"hello"})),
    "aotinductor_package": lambda b: b.inspect(b.of_members("archive_format", "archive_version", "data/aotinductor/model/model.so")),
    "newer_schema": lambda b: b.inspect(b.changed("models/model.json", lambda model: model.update(schema_version={"major": 9, "minor": 1}, torch_version="3.0.0"))),
    "several_programs": several_programs,
    "record_missing": lambda b: b.inspect(b.replaced("weights_config.json", None)),
    "weight_missing": lambda b: b.inspect(b.replaced("weights/weight_0", None)),
    "damaged_json": lambda b: b.inspect(b.replaced("models/model.json", b"{")),
    "deep_json": lambda b: b.inspect(b.replaced("models/model.json", b"[" * 5000)),
    "pickled_weight": lambda b: b.inspect(b.changed_weight(lambda entry: entry.update(use_pickle=True))),
    "view_beyond_the_storage": lambda b: b.inspect(b.changed_weight(lambda entry: entry["tensor_meta"].update(storage_offset={"as_int": 1}))),
    "absurd_size": lambda b: b.inspect(b.changed_weight(lambda entry: entry["tensor_meta"].update(sizes=[{"as_int": 2**40}] * 2, strides=[{"as_int": 0}] * 2))),
}

PROGRAMS = {
    "unknown_operator": lambda b: b.plan("xnnpack-static", model=b.changed_node(lambda node: node.update(target="torch.ops.mylib.fancy.default"))),
    "read_before_defined": lambda b: b.inspect(b.changed_graph(lambda graph: graph["nodes"].reverse())),
    "wrong_shape": wrong_shape,
    "argument_missing": lambda b: b.inspect(b.changed_node(lambda node: node.update(inputs=node["inputs"][:1]))),
    "argument_unknown": lambda b: b.inspect(b.changed_node(lambda node: node["inputs"][1].update(name="weigth"))),
    "argument_of_another_kind": lambda b: b.inspect(b.changed_node(lambda node: node["inputs"][1].update(arg={"as_string": "w"}))),
    "unknown_dtype": lambda b: b.inspect(b.changed_weight(lambda entry: entry["tensor_meta"].update(dtype=99))),
}

ALL = FILES | ARCHIVES | PROGRAMS
