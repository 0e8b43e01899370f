#!/usr/bin/env python3
"""errors_test.py TORQUANT MODEL CATALOGUE: docs/errors.md says what the program says.

Runs every provocation (programs.py, data.py, calls.py, models.py) and compares in both directions: what it prints is a message of
the catalogue, and each message of the catalogue is printed by one. To add a message, add it to both.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import calls
import data
import models
import programs
from bench import Bench

# By name: a function that takes a Bench and gives the arguments of a call that ends with an error.
PROVOCATIONS = programs.ALL | data.ALL | calls.ALL | models.ALL

PROGRAM, MODEL, CATALOGUE = sys.argv[1:]


def catalogue():
    """The messages of the catalogue, and the pattern of each: <…> stands for anything but nothing."""
    messages = re.findall(r"^```error\n(.*?)\n```$", pathlib.Path(CATALOGUE).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return {message: re.compile(re.sub(r"<[^<>\n]+>", ".+", re.escape(message).replace(r"\<", "<").replace(r"\>", ">"))) for message in messages}


def run(call):
    done = subprocess.run(call, capture_output=True, text=True, timeout=300, check=False)
    return done.stderr.rstrip("\n"), done.returncode


def main():
    messages = catalogue()
    problems, provoked = [], set()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        commands = {}
        for name, provoke in PROVOCATIONS.items():
            bench = Bench(pathlib.Path(folder) / name, MODEL, PROGRAM)
            args = provoke(bench)
            commands[name] = [*bench.before, PROGRAM, *args]
        results = dict(zip(commands, pool.map(run, commands.values())))
        left = {name: [output for output in ("out.pt2", "out.tqm", "y.safetensors") if (pathlib.Path(folder) / name / output).is_file()] for name in results}
    for name, (text, code) in results.items():
        fitting = {message for message, pattern in messages.items() if pattern.fullmatch(text)}
        provoked |= fitting
        if code not in (1, 2):
            problems.append(f"{name} ends with code {code}, which is no error")
        if left[name]:
            problems.append(f"{name} leaves an output: {left[name]}")
        if len(fitting) != 1:
            problems.append(f"{name} gives a message that fits {len(fitting)} of the catalogue:\n{text}")
    problems += [f"no provocation gives this message of the catalogue:\n{message}" for message in messages if message not in provoked]
    print(*problems, sep="\n\n")
    print(f"{len(messages)} messages, {len(PROVOCATIONS)} provocations, {len(problems)} problems")
    return 1 if problems or not messages else 0


if __name__ == "__main__":
    sys.exit(main())
