"""Files that are compiled for one instruction set define no weak symbol: weak_symbols_test.py BUILD/compile_commands.json NM

The linker keeps one of several weak definitions of a symbol, as inline functions and templates have them. Were it the one compiled
for AVX-512, other code that calls it would end with an illegal instruction on CPUs without. Optimisation hides such definitions, so
each file is compiled here without it.
"""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

COMMANDS, NM = pathlib.Path(sys.argv[1]), sys.argv[2]
SUFFIXES = ("_avx2.cpp", "_avx512vnni.cpp", "_neondot.cpp")


def without_optimisation(command, output):
    words = [word for word in shlex.split(command) if not word.startswith(("-O", "-fsanitize"))]
    words[words.index("-o") + 1] = str(output)
    return [*words, "-O0"]


class WeakSymbols(unittest.TestCase):
    def test_no_file_of_an_instruction_set_has_any(self):
        entries = [entry for entry in json.loads(COMMANDS.read_text()) if entry["file"].endswith(SUFFIXES)]
        self.assertGreater(len(entries), 0)
        with tempfile.TemporaryDirectory() as folder:
            for number, entry in enumerate(entries):
                output = pathlib.Path(folder) / f"{number}.o"
                subprocess.run(without_optimisation(entry["command"], output), cwd=entry["directory"], check=True)
                symbols = subprocess.run([NM, "-C", output], capture_output=True, text=True, check=True).stdout.splitlines()
                weak = [line for line in symbols if line[17:19] in ("W ", "V ", "u ")]
                self.assertEqual(weak, [], f"{entry['file']} defines weak symbols")
                self.assertTrue(any(line[17:19] == "T " for line in symbols), f"{entry['file']} defines nothing:\n{symbols}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
