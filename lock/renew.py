"""Writes the lock files beside this one anew, with the SHA-256 of every file of every release (``make lock``).

`run.txt` is what the product needs besides torch, `cpu.txt` torch without CUDA, `gpu.txt` torch as Linux gets it from
PyPI, with the CUDA libraries that it needs; `dev.txt` and `faults.txt` are what the tests need besides, and `tools.txt`
what `tools.in` asks for: what this file itself and `make sbom` run. They hold for Python 3.11 and newer on every
platform for which the releases have wheels: what only one platform needs carries a marker. Needs `uv`, and a pip that
is offered a CPU build of torch.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent / "pyproject.toml"
UNIVERSAL = ("--universal", "--python-version", "3.11", "--generate-hashes")
GPU = re.compile(r"(nvidia|cuda|triton)(-|$)")
EXTRAS = {"dev": ("parquet", "gepa", "pdf", "dev"), "faults": ("faults",)}
HEAD = "# Written by `make lock`; install with `pip install --require-hashes --no-deps -r FILE`.\n"


def compiled(*words: str, pins: str = "") -> str:
    """Return what `uv pip compile` makes of these arguments; `pins` are requirements that versions are held to."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder, "held.txt")
        held.write_text(pins)
        command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command += ["--no-emit-find-links", "-c", str(held), *words]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.strip()


def resolve(*extras: str, pins: str = "") -> dict[str, str]:
    """Return the locked lines by the distribution's name."""
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder, "build.in")
        build.write_text("setuptools\n")
        wanted = [word for extra in extras for word in ("--extra", extra)]
        text = compiled(*UNIVERSAL, *wanted, str(PROJECT), str(build), pins=pins)
    blocks = re.split(r"\n(?=\w)", text)
    found: dict[str, str] = {}
    for block in blocks:  # a name comes twice where an older Python gets another release
        name = re.split(r"[=\s\[]", block)[0]
        found[name] = f"{found[name]}\n{block}" if name in found else block
    return found


def cpu_torch(block: str) -> str:
    """Return the lines for torch without CUDA: on Linux the CPU build that pip is offered here, else the usual one."""
    pin, _, checksums = block.partition(" ")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, f"{pin}+cpu"]
        subprocess.run(command, check=True)
        [wheel] = Path(folder).iterdir()
        with wheel.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    on_linux = f"{pin}+cpu ; sys_platform == 'linux' \\\n    --hash=sha256:{checksum}"
    return f"{on_linux}\n{pin} ; sys_platform != 'linux' {checksums}"


def main() -> None:
    """Write the files; arguments such as ``torch==2.13.0`` hold releases back."""
    every = resolve(*(extra for extras in EXTRAS.values() for extra in extras), pins="\n".join(sys.argv[1:]))
    pins = "\n".join(re.findall(r"^(\w.*?) \\$", "\n".join(every.values()), re.M))
    needed, tested = resolve(pins=pins), resolve(*EXTRAS["dev"], pins=pins)
    files: dict[str, dict[str, str]] = {"run": {}, "cpu": {}, "gpu": {}, "dev": {}, "faults": {}}
    for name, block in every.items():
        file = "faults" if name not in tested else "dev" if name not in needed else "gpu" if GPU.match(name) else "run"
        files[file][name] = block
    files["cpu"]["torch"] = cpu_torch(every["torch"])
    files["gpu"]["torch"] = files["run"].pop("torch").replace(" ", " ; sys_platform == 'linux' ", 1)
    for name, blocks in files.items():
        (HERE / f"{name}.txt").write_text(HEAD + "".join(f"{block}\n" for block in blocks.values()))
    (HERE / "tools.txt").write_text(f"{HEAD}{compiled(*UNIVERSAL, str(HERE / 'tools.in'))}\n")


if __name__ == "__main__":
    main()
