"""The five tools of this set: the order book, the price list, a calculator and two for dates."""

import ast
import json
import operator
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Literal, TypedDict, get_args

_Field = Literal["status", "ordered", "arrives", "carrier", "paid_with", "delivery_fee", "total", "items"]

_OPERATIONS: dict[type[ast.AST], Callable[..., Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


class _Item(TypedDict):
    product: str
    quantity: int
    price: str


class _Order(TypedDict):
    status: str
    ordered: str
    arrives: str
    carrier: str
    paid_with: str
    delivery_fee: str
    total: str
    items: list[_Item]


def lookup_order(order_id: str, field: _Field) -> str:
    """Look up one field of a customer's order. Where there is no such order, the result is "no such order".

    Args:
        order_id: The order number, for example "HP-4471".
        field: What to read: status, ordered (the day it was placed), arrives (the day of delivery), carrier, paid_with,
            delivery_fee, total (with the delivery fee), or items (each with how many and the price of one).
    """
    if field not in get_args(_Field):
        raise ValueError(f"no such field: {field!r}; known are {', '.join(get_args(_Field))}")
    number = re.fullmatch(r"#?(?:HP)?-?#?([0-9]{1,12})", re.sub(r"\s", "", str(order_id)), re.IGNORECASE | re.ASCII)
    if number is None:
        raise ValueError(f"not an order number: {order_id!r}; one looks like HP-4471")
    orders: dict[str, _Order] = json.loads(_read("orders.json"))
    order = orders.get(f"HP-{number[1]}")
    if order is None:
        return "no such order"
    if field == "items":
        return "; ".join(f"{item['quantity']} x {item['product']} at €{item['price']}" for item in order["items"])
    if field == "total" or field == "delivery_fee":
        return f"€{order[field]}"
    return order[field]


def price_of(product: str) -> str:
    """Look up today's price of one piece of a product. What a customer once paid may differ: see the order's items.

    Args:
        product: The product's name or a clear part of it, for example "Larkspur 2".
    """
    prices: dict[str, str] = json.loads(_read("prices.json"))
    wanted = _words(product)
    found = [name for name in prices if _words(name) == wanted] or [name for name in prices if wanted <= _words(name)]
    if not wanted or not found:
        raise ValueError(f"no product has the name {product!r}; known are {', '.join(prices)}")
    if len(found) > 1:
        raise ValueError(f"{product!r} could be {', '.join(found)}")
    return f"€{prices[found[0]]}"


def calculate(expression: str) -> str:
    """Work out one sum with + - * / and parentheses, rounded to two decimals. 15 % off 80 is "80 * 0.85".

    Args:
        expression: For example "3 * 28 + 38"; figures and signs only, at most 200 characters.
    """

    def value(node: ast.expr) -> Decimal:
        match node:
            case ast.Constant(value=int() | float() as number):
                return Decimal(str(number))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
                return _OPERATIONS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATIONS:
                return _OPERATIONS[type(op)](value(operand))
        raise ValueError(f"not arithmetic: {expression!r}")

    text = str(expression).strip()
    if len(text) > 200:
        raise ValueError("the expression is longer than 200 characters")
    if not re.fullmatch(r"[0-9.+\-*/() ]+", text):
        raise ValueError(f"not arithmetic: {expression!r}; figures and + - * / ( ) only")
    try:
        result = value(ast.parse(text, mode="eval").body).quantize(Decimal("0.01"), ROUND_HALF_UP) + 0
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"not arithmetic: {expression!r}") from error
    except ArithmeticError as error:
        raise ValueError(f"this has no usable result: {expression!r}") from error
    return f"{result:.0f}" if result == int(result) else f"{result:f}"


def add_days(day: str, days: int) -> str:
    """Count on from a date and return the date reached. One day after 2026-04-30 is 2026-05-01.

    Args:
        day: The date to start from, as YYYY-MM-DD.
        days: How many days to go on; below zero to go back.
    """
    try:
        return (_date(day) + timedelta(days=int(days))).isoformat()
    except OverflowError as error:
        raise ValueError(f"{days} days from {day} is beyond the calendar") from error


def days_between(start: str, end: str) -> str:
    """Count the days from one date to another: 1 from a day to the next, below zero if the second is the earlier.

    Args:
        start: The date to count from, as YYYY-MM-DD.
        end: The date to count to, as YYYY-MM-DD.
    """
    return str((_date(end) - _date(start)).days)


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(text).strip()):
        raise ValueError(f"not a date: {text!r}; write it as YYYY-MM-DD")
    try:
        return date.fromisoformat(str(text).strip())
    except ValueError as error:
        raise ValueError(f"there is no such day: {text!r}") from error


def _words(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z0-9.]+", str(text).casefold().replace("'", ""))
    return frozenset(word.rstrip("s") or word for word in words)  # boots = boot


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
