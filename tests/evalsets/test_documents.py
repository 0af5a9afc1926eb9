"""Documents of a folder: what is read, what they are called, and what is refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from advisor.core.errors import EvalSetError
from advisor.core.shipped import check_data, fix_data, load_evalset, shipped
from advisor.core.types import Document, EvalSet

shipped("evalsets")
from advisor.evalsets import documents  # noqa: E402
from advisor.evalsets.documents import read_documents  # noqa: E402
from advisor.evalsets.html_text import text_of_html  # noqa: E402

PAGE = """<!doctype html><html><head><title> Returns &amp; refunds </title><style>p {color: red}</style></head>
<body><nav><a href="/">Home</a></nav><h1>Returns</h1><p>You have <b>30 days</b>
to return.</p><ul><li>clothing<ul><li>shoes</li></ul></li><li>books</li></ul>
<table><tr><th>what</th><th>fee</th></tr><tr><td>boots</td><td>2&nbsp;EUR</td></tr></table>
<pre>a = 1
  b = 2</pre><script>alert("x")</script><footer>Imprint</footer></body>"""
TEXT = """# Returns

You have 30 days to return.

- clothing
  - shoes
- books

| what | fee |
|---|---|
| boots | 2\xa0EUR |

```
a = 1
  b = 2
```"""


def pdf(*pages: str, title: str = "") -> bytes:
    """Return a PDF with a line of text a page; without text, an empty page as of a scan."""
    streams = [f"BT /F1 12 Tf 72 720 Td ({page}) Tj ET".encode() if page else b"" for page in pages]
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, stream in enumerate(map(zlib.compress, streams)):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * at} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects.append(f"<< /Title ({title}) >>".encode())
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1, len(objects), len(out),
    )  # fmt: skip
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    (folder / "legal" / "old").mkdir(parents=True)
    (folder / "b.md").write_text("\n# The *second*  #\n\nText of b.")
    (folder / "a.txt").write_text("\ufeff# no heading in plain text\n", encoding="utf-8")
    (folder / "legal" / "page.HTML").write_text(PAGE)
    (folder / "legal" / "old" / "terms.pdf").write_bytes(pdf("First page.", "Second page.", title="Terms"))
    (folder / "more.jsonl").write_text('{"id": "x", "title": "X", "text": "of a line"}\n\n{"text": "y"}\n')
    (folder / ".hidden.md").write_text("not read")
    return folder


def test_every_kind_is_read_in_one_order(handbook: Path) -> None:
    found = read_documents(str(handbook))
    assert [(one.id, one.title) for one in found] == [
        ("a.txt", "a"), ("b.md", "The *second*"), ("legal/old/terms.pdf", "Terms"),
        ("legal/page.HTML", "Returns & refunds"), ("x", "X"), ("doc-3", ""),
    ]  # fmt: skip
    texts = {one.id: one.text for one in found}
    assert texts["legal/page.HTML"] == TEXT
    assert texts["legal/old/terms.pdf"] == "First page.\n\nSecond page."
    assert texts["a.txt"] == "# no heading in plain text\n"


def test_one_file_is_enough(handbook: Path) -> None:
    assert [one.id for one in read_documents(str(handbook / "b.md"))] == ["b.md"]
    assert [one.id for one in read_documents(str(handbook / "more.jsonl"))] == ["x", "doc-3"]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("plain", "plain"),
        ("<p>one<p>two", "one\n\ntwo"),
        ("<li>a<li>b", "- a\n- b"),
        ("</ul></pre></table>x", "```\n\nx"),
        ("a &lt; b &#8364; &unknown;", "a < b € &unknown;"),
        ("<script>if (a < b) {'</p>'}</script>x", "x"),
        ("x<!-- <p>no</p> -->y", "xy"),
        ("<title>T</title>", ""),
    ],
)
def test_broken_html_is_read_as_far_as_it_goes(page: str, text: str) -> None:
    assert text_of_html(page)[1] == text


def test_long_documents_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("word " * 100_000)
    (tmp_path / "more.jsonl").write_text('{"id": "1", "text": "' + "word " * 100_000 + '"}\n')
    assert [len(one.text) for one in read_documents(str(tmp_path))] == [500_000, 500_000]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("scan.pdf", pdf(""), "scan.pdf holds no text"),
        ("broken.pdf", b"%PDF-1.7 and then nothing", "broken.pdf cannot be read as PDF: "),
        ("latin.md", "caf\xe9".encode("latin-1"), "latin.md line 1"),
        ("empty.html", b"<script>x</script>", "empty.html holds no text"),
        ("nul.txt", b"a\x00b", "nul.txt"),
        ("rows.jsonl", b'{"id": "1"}\n', "rows.jsonl line 1: field 'text' is missing"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / "good.md").write_text("good")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvalSetError) as caught:
        read_documents(str(tmp_path))
    assert says in str(caught.value)
    assert len(caught.value.args[0].splitlines()) == 1


def test_pypdf_says_nothing_by_itself(tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(pdf("text")[:-120])
    code = (
        "import sys; from advisor.core.shipped import shipped; shipped('evalsets')\n"
        "from advisor.evalsets.documents import read_documents\n"
        "try: read_documents(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_without_pypdf_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("text"))
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(EvalSetError, match=r"a.pdf: reading PDF needs pypdf") as caught:
        read_documents(str(tmp_path))
    assert "'.[pdf]'" in caught.value.hint


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match="there are no documents at"):
        read_documents(str(tmp_path / "gone"))
    with pytest.raises(EvalSetError, match="holds no document"):
        read_documents(str(tmp_path))
    (tmp_path / "a.docx").write_bytes(b"PK")
    with pytest.raises(EvalSetError, match="is of no kind that is read"):
        read_documents(str(tmp_path / "a.docx"))


def test_too_much_is_said(handbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, says in (("MAX_DOCUMENTS", "more than 2 documents"), ("MAX_ALL_BYTES", "more than 2 bytes"),
                        ("MAX_DOCUMENT_BYTES", "at most 2 are read"), ("MAX_PAGES", "at most 0 are read")):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setattr(documents, limit, 0 if limit == "MAX_PAGES" else 2)
            with pytest.raises(EvalSetError, match=says):
                read_documents(str(handbook))


def test_pipes_and_loops_are_not_waited_for(handbook: Path) -> None:
    (handbook / "loop").symlink_to(handbook)
    assert len(read_documents(str(handbook))) == 6
    os.mkfifo(handbook / "pipe.txt")
    with pytest.raises(EvalSetError, match=r"pipe.txt"):
        read_documents(str(handbook))


# --- as part of an eval set ------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    (folder / "docs").mkdir(parents=True)
    (folder / "evalset.yaml").write_text("instruction: Answer.\nmetric: exact_match\ngold_document_field: doc\n")
    rows = [f'{{"id": "{at}", "input": "q{at}", "target": "a{at}", "doc": "a.md"}}\n' for at in range(6)]
    (folder / "train.jsonl").write_text("".join(rows[:4]))
    (folder / "test.jsonl").write_text("".join(rows[4:]))
    (folder / "docs" / "a.md").write_text("# A\n\nanswers")
    return folder


def ids(evalset: EvalSet) -> list[str]:
    return [document.id for document in evalset.docs]


def test_the_folder_docs_is_read_beside_docs_jsonl(own: Path) -> None:
    assert ids(load_evalset(str(own))) == ["a.md"]
    (own / "docs.jsonl").write_text('{"id": "1", "text": "one"}\n')
    (own / "docs" / "table.xlsx").write_bytes(b"PK")
    loaded = load_evalset(str(own))
    assert ids(loaded) == ["1", "a.md"]
    assert any("1 of the files in docs are of no kind that is read" in note for note in loaded.notes)
    (own / "docs.jsonl").write_text('{"id": "a.md", "text": "one"}\n')
    with pytest.raises(EvalSetError, match=r"'a.md' stands in docs.jsonl and in docs"):
        load_evalset(str(own))


def test_another_name_is_said_in_evalset_yaml(own: Path) -> None:
    (own / "docs").rename(own / "papers")
    with (own / "evalset.yaml").open("a") as file:
        file.write("docs: papers\n")
    assert ids(load_evalset(str(own))) == ["a.md"]
    fix_data(str(own), own.parent / "fixed")
    assert ids(load_evalset(str(own.parent / "fixed"))) == ["a.md"]


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "link", "gone"])
def test_nothing_leads_out_of_the_folder(own: Path, name: str) -> None:
    (own.parent / "elsewhere").mkdir()
    (own.parent / "elsewhere" / "secret.md").write_text("secret")
    (own / "link").symlink_to(own.parent / "elsewhere")
    with (own / "evalset.yaml").open("a") as file:
        file.write(f"docs: {name}\n")
    with pytest.raises(EvalSetError):
        load_evalset(str(own))


def test_a_linked_document_is_refused_in_a_set_and_read_where_the_user_named_it(own: Path) -> None:
    (own.parent / "secret.md").write_text("secret")
    (own / "docs" / "b.md").symlink_to(own.parent / "secret.md")
    with pytest.raises(EvalSetError, match=r"'b.md' is a link out of the folder"):
        load_evalset(str(own))
    assert [one.id for one in read_documents(str(own / "docs"))] == ["a.md", "b.md"]


def test_documents_that_the_user_names_take_the_place_of_the_sets_own(own: Path, handbook: Path) -> None:
    loaded = load_evalset(str(own), docs=str(handbook))
    assert ids(loaded)[0] == "a.txt"
    assert "a.md" not in ids(loaded)
    assert loaded.fingerprint != load_evalset(str(own)).fingerprint
    assert load_evalset("harrow_routing", docs=str(handbook / "b.md")).docs == (
        Document("b.md", "The *second*", "\n# The *second*  #\n\nText of b."),
    )


def test_check_names_every_document_that_cannot_be_read(own: Path) -> None:
    for name in ("one.pdf", "two.pdf"):
        (own / "docs" / name).write_bytes(pdf(""))
    told = str(check_data(str(own)))
    assert "one.pdf holds no text" in told
    assert "two.pdf holds no text" in told
