"""The HTML report in a real browser: nothing runs, nothing is asked for, nothing sticks out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.reports.sample import HOSTILE, changed, comparison, report

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
)  # fmt: skip
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("pages")
    hostile = comparison("not_yet", HOSTILE)
    long = tuple(replace(s, label=f"{s.label}_{'x' * 70}") for s in hostile.strategies)
    cases = {
        "plain": comparison(),
        "hostile": changed(hostile, strategies=(*long, replace(long[0], label=HOSTILE))),
    }
    render = report("html").render
    for name, base in cases.items():
        (folder / f"{name}.html").write_text(render(base), "utf-8")
    return folder


@pytest.mark.parametrize("name", ["plain", "hostile"])
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_quiet_and_fits(browser: Any, pages: Any, name: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(5000)
    errors, dialogs, requests = [], [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((pages / f"{name}.html").as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true })")
    page.wait_for_timeout(100)
    assert errors == []
    assert dialogs == []
    assert [url for url in requests if not url.startswith("file:")] == []
    assert len(requests) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("figure svg").count() == (5 if name == "plain" else page.locator("figure").count())
    context.close()


def test_drawings_change_with_the_colour_scheme(browser: Any, pages: Any) -> None:
    seen = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto((pages / "plain.html").as_uri())
        text = "getComputedStyle(document.querySelector('figure svg text')).fill"
        seen.append((page.evaluate(text), page.evaluate("getComputedStyle(document.body).backgroundColor")))
        context.close()
    (light_text, light_page), (dark_text, dark_page) = seen
    assert light_text != dark_text
    assert light_page != dark_page
    assert _luminance(dark_text) - _luminance(dark_page) > 0.3
    assert _luminance(light_page) - _luminance(light_text) > 0.3


def _luminance(colour: Any) -> Any:
    red, green, blue = (int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
