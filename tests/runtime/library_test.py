"""library_test.py LIBRARY HEADER STRIP: what libtorquant_runtime shows, needs and weighs."""
import pathlib
import re
import subprocess
import sys
import tempfile

LIBRARY, HEADER, STRIP = sys.argv[1:]
# libgcc_s comes with libstdc++, ld-linux with libc. pthread and libm are in libc, or of their own.
ALLOWED = re.compile(r"lib(c|m|stdc\+\+|gcc_s|pthread)\.so\.\d+|ld-linux-.*\.so\.\d+")
MOST_BYTES = 2_500_000


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def expect(holds, text):
    if not holds:
        sys.exit(f"{LIBRARY}: {text}")


declared = set(re.findall(r"\b(torquant_\w+)\(", re.sub(r"/\*.*?\*/", "", pathlib.Path(HEADER).read_text(), flags=re.S)))
shown = {line.split()[-1].split("@")[0] for line in output_of("nm", "-D", "--defined-only", LIBRARY).splitlines()}
shown.discard("TORQUANT_1")
expect(len(declared) > 15 and shown == declared, f"shows {sorted(shown - declared)} that the header lacks, and lacks {sorted(declared - shown)}")

dynamic = output_of("readelf", "-d", LIBRARY)
needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
expect(needed and all(ALLOWED.fullmatch(name) for name in needed), f"needs {needed}")
expect("[libtorquant_runtime.so.1]" in dynamic, "has another name than libtorquant_runtime.so.1")

with tempfile.TemporaryDirectory() as folder:
    stripped = pathlib.Path(folder) / "stripped.so"
    output_of(STRIP, "-o", str(stripped), LIBRARY)
    size = stripped.stat().st_size
    expect(size < MOST_BYTES, f"is {size} bytes, more than {MOST_BYTES}")
print(f"{len(shown)} functions, {size} bytes")
