"""Type hints and default values of a Python file, worked out from its syntax tree; nothing of the file is run.

`Reader.value` knows constants, the types of `KNOWN`, and what the file itself makes of them: aliases, enums, typed
dictionaries, named tuples, dataclasses and pydantic models. Everything else is `UnreadableError`.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import operator
import sys
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from advisor.core.shipped import imported

_TYPING = """
    Any Literal Optional Union Annotated List Dict Tuple Set FrozenSet Sequence MutableSequence Mapping MutableMapping
    Iterable Collection AbstractSet TypedDict NamedTuple Required NotRequired ReadOnly Final ClassVar TypeAlias NewType
    LiteralString Deque DefaultDict OrderedDict Hashable"""
_ABSTRACT = "Sequence MutableSequence Mapping MutableMapping Iterable Collection Set MutableSet Hashable"
_PYDANTIC = """
    BaseModel Field ConfigDict StringConstraints constr conint confloat conlist conset condecimal PositiveInt
    NegativeInt NonNegativeInt NonPositiveInt PositiveFloat NegativeFloat NonNegativeFloat NonPositiveFloat FiniteFloat
    StrictStr StrictInt StrictFloat StrictBool StrictBytes AwareDatetime NaiveDatetime PastDate FutureDate PastDatetime
    FutureDatetime AnyUrl HttpUrl AnyHttpUrl UUID4 SecretStr WithJsonSchema AfterValidator BeforeValidator JsonValue"""
KNOWN: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "builtins": "int str float bool bytes complex list dict tuple set frozenset object",
        "typing": _TYPING,
        "typing_extensions": _TYPING,
        "collections": "OrderedDict defaultdict deque",
        "collections.abc": _ABSTRACT,
        "datetime": "date datetime time timedelta",
        "decimal": "Decimal",
        "uuid": "UUID",
        "pathlib": "Path PurePath",
        "ipaddress": "IPv4Address IPv6Address IPv4Network IPv6Network",
        "enum": "Enum IntEnum StrEnum auto unique",
        "dataclasses": "dataclass field KW_ONLY InitVar",
        "annotated_types": "Gt Ge Lt Le Interval MultipleOf MinLen MaxLen Len Predicate",
        "pydantic": _PYDANTIC,
    }.items()
}
"""What an annotation may name, by the module it is imported from."""

_CALLED = frozenset(
    """
    Field ConfigDict StringConstraints constr conint confloat conlist conset condecimal WithJsonSchema AfterValidator
    BeforeValidator NewType auto field Gt Ge Lt Le Interval MultipleOf MinLen MaxLen Len Predicate Decimal date datetime
    time timedelta""".split()
)
"""What may be called: it makes a value of its arguments, and does nothing else."""
_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_SIGNS: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_LARGEST = 1e15
_DECIDES = frozenset(
    {"__get_pydantic_core_schema__", "__get_pydantic_json_schema__", "__class_getitem__", "_generate_next_value_"}
)
"""Methods that change what a class is for a schema."""
MOST_NODES = 20_000


class UnreadableError(Exception):
    """Something cannot be worked out without running the file."""

    def __init__(self, node: ast.AST, why: str = "") -> None:
        self.line, self.why = getattr(node, "lineno", 0), why or f"{_short(node)} would have to be run"
        super().__init__(self.why)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return f"`{text[:80]}{'…' if len(text) > 80 else ''}`"


@dataclasses.dataclass(frozen=True, slots=True)
class _Module:
    """A module of `KNOWN`, as the file calls it."""

    name: str


_PLAIN = (str, bytes, int, float, tuple, list, dict, set, _Module, enum.EnumType)


def _function(value: Any) -> Any:
    """Stand for a function of the file, where one is named as a validator; it is never called for a schema."""
    return value


class Reader:
    """What the top level of a file defines, worked out on demand."""

    def __init__(self, tree: ast.Module, name: str) -> None:
        self.defined: dict[str, ast.AST] = {}
        self._imported: dict[int, tuple[str, str]] = {}
        self._home = types.ModuleType(name)
        self._ready: dict[str, Any] = {}
        self._begun: set[str] = set()
        self._steps = 0
        for statement in tree.body:
            self._collect(statement)

    def _collect(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._collect_names(node)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            self.defined[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._collect_values(target, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            self.defined[node.target.id] = node.value
        elif isinstance(node, ast.Try):
            for inner in node.body:
                self._collect(inner)
        elif type(node).__name__ == "TypeAlias":
            self.defined[node.name.id] = node  # type: ignore[attr-defined]

    def _collect_values(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.defined[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, its in zip(target.elts, value.elts, strict=True):
                self._collect_values(one, its)

    def _collect_names(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            short = alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name
            self.defined[alias.asname or short] = alias
            if isinstance(node, ast.Import):
                self._imported[id(alias)] = (alias.name if alias.asname else short, "")
            else:
                self._imported[id(alias)] = ("" if node.level else node.module or "", alias.name)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have the classes found by name meanwhile: one that refers to itself is looked up in its module."""
        sys.modules[self._home.__name__] = self._home
        try:
            yield
        finally:
            del sys.modules[self._home.__name__]

    def hint(self, node: ast.expr) -> Any:
        """Return the type that an annotation says.

        Raises:
            UnreadableError: see the module.
        """
        found = self._as_type(node)
        return types.NoneType if found is None else found

    def value(self, node: ast.AST) -> Any:
        """Return the value of an expression.

        Raises:
            UnreadableError: see the module.
        """
        self._steps += 1
        if self._steps > MOST_NODES:
            raise UnreadableError(node, "there is too much to be worked out")
        try:
            return self._value(node)
        except (UnreadableError, RecursionError):
            raise
        except Exception as error:  # what a type says of its own arguments: Literal[[]], an enum with a name twice
            raise UnreadableError(node, f"{_short(node)}: {type(error).__name__}: {error}") from error

    def _value(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._named(node, name)
            case ast.Attribute(value=inner, attr=name):
                return self._attribute(node, self.value(inner), name)
            case ast.Subscript(value=inner, slice=given):
                return self._subscript(node, self.value(inner), given)
            case ast.Call():
                return self._call(node)
            case ast.BinOp() | ast.UnaryOp():
                return self._sum(node)
            case _:
                return self._collection(node)

    def _collection(self, node: ast.AST) -> Any:
        match node:
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.List(elts=items):
                return [self.value(item) for item in items]
            case ast.Set(elts=items):
                return {self.value(item) for item in items}
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return {self.value(k): self.value(v) for k, v in zip(keys, values, strict=True) if k is not None}
            case _:
                raise UnreadableError(node)

    def _sum(self, node: ast.BinOp | ast.UnaryOp) -> Any:
        match node:
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return _either(self._as_type(left), self._as_type(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _bounded(node, _ARITHMETIC[type(op)], self.value(left), self.value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
                return _bounded(node, _SIGNS[type(op)], self.value(operand))
            case _:
                raise UnreadableError(node)

    def _as_type(self, node: ast.AST) -> Any:
        """Return a value where a text stands for a type, as it does in annotations."""
        found = self.value(node)
        if not isinstance(found, str):
            return found
        try:
            inner = ast.parse(found.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise UnreadableError(node, f"{_short(node)} is no type") from None
        for part in ast.walk(inner):
            ast.copy_location(part, node)
        return self._as_type(inner)

    def _named(self, node: ast.AST, name: str) -> Any:
        if name in self._ready:
            return self._ready[name]
        if name not in self.defined:
            if name in KNOWN["builtins"]:
                return getattr(builtins, name)
            raise UnreadableError(node, f"{name!r} is not known; types are read that are {_ALLOWED}")
        if name in self._begun:
            return typing.ForwardRef(name, module=self._home.__name__)
        self._begun.add(name)
        try:
            found = self._defined(node, self.defined[name], name)
        finally:
            self._begun.discard(name)
        self._ready[name] = found
        return found

    def _defined(self, node: ast.AST, made: ast.AST, name: str) -> Any:
        if id(made) in self._imported:
            module, part = self._imported[id(made)]
            if not part:
                return _Module(module)
            return self._attribute(node, _Module(module), part)
        if isinstance(made, ast.ClassDef):
            found = self._class(made)
            vars(self._home)[name] = found
            return found
        if isinstance(made, ast.FunctionDef):
            return _function
        if type(made).__name__ == "TypeAlias":
            return typing.TypeAliasType(name, self.hint(made.value))  # type: ignore[attr-defined]
        return self.value(made)

    def _attribute(self, node: ast.AST, owner: Any, name: str) -> Any:
        if isinstance(owner, _Module):
            if name in KNOWN.get(owner.name, ()) and owner.name != "builtins":
                return getattr(imported(owner.name, f"the module {owner.name!r}"), name)
            if f"{owner.name}.{name}" in KNOWN:
                return _Module(f"{owner.name}.{name}")
            raise UnreadableError(node, f"{name!r} of {owner.name!r} is not known; types are read that are {_ALLOWED}")
        if isinstance(owner, enum.EnumType) and name in owner.__members__:
            return owner[name]
        if isinstance(owner, enum.Enum) and name in ("value", "name"):
            return owner.value if name == "value" else owner.name
        raise UnreadableError(node)

    def _subscript(self, node: ast.AST, owner: Any, given: ast.expr) -> Any:
        if owner is typing.Literal or getattr(owner, "__name__", "") == "Literal":
            return owner[self.value(given)]
        if (
            isinstance(owner, str | bytes | int | float | tuple | list | dict | set | _Module | enum.EnumType)
            or owner is None
        ):
            raise UnreadableError(node)
        parts = given.elts if isinstance(given, ast.Tuple) else [given]
        if getattr(owner, "__name__", "") == "Annotated" or owner is typing.Annotated:
            found = [self.hint(parts[0]), *(self.value(part) for part in parts[1:])]
        else:
            found = [self._as_type(part) for part in parts]
        return owner[tuple(found) if isinstance(given, ast.Tuple) else found[0]]

    def _call(self, node: ast.Call) -> Any:
        called = self.value(node.func)
        if getattr(called, "__name__", "") not in _CALLED or not _is_known(called):
            raise UnreadableError(node)
        if any(word.arg is None for word in node.keywords):
            raise UnreadableError(node)
        given = [self.value(argument) for argument in node.args]
        words = {str(word.arg): self.value(word.value) for word in node.keywords}
        if callable(words.get("json_schema_extra")) or callable(words.get("default")):
            raise UnreadableError(node)
        if called is typing.NewType:
            return typing.NewType(given[0], given[1])
        return called(*given, **words)

    # --- classes -----------------------------------------------------------------------------------------------------

    def _class(self, node: ast.ClassDef) -> Any:
        wrappers = [self._decorator(one) for one in node.decorator_list]
        bases = tuple(self.value(base) for base in node.bases)
        if any(isinstance(base, _Module | typing.ForwardRef) for base in bases):
            raise UnreadableError(node, f"the class {node.name!r} cannot be read: what it is derived from is not known")
        words = {str(word.arg): self.value(word.value) for word in node.keywords}
        body = self._body(node)
        body |= {"__module__": self._home.__name__, "__qualname__": node.name}

        def fill(namespace: dict[str, Any]) -> None:
            for name, value in body.items():
                namespace[name] = value

        found: Any = types.new_class(node.name, bases, words, fill)
        for wrap in reversed(wrappers):
            found = wrap(found)
        return found

    def _decorator(self, node: ast.expr) -> Callable[[Any], Any]:
        called = node.func if isinstance(node, ast.Call) else node
        found = self.value(called)
        if found is enum.unique and called is node:
            return lambda cls: cls
        if found is not dataclasses.dataclass:
            raise UnreadableError(node, f"the decorator {_short(node)} would have to be run")
        words = node.keywords if isinstance(node, ast.Call) else []
        given: dict[str, Any] = {str(word.arg): self.value(word.value) for word in words}
        return lambda cls: dataclasses.dataclass(**given)(cls)

    def _body(self, node: ast.ClassDef) -> dict[str, Any]:
        body: dict[str, Any] = {}
        hints: dict[str, Any] = {}
        for statement in node.body:
            match statement:
                case ast.Pass() | ast.Expr(value=ast.Constant()):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                    hints[name] = self.hint(annotation)
                    if value is not None:
                        body[name] = self.value(value)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    body[name] = self.value(value)
                case ast.FunctionDef(name=name) if name not in _DECIDES:
                    pass
                case _:
                    raise UnreadableError(statement)
        doc = ast.get_docstring(node, clean=False)
        return {"__annotations__": hints, **({"__doc__": doc} if doc else {}), **body}


_ALLOWED = (
    "built in, from typing, collections.abc, datetime, decimal, enum, dataclasses or pydantic, or made of those here"
)


def _is_known(thing: Any) -> bool:
    return any(
        getattr(imported(name, f"the module {name!r}"), thing.__name__, None) is thing
        for name, words in KNOWN.items()
        if thing.__name__ in words
    )


def _either(left: Any, right: Any) -> Any:
    try:
        return left | right
    except TypeError:
        return typing.Union[left, right]  # noqa: UP007  (a reference forward has no |)


def _bounded(node: ast.AST, work: Callable[..., Any], *values: Any) -> Any:
    """Do a sum of plain numbers, or join two texts, of a sensible size."""
    numbers = all(isinstance(value, int | float) and abs(value) <= _LARGEST for value in values)
    texts = work is operator.add and all(isinstance(value, str) and len(value) <= 10_000 for value in values)
    if not (numbers or texts):
        raise UnreadableError(node)
    return work(*values)
