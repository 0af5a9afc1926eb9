"""What `--output` names may be a link, a pipe, a device, or what a shell has open: it is written to, never replaced."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from advisor.cli import common
from advisor.core.data_check import DataReport
from advisor.core.errors import ConfigurationError, StoreError
from advisor.core.shipped import shipped
from advisor.decision.comparison import Comparison
from advisor.runs import archive, compare
from tests.cli.command import ROOT
from tests.faults.sheet import Sheet
from tests.small_comparison import write_evalset

Write = Callable[[Path], object]
LINKS = ("a link", "a link to a link", "a link to nothing yet")
READ = ("a pipe with a name", "a link to such a pipe", "what is open, a pipe", "what is open, a file")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    place = Path(tmp_path_factory.mktemp("made"))
    (place / "answers.py").write_text("def answer(request): return 'billing'\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVISOR_HOME", str(place / "home"))
        return compare.compare(
            write_evalset(place / "small"), strategies=["majority"], model=f"scripted:{place}/answers.py:answer",
            checks="none", draws=200,
        )  # fmt: skip


def _data_report(made: Comparison, path: Path) -> None:
    shipped("reports.data_report").save(DataReport("mine", "mine", {"train": 1}, ()), str(path))


WRITERS: dict[str, Callable[[Comparison, Path], object]] = {
    "a report .json": Comparison.save,
    "a report .csv": Comparison.save,
    "a data report .json": _data_report,
    "export run .zip": archive.write,
    "init, export evalset .yaml": lambda made, path: common.write_new(path, "a: ä\n" * 50_000, force=False),
}


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def write(writer: str, made: Comparison) -> Write:
    return partial(WRITERS[writer], made)


@pytest.fixture
def suffix(writer: str) -> str:
    return f".{writer.rpartition('.')[2]}"


@contextlib.contextmanager
def _reader(number: int) -> Iterator[list[bytes]]:
    """Read all that comes, in a thread."""
    found: list[bytes] = []

    def read() -> None:
        with open(number, "rb") as file:
            found.append(file.read())

    thread = threading.Thread(target=read)
    thread.start()
    yield found
    thread.join(60)


def _into_a_pipe(write: Write, path: Path) -> bytes:
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(number, True)
    keeper = os.open(path, os.O_WRONLY)  # until it is written to, so that the reader does not see an end
    with _reader(number) as found:
        write(path)
        os.close(keeper)
    assert stat.S_ISFIFO(path.stat().st_mode)
    return found[0]


def _into_an_open_one(write: Write, path: Path, place: str) -> bytes:
    if place.endswith("file"):
        kept = path.with_name("kept")
        kept.write_bytes(b"earlier ")
        number = os.open(kept, os.O_WRONLY | os.O_APPEND)
        path.symlink_to(f"/dev/fd/{number}")
        write(path)
        os.write(number, b" later")
        os.close(number)
        content = kept.read_bytes()
        assert content.startswith(b"earlier ")
        assert content.endswith(b" later")
        return content[8:-6]
    reader, number = os.pipe()
    path.symlink_to(f"/proc/self/fd/{number}")
    with _reader(reader) as found:
        write(path)
        os.close(number)
    return found[0]


def _through(write: Write, path: Path, place: str) -> bytes:
    """Write to such a place; return what came out of it."""
    target = path.with_name(f"target{path.suffix}")
    if place.startswith("what is open"):
        return _into_an_open_one(write, path, place)
    if place == "a pipe with a name":
        os.mkfifo(path)
        return _into_a_pipe(write, path)
    path.symlink_to(target.name if place != "a link to a link" else "second")
    if place == "a link to a link":
        path.with_name("second").symlink_to(target)
    if place.endswith("such a pipe"):
        os.mkfifo(target)
        found = _into_a_pipe(write, path)
    else:
        write(path)
        found = target.read_bytes()
        assert stat.S_ISREG(target.lstat().st_mode)
    assert path.is_symlink()
    return found


def test_it_is_written_to_and_never_replaced(
    tmp_path: Path, sheet: Sheet, write: Write, suffix: str, writer: str
) -> None:
    write(tmp_path / f"plain{suffix}")
    wanted = (tmp_path / f"plain{suffix}").read_bytes()
    assert wanted
    for at, place in enumerate((*LINKS, *READ)):
        folder = tmp_path / str(at)
        folder.mkdir()
        assert _through(write, folder / f"out{suffix}", place) == wanted, place
        assert not list(folder.glob(".*")), place
    sheet.add("F2", f"--output of {writer}", len(LINKS + READ), 0)


def test_a_device_stays_a_device(tmp_path: Path, write: Write, suffix: str) -> None:
    path = tmp_path / f"null{suffix}"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.stat(os.devnull).st_rdev)
        path.open("wb").close()
    except PermissionError:
        pytest.skip("no device may be made or used here")
    write(path)
    assert stat.S_ISCHR(path.lstat().st_mode)
    assert os.listdir(tmp_path) == [path.name]


def test_what_an_older_file_does_not_allow_stays_so(tmp_path: Path, write: Write, suffix: str) -> None:
    path, private = tmp_path / f"link{suffix}", tmp_path / "private"
    private.touch(0o600)
    path.symlink_to(private)
    with contextlib.suppress(ConfigurationError):  # init and export evalset want --force
        write(path)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_a_link_to_itself_is_refused_in_a_sentence(tmp_path: Path, write: Write, suffix: str) -> None:
    path = tmp_path / f"loop{suffix}"
    path.symlink_to(path)
    with pytest.raises((StoreError, ConfigurationError), match="cannot be written"):
        write(path)
    assert path.is_symlink()


def test_a_verb_writes_to_what_the_shell_has_open(tmp_path: Path) -> None:
    (tmp_path / "out.yaml").symlink_to("/dev/stdout")
    command = [sys.executable, "-m", "advisor", "init", "comparison", "out.yaml"]
    with (tmp_path / "kept").open("wb") as kept:
        kept.write(b"earlier\n")
        kept.flush()
        subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=kept, check=True)
    lines = (tmp_path / "kept").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "earlier"
    assert lines[1].startswith("# One comparison; a key is the flag")
    assert lines[-2].startswith("Wrote out.yaml")
