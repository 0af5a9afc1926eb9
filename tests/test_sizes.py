"""How long a file and a function may be, and how many parameters a function may take.

Long tails are what makes a code base hard to read, so there is no list of exceptions: what is too long is split where
it joins, and parameters that travel together become one frozen dataclass.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
SHIPPED = ("advisor", "strategies", "evalsets", "reports", "benchmarks")
LINES_A_FILE = 400
LINES_A_FUNCTION = 60
PARAMETERS = 7

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    """Return the Python files under these folders that git tracks, or, outside a checkout, that are there."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(HERE), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        return sorted(path for folder in folders for path in (HERE / folder).rglob("*.py"))
    return sorted(HERE / name for name in listed if name.endswith(".py") and (HERE / name).is_file())


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    """Yield every function of a file, nested ones and methods too, with the words that find it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield f"{path.relative_to(HERE)}:{node.lineno} {node.name}", node


def lines_of(function: Function) -> int:
    """Return how many lines a function takes, decorators and docstring counted."""
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return (function.end_lineno or first) - first + 1


def parameters_of(function: Function) -> int:
    """Return how many parameters a caller may fill in: ``self`` and ``cls`` are not among them."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    receiver = names[:1] in (["self"], ["cls"])
    return len(names) - receiver + len(arguments.kwonlyargs)


def test_there_are_files_to_measure() -> None:
    for folder in (*SHIPPED, "tests"):
        assert python_files(folder), folder


@pytest.mark.parametrize("folder", [*SHIPPED, "tests"])
def test_no_file_is_longer_than_400_lines(folder: str) -> None:
    long = {
        str(path.relative_to(HERE)): count
        for path in python_files(folder)
        if (count := len(path.read_text().splitlines())) > LINES_A_FILE
    }

    assert long == {}


@pytest.mark.parametrize("folder", SHIPPED)
def test_no_function_is_longer_than_60_lines(folder: str) -> None:
    long = {
        words: count
        for path in python_files(folder)
        for words, function in functions(path)
        if (count := lines_of(function)) > LINES_A_FUNCTION
    }

    assert long == {}


@pytest.mark.parametrize("folder", SHIPPED)
def test_no_function_takes_more_than_7_parameters(folder: str) -> None:
    many = {
        words: count
        for path in python_files(folder)
        for words, function in functions(path)
        if (count := parameters_of(function)) > PARAMETERS
    }

    assert many == {}
