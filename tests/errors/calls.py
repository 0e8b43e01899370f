"""Provocations by what is asked for: recipes, quantization, usage; and by files of what observers saw."""
import json
import subprocess

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file


def recipe(text):
    return lambda bench: bench.plan(bench.write("recipe.json", text))


def rule(select):
    return recipe(f'{{"scheme": "xnnpack-static", "rules": [{{"select": {select}, "scheme": "float"}}]}}')


RECIPES = {
    "unknown_recipe": lambda b: b.plan("int7-magic"),
    "recipe_is_no_json": recipe('{"scheme": "xnnpack-static",}'),
    "unknown_scheme": recipe('{"scheme": "int7"}'),
    "unknown_entry": recipe('{"shceme": "xnnpack-static"}'),
    "rule_without_select": recipe('{"rules": [{"scheme": "xnnpack-static"}]}'),
    "empty_select": rule("{}"),
    "number_as_pattern": rule('{"module": 3}'),
    "malformed_pattern": rule('{"module": "re:fc(1"}'),
    "long_number_in_a_pattern": rule(r'{"module": "re:fc\\1234567890"}'),
    "rule_that_selects_nothing": rule('{"module": "fc9"}'),
    "everything_in_float": recipe("{}"),
}


def finished(bench, *args):
    subprocess.run([bench.program, *args], check=True, capture_output=True)


def less_than_asked(bench):
    """XNNPACK has no int8 kernel for the second layer."""
    net = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3), torch.nn.ConvTranspose2d(4, 4, 2, groups=2))
    model = bench.exported(net, torch.randn(1, 4, 8, 8))
    return bench.quantize(model=model, data=bench.npz(x0=np.ones((2, 4, 8, 8), np.float32)))


def nothing_to_quantize(bench):
    model = bench.exported(torch.nn.Tanh(), torch.randn(1, 4))
    return bench.quantize(model=model, data=bench.npz(x0=np.ones((2, 4), np.float32)))


def quantized_already(bench):
    finished(bench, *bench.quantize(output=bench.path("int8.pt2")))
    return bench.quantize(model=bench.path("int8.pt2"))


def without_data(bench, *flags, recipe):
    return ["quantize", str(bench.model), "--recipe", recipe, "-o", bench.path("out.pt2"), *flags]


QUANTIZATION = {
    "data_missing": lambda b: without_data(b, recipe="xnnpack-static"),
    "data_for_run_time_scales": lambda b: b.quantize(recipe="int8-dynamic"),
    "resume_for_run_time_scales": lambda b: without_data(b, "--resume", b.path("seen.calibration"), recipe="int8-dynamic"),
    "made_up_data": lambda b: b.quantize(data="synthetic"),
    "less_than_asked": less_than_asked,
    "nothing_to_quantize": nothing_to_quantize,
    "quantized_already": quantized_already,
}

def observers(bench, edit):
    """What observers saw of good data, changed by edit(settings, tensors)."""
    path = bench.path("seen.observers")
    model, data = str(bench.model), bench.good_data()
    finished(bench, "quantize", model, "--recipe", "xnnpack-static", "--data", data, "--save-observers", path)
    with safe_open(path, "numpy") as file:
        settings = json.loads(file.metadata()["torquant_observers"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    edit(settings, tensors)
    save_file(tensors, path, {"torquant_observers": json.dumps(settings)})
    return path


def settings(**changes):
    return lambda bench: bench.quantize("--observers", observers(bench, lambda settings, _: settings.update(changes)))


def range_that_no_data_gives(bench):
    def edit(_, tensors):
        tensors[next(name for name in tensors if name.endswith("min_val"))] = np.array(np.nan, np.float32)
    return bench.quantize("--observers", observers(bench, edit))


def an_observer_missing(bench):
    def edit(settings, tensors):
        gone = settings["observers"].pop()["name"] + "."
        for name in [name for name in tensors if name.startswith(gone)]:
            del tensors[name]
    return bench.quantize("--observers", observers(bench, edit))


def finished_calibration(bench):
    return bench.quantize("--resume", observers(bench, lambda *_: None))


INTERRUPTED = {"position": [], "samples": 4, "samples_per_batch": 1, "data": ""}

OBSERVERS = {
    "no_statistics": lambda b: b.quantize("--observers", b.safetensors(x=b.rows())),
    "other_weights": settings(weights=""),
    "another_program": settings(graph=""),
    "damaged_settings": settings(observers=1),
    "newer_settings": settings(version=2),
    "an_observer_missing": an_observer_missing,
    "range_that_no_data_gives": range_that_no_data_gives,
    "interrupted_calibration": settings(unfinished=INTERRUPTED),
    "finished_calibration": finished_calibration,
}

USAGE = {
    "no_command": lambda b: [],
    "unknown_command": lambda b: ["bake"],
    "unknown_option": lambda b: [*b.inspect(str(b.model)), "--bogus"],
    "option_missing": lambda b: ["quantize", str(b.model), "--data", b.good_data(), "-o", "x.pt2"],
    "number_out_of_range": lambda b: b.quantize("--samples", "0"),
    "value_out_of_a_list": lambda b: [*b.run(x0=b.rows()), "--lower", "cuda"],
    "unknown_quantizer": lambda b: ["capabilities", "cuda"],
    "crop_that_is_no_size": lambda b: b.quantize("--crop", "large"),
    "seed_that_is_none": lambda b: b.quantize("--shuffle", "-1"),
}

ALL = RECIPES | QUANTIZATION | OBSERVERS | USAGE
