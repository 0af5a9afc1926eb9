"""What a model is told of a tool file, read from its syntax tree: the same as when the file is run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.brought_code import BroughtCode
from advisor.core.errors import ConfigurationError, EvalSetError
from advisor.core.tool_files import read_tools, run_tools
from advisor.core.types import ToolSpec

DATA = Path(__file__).parents[2] / "evalsets" / "data"
HEAD = '''
import dataclasses
import datetime as dt
import enum
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict

MOST, UNIT = 3, "km"
LEAST = -MOST
ONE_DAY = 24 * 60 * 60
Word = Literal["near", "exact"]
Words = list[Word]


class Colour(Enum):
    """A colour of the range."""

    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = enum.auto()


class Carrier(StrEnum):
    POST = "post"
    COURIER = "courier"


class Box(TypedDict, total=False):
    """A box."""

    wide: int
    note: NotRequired[str]


class Point(NamedTuple):
    x: float
    y: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Place:
    title: str
    floor: int = 0
    tags: list[str] = field(default_factory=list)

    def shown(self) -> str:
        return self.title


@dataclasses.dataclass(frozen=True)
class Shop(Place):
    """A shop."""

    opens: Optional[date] = None


class Address(BaseModel):
    """Where it goes."""

    model_config = ConfigDict(extra="forbid")

    street: str = Field(min_length=1, description="With its number.")
    zip: Annotated[str, Field(pattern="^[0-9]{5}$")] = "00000"
    parts: "list[Address] | None" = None


class Node(BaseModel):
    name: str
    inner: list["Node"] = []
'''
TYPES = [
    "str", "int", "float", "bool", "None", "object", "Any", "bytes", "date", "dt.datetime", "dt.timedelta", "Decimal",
    "Word", "Words", "Colour", "Level", "Carrier", "Box", "Point", "Place", "Shop", "Address", "Node",
    "Literal['a', 1, None, True]", "t.Literal['x']", "'Word'", "'list[Place]'", "list", "dict", "tuple",
]  # fmt: skip
DEFAULTS = {
    "str": ["'a'", "UNIT", "'a' 'b'", "UNIT + 's'"],
    "int": ["3", "-1", "MOST", "LEAST", "ONE_DAY", "2 * MOST + 1"],
    "float": ["0.5", "-1e-3"],
    "bool": ["True", "not True"],
    "Colour": ["Colour.RED"],
    "Level": ["Level.HIGH"],
    "Word": ["'near'"],
    "list": ["[]", "[1, 'a']"],
    "dict": ["{}", "{'a': 1}"],
}


def wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        inner.map("Optional[{}]".format),
        inner.map("list[{}]".format),
        inner.map("Sequence[{}]".format),
        inner.map("dict[str, {}]".format),
        inner.map("Mapping[str, {}]".format),
        inner.map("tuple[{}, ...]".format),
        inner.map("Annotated[{}, Field(description='Which one.')]".format),
        st.tuples(inner, inner).map("Union[{0[0]}, {0[1]}]".format),
        st.tuples(inner, inner).map("tuple[{0[0]}, {0[1]}]".format),
        inner.filter(lambda one: not one.startswith("'")).map("{} | None".format),
    )


ANNOTATION = st.recursive(st.sampled_from(TYPES), wrapped, max_leaves=4)


@st.composite
def functions(draw: st.DrawFn) -> str:
    given = []
    for at in range(draw(st.integers(0, 3))):
        kind = draw(st.one_of(ANNOTATION, st.sampled_from(sorted(DEFAULTS))))
        value = draw(st.sampled_from(DEFAULTS[kind])) if kind in DEFAULTS and draw(st.booleans()) else None
        given.append(f"p{at}: {kind}" + (f" = {value}" if value else ""))
    plain = ", ".join(["*", *given] if given else [])  # by name, so that a default may stand before none
    doc = draw(
        st.sampled_from(
            ["Do.", "Do it.\n\n    Args:\n        p0: The first\n            of them.\n        p1 (int): Second.\n"]
        )
    )
    return f'def tool({plain}) -> str:\n    """{doc}"""\n    return ""\n'


def code_of(folder: Path, text: str) -> BroughtCode:
    (folder / "tools.py").write_text(text)
    return BroughtCode.read(folder, "tools.py", "", may_run=True)


def specs(code: BroughtCode, *, run: bool) -> list[ToolSpec]:
    return [tool.spec for tool in (run_tools if run else read_tools)(code)]


@settings(max_examples=60)
@given(functions(), st.booleans())
def test_reading_gives_what_running_gives(tmp_path_factory: pytest.TempPathFactory, function: str, later: bool) -> None:
    """`run_tools` itself compares the two; where a hint has no JSON form, both say so in the same words."""
    text = ("from __future__ import annotations\n" if later else "") + HEAD + "\n\n" + function
    code = code_of(tmp_path_factory.mktemp("set"), text)
    ran = outcome(code, run=True)
    assert isinstance(ran, list) or "has no JSON form" in ran
    assert outcome(code, run=False) == ran


def outcome(code: BroughtCode, *, run: bool) -> list[ToolSpec] | str:
    try:
        return specs(code, run=run)
    except EvalSetError as error:
        return str(error)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in DATA.glob("*/tools.py")))
def test_shipped_tools_read_as_they_run(name: str) -> None:
    code = BroughtCode.read(DATA / name, "tools.py", "", may_run=True)
    assert specs(code, run=False) == specs(code, run=True)
    assert specs(code, run=False)


DOC = '\n    """Do."""\n'


def test_which_functions_are_tools_and_in_which_order(tmp_path: Path) -> None:
    text = (
        "from os.path import join\nfrom functools import partial\n"
        f"def second() -> int:{DOC}    yes = lambda: 1\n    return yes()\n"
        f"def first() -> int:{DOC}    def inner():\n        yield 1\n    return 1\n"
        f"def _hidden() -> int:{DOC}\nclass Thing:\n    def method(self): return 1\n"
        "again = first\n"
    )
    code = code_of(tmp_path, text)
    assert [spec.name for spec in specs(code, run=False)] == ["second", "first", "first"]
    assert specs(code, run=True) == specs(code, run=False)
    code = code_of(tmp_path, f"{text}__all__ = ('first', '_hidden')\n")
    assert [spec.name for spec in specs(code, run=False)] == ["first", "_hidden"]
    assert specs(code, run=True) == specs(code, run=False)


UNREADABLE = [
    (f"x = open\ndef f(a: x('y')) -> int:{DOC}", "line 1: tool 'f': 'open' is not known"),
    (f"def f(a: int = len('abc')) -> int:{DOC}", "line 1: tool 'f': 'len' is not known"),
    (f"import os\ndef f(a: int = os.getpid()) -> int:{DOC}", "line 2: tool 'f': 'getpid' of 'os' is not known"),
    (f"import typing\ndef f(a: typing.sys.modules) -> int:{DOC}", "'sys' of 'typing' is not known"),
    (f"from helper import Kind\ndef f(a: Kind) -> int:{DOC}", "'Kind' of 'helper' is not known"),
    (f"def f(a: [int for _ in 'a'][0]) -> int:{DOC}", "would have to be run"),
    (f"def f(a: 'int if True else str') -> int:{DOC}", "would have to be run"),
    (f"def f(a: str = f'{{1}}') -> int:{DOC}", "would have to be run"),
    (f"def f(a: int = (b := 3)) -> int:{DOC}", "would have to be run"),
    (f"def f(a: int = 10 ** 10) -> int:{DOC}", "would have to be run"),
    (f"def f(a: str = 'a' * 10) -> int:{DOC}", "would have to be run"),
    (f"def f(a: lambda: 1) -> int:{DOC}", "would have to be run"),
    (f"import enum\n@print\nclass E(enum.Enum):\n    A = 1\ndef f(a: E) -> int:{DOC}", "'print' is not known"),
    (f"class M(type):\n    pass\nclass C(metaclass=M):\n    pass\ndef f(a: C) -> int:{DOC}", "'type' is not known"),
    (f"__all__ = [name for name in 'f']\ndef f() -> int:{DOC}", "line 1: __all__ is no plain list"),
    (
        f"import sys\nif sys.argv:\n    def f() -> int:\n        '''Do.'''\n{''}",
        "line 3: 'f' is defined on a condition",
    ),
    ("f = lambda: 1\n", "line 1: tool 'f' is a lambda"),
    (f"async def f() -> int:{DOC}", "is async or a generator"),
    (f"def f() -> int:{DOC}    yield 1\n", "is async or a generator"),
]


@pytest.mark.parametrize(("text", "said"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_would_have_to_be_run_is_said_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match=r"^tools\.py line \d+: ") as caught:
        read_tools(code_of(tmp_path, text))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"def f(a: int) -> int:{DOC}f.__doc__ = 'Another.'\n",
        f"def f(a: int) -> int:{DOC}f.__annotations__['a'] = str\n",
        f"def f(a: int) -> int:{DOC}del f\ndef g() -> int:{DOC}",
        f"from functools import cache\n@cache\ndef f(a: int) -> int:{DOC}\ndef g() -> int:{DOC}",
        f"def f(a: int) -> int:{DOC}globals()['g'] = f\n",
        f"int = str\ndef f(a: int) -> int:{DOC}int = float\n",
    ],
    ids=range(6),
)
def test_a_file_that_runs_as_other_tools_than_it_reads_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is another one when the file is run than it reads"):
        run_tools(code_of(tmp_path, text))


def test_nothing_runs_while_tools_are_read(tmp_path: Path) -> None:
    """Not the top level, a decorator, a default, an annotation, the body of a class, a base or a keyword of one."""
    mark = tmp_path / "ran"
    boom = f"open({str(mark)!r}, 'w')"
    for text in (
        f"{boom}\ndef f() -> int:{DOC}",
        f"@{boom}\ndef f() -> int:{DOC}",
        f"def f(a: int = {boom}) -> int:{DOC}",
        f"def f(a: {boom}) -> int:{DOC}",
        f"def f(a: '{boom.replace(chr(39), chr(34))}') -> int:{DOC}",
        f"def f() -> {boom}:{DOC}",
        f"class C({boom}):\n    pass\ndef f(a: C) -> int:{DOC}",
        f"class C(k={boom}):\n    pass\ndef f(a: C) -> int:{DOC}",
        f"from dataclasses import dataclass\n@dataclass\nclass C:\n    a: int = {boom}\ndef f(a: C) -> int:{DOC}",
        f"from pydantic import BaseModel\nclass C(BaseModel):\n    {boom}\ndef f(a: C) -> int:{DOC}",
        f"from pydantic import Field\ndef f(a: int = Field({boom})) -> int:{DOC}",
        f"from pydantic import Field\ndef f(a: int = Field(default_factory=lambda: {boom})) -> int:{DOC}",
        f"__all__ = [{boom}]\ndef f() -> int:{DOC}",
    ):
        before = set(sys.modules)
        try:
            read_tools(code_of(tmp_path, text))
        except EvalSetError:
            pass
        assert not mark.exists(), text
        assert not {name for name in set(sys.modules) - before if name.startswith("advisor_")}
