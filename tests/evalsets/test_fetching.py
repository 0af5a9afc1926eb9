"""Files from the network: checksums, limits, and where a redirect may lead."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path

import pytest

from advisor.core.errors import EvalSetError
from advisor.core.shipped import shipped
from tests.evalsets.conftest import Server
from tests.faults.sheet import Sheet

shipped("evalsets")
fetching = import_module("advisor.evalsets.fetching")


def test_a_file_that_changed_in_the_cache_is_noticed_and_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.files["/a.csv"] = b"one"
    path, told = fetching.fetch(f"{server.address}/a.csv")
    assert "not pinned" in told
    path.write_bytes(b"two")
    with pytest.raises(EvalSetError, match="checksum has changed"):
        fetching.fetch(f"{server.address}/a.csv")
    assert fetching.fetch(f"{server.address}/a.csv")[0].read_bytes() == b"one"


def test_a_pinned_checksum_is_held_to(server: Server, tmp_path: Path) -> None:
    server.files["/a.csv"] = b"one"
    right = hashlib.sha256(b"one").hexdigest()
    with pytest.raises(EvalSetError, match="is wanted"):
        fetching.fetch(f"{server.address}/a.csv", sha256="0" * 64)
    assert not list((tmp_path / "cache").rglob("*a.csv*"))
    assert fetching.fetch(f"{server.address}/a.csv", sha256=right)[1] == ""


def test_what_is_too_large_cut_short_or_missing_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.files["/a.csv"] = b"x" * 2000
    with pytest.raises(EvalSetError, match="larger than 1,000 bytes"):
        fetching.fetch(f"{server.address}/a.csv", limit_bytes=1000)
    with pytest.raises(EvalSetError, match="answers 404"):
        fetching.fetch(f"{server.address}/b.csv")
    server.lie = 5
    with pytest.raises(EvalSetError):
        fetching.fetch(f"{server.address}/a.csv")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != ".lock"]


def test_only_https_is_fetched_also_where_a_server_sends_us_on(server: Server) -> None:
    for url in ("http://example.com/a", "file:///etc/hosts", "ftp://example.com/a"):
        with pytest.raises(EvalSetError, match="https"):
            fetching.fetch(url)
    server.moved["/a.csv"] = "http://example.com/a.csv"
    with pytest.raises(EvalSetError, match="https"):
        fetching.fetch(f"{server.address}/a.csv")


def test_a_lost_record_is_no_change(server: Server) -> None:
    server.files["/a.csv"] = b"one"
    path, _ = fetching.fetch(f"{server.address}/a.csv")
    path.with_name("a.csv.sha256").unlink()
    again, told = fetching.fetch(f"{server.address}/a.csv")
    assert again == path
    assert "was lost and is recorded anew" in told
    path.write_bytes(b"two")
    with pytest.raises(EvalSetError, match="checksum has changed"):
        fetching.fetch(f"{server.address}/a.csv")


def test_what_a_killed_fetch_left_is_taken_over(server: Server) -> None:
    server.files["/a.csv"] = b"one"
    path, _ = fetching.fetch(f"{server.address}/a.csv")
    path.rename(path.with_name(".a.csv.part"))
    path.with_name(".a.csv.part").write_bytes(b"half")
    assert fetching.fetch(f"{server.address}/a.csv")[0].read_bytes() == b"one"
    assert {each.name for each in path.parent.iterdir()} == {"a.csv", "a.csv.sha256", ".lock"}


INWARD = (
    "127.0.0.1", "127.9.9.9", "localhost", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255", "198.18.0.1",
)  # fmt: skip


def test_no_redirect_leads_inward() -> None:
    tried = [(sender, host) for sender in ("8.8.8.8", "127.0.0.5", "10.1.1.1") for host in INWARD]
    followed = []
    for sender, host in tried:
        try:
            fetching.refuse_inward(f"https://{sender}/a", f"https://{host}/b")
        except EvalSetError as error:
            if "is not a public address; it is not followed" in str(error):
                continue
        followed.append((sender, host))
    Sheet().add("T12", "a redirect to this machine or a private network", len(tried), len(followed))
    assert not followed


def test_a_name_is_as_good_as_the_addresses_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"public.example": ["8.8.8.8"], "both.example": ["8.8.8.8", "10.0.0.1"], "mirror.example": ["10.0.0.2"]}
    answer = lambda host, *_, **__: [(2, 1, 6, "", (one, 0)) for one in names[host]]  # noqa: E731
    monkeypatch.setattr(fetching.socket, "getaddrinfo", answer)
    for sender, receiver in (("public", "both"), ("public", "mirror"), ("both", "mirror"), ("mirror", "both")):
        with pytest.raises(EvalSetError, match=f"{receiver}.example"):
            fetching.refuse_inward(f"https://{sender}.example/a", f"https://{receiver}.example/b")
    for sender, receiver in (("public", "public"), ("mirror", "public"), ("mirror", "mirror")):
        fetching.refuse_inward(f"https://{sender}.example/a", f"https://{receiver}.example/b")


def test_a_server_on_this_machine_may_send_on_within_itself_only(server: Server) -> None:
    server.files["/b.csv"] = b"one"
    server.moved["/a.csv"] = "/b.csv"
    assert fetching.fetch(f"{server.address}/a.csv")[0].read_bytes() == b"one"
    for host in ("127.0.0.2", "169.254.169.254", "[::1]"):
        server.moved["/b.csv"] = f"https://{host}/c.csv"
        with pytest.raises(EvalSetError, match="not a public address"):
            fetching.fetch(f"{server.address}/b.csv")
