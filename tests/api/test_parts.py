"""The small parts behind the routes: uploads, the outbox, turns, idempotency."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api import uploads
from api.idempotency import Once
from api.outbox import Outbox
from api.problems import ProblemError
from api.turns import Turns
from api.wiring import House
from provenance.errors import InputError

AT = datetime(2026, 11, 21, tzinfo=UTC)

# ——— uploads ———


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/shadow", "shadow"),
        ("C:\\x\\y.jpg", "y.jpg"),
        ("..", "file"),
        ("...", "file"),
        ("", "file"),
        (None, "file"),
        ("a/", "file"),
        (".htaccess", "htaccess"),
        ("a\x00b\r\nSet-Cookie: x.jpg", "abSet-Cookie: x.jpg"),
        ("left\u202egpj.exe", "leftgpj.exe"),
        ("\ud800.jpg", "jpg"),
        ("x" * 500 + ".jpeg", "x" * 112 + "xxx.jpeg"),
    ],
)
def test_a_name_is_only_a_label(given: str | None, shown: str) -> None:
    assert uploads.label(given) == shown


@given(st.text())
@example("a\u2028b")
def test_a_label_is_one_short_printable_line_that_encodes(name: str) -> None:
    shown = uploads.label(name)
    assert shown
    assert shown.isprintable()
    assert not set(shown) & set("/\\\r\n\0")
    assert len(shown) <= 120
    shown.encode()
    assert shown not in {".", ".."}


@given(st.text())
@example("x.jpg/../../y")
@example("x.../.jpg")
@example("x.ſ")
def test_only_plain_letters_of_a_name_reach_the_disk(name: str) -> None:
    found = uploads.suffix(uploads.label(name))
    assert found == "" or (found[0] == "." and found[1:].isascii() and found[1:].isalnum() and len(found) <= 6)


def test_an_upload_is_written_hashed_and_removed(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    with uploads.received(io.BytesIO(data), "../x.JPG", tmp_path / "in") as upload:
        assert upload.path.read_bytes() == data
        assert upload.path.name == "upload.jpg"
        assert upload.path.parent.stat().st_mode & 0o077 == 0
        assert (upload.name, upload.size) == ("x.JPG", len(data))
        assert upload.sha256 == hashlib.sha256(data).hexdigest()
    assert not list((tmp_path / "in").iterdir())


def test_nothing_stays_of_an_upload_whose_work_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), uploads.received(io.BytesIO(b"x"), "x", tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_an_empty_upload_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught, uploads.received(io.BytesIO(), "x", tmp_path):
        pass
    assert caught.value.why == "it is empty"
    assert not list(tmp_path.iterdir())


def test_sweeping_goes_by_age_alone(tmp_path: Path) -> None:
    for name, age in (("old", 100), ("new", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    assert uploads.sweep(tmp_path, 50) == 1
    assert [left.name for left in tmp_path.iterdir()] == ["new"]
    assert uploads.sweep(tmp_path / "absent", 50) == 0


# ——— outbox ———


def test_a_token_leads_to_its_file_until_it_is_too_old(tmp_path: Path) -> None:
    box = Outbox(tmp_path, kept_s=100)
    slot = box.slot()
    assert box.find(slot.token, "signed") is None, "nothing is there yet"
    (slot.folder / ".signed.part").write_bytes(b"unfinished")
    assert box.find(slot.token, "signed") is None
    (slot.folder / "signed.jpg").write_bytes(b"x")
    assert box.find(slot.token, "signed") == slot.folder / "signed.jpg"
    assert box.find(slot.token, "another") is None
    os.utime(slot.folder, (time.time() - 101,) * 2)
    assert box.find(slot.token, "signed") is None
    box.slot()
    assert not slot.folder.exists()


@pytest.mark.parametrize("token", ["", ".", "..", "../..", "a" * 42, "a" * 44, "a" * 42 + "/", "a" * 42 + "\x00", "é" * 43])
def test_what_is_no_token_leads_nowhere(tmp_path: Path, token: str) -> None:
    assert Outbox(tmp_path).find(token, "signed") is None


def test_the_folders_name_does_not_give_the_token_away(tmp_path: Path) -> None:
    slot = Outbox(tmp_path).slot()
    assert slot.token not in str(slot.folder)
    assert Outbox(tmp_path).find(slot.folder.name[:43], "signed") is None


# ——— turns ———


def alone(work: Any) -> Any:
    """Run in a thread without a loop: a browser under test leaves one in the main thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, work).result()


def test_work_takes_turns_and_a_long_line_is_refused() -> None:
    line, gate, running, most = Turns(at_once=2, in_line=3), threading.Event(), [0], [0]
    lock = threading.Lock()

    def work() -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(60)
        with lock:
            running[0] -= 1
        return 1

    async def everything() -> tuple[int, int]:
        done, refused = [0], [0]

        async def one() -> None:
            try:
                one_more = await line.take(work)
                done[0] += one_more
            except ProblemError as error:
                assert error.problem.kind.slug == "busy"
                assert error.problem.retry_after_s
                refused[0] += 1

        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(one)
                await anyio.sleep(0.01)
            gate.set()
        return done[0], refused[0]

    assert alone(everything) == (5, 4)
    assert most[0] == 2


def test_waiting_work_holds_no_thread_of_the_frameworks_pool() -> None:
    line, gate = Turns(at_once=1, in_line=100), threading.Event()

    async def everything() -> int:
        async with anyio.create_task_group() as group:
            for _ in range(60):
                group.start_soon(line.take, lambda: gate.wait(60))
            await anyio.sleep(0.05)
            borrowed = anyio.to_thread.current_default_thread_limiter().borrowed_tokens
            gate.set()
        return int(borrowed)

    assert alone(everything) == 0


class Line:
    """A line with one turn that is taken until `ends`; who asks is noted as they are served."""

    def __init__(self, group: Any, in_line: int) -> None:
        self.turns, self.served, self.refused = Turns(at_once=1, in_line=in_line), [], []
        self._group, self._gate = group, threading.Event()
        group.start_soon(self.turns.take, lambda: self._gate.wait(60), "first")

    async def ask(self, client: str) -> anyio.CancelScope:
        scope = anyio.CancelScope()

        async def one() -> None:
            with scope:
                try:
                    await self.turns.take(lambda: self.served.append(client), client)
                except ProblemError as error:
                    assert error.problem.kind.slug == "busy"
                    self.refused.append(client)

        self._group.start_soon(one)
        await anyio.sleep(0.01)
        return scope

    def ends(self) -> None:
        self._gate.set()


def in_line(asked: str, in_line: int = 100, leaves: str = "") -> tuple[str, str]:
    """Clients in the order of being served, and those refused; those in `leaves` give up before the first turn ends."""

    async def everything() -> tuple[str, str]:
        async with anyio.create_task_group() as group:
            line = Line(group, in_line)
            await anyio.sleep(0.01)
            scopes = [(client, await line.ask(client)) for client in asked]
            for client, scope in scopes:
                if client in leaves:
                    scope.cancel()
            await anyio.sleep(0.01)
            line.ends()
        assert (line.turns.running, line.turns.waiting) == (0, 0)
        return "".join(line.served), "".join(line.refused)

    found: tuple[str, str] = alone(everything)
    return found


def test_the_next_turn_is_another_clients() -> None:
    assert in_line("aaaabbc") == ("abcabaa", "")


def test_whoever_fills_the_line_makes_room_for_others() -> None:
    assert in_line("aaaaab", in_line=4) == ("abaa", "aa")  # the fifth of its own, and the fourth for the other's first
    assert in_line("aabbc", in_line=4) == ("abcb", "a")
    assert in_line("abcd", in_line=3) == ("abc", "d")  # nobody has more than the newcomer would have


def test_who_left_the_line_is_forgotten() -> None:
    assert in_line("abab", leaves="a") == ("bb", "")
    assert in_line("ab", leaves="ab") == ("", "")


# ——— idempotency ———


def _run(once: Once, house: House, key: str | None, work: Any, *, request: str = "a") -> Any:
    digest = hashlib.sha256(request.encode()).hexdigest()
    return once.run(work, house.registry, key, route="POST /test", request_digest=digest, at=AT)


def test_the_same_request_is_done_once(house: House) -> None:
    once, calls = Once(), []
    answers = [_run(once, house, "same", lambda: calls.append(1) or {"n": len(calls)}) for _ in range(3)]
    assert answers == [({"n": 1}, False), ({"n": 1}, True), ({"n": 1}, True)]
    assert _run(Once(), house, "same", lambda: {"n": 9}) == ({"n": 1}, True), "another process finds it too"


def test_without_a_key_each_request_is_done(house: House) -> None:
    once, calls = Once(), []
    for _ in range(2):
        _run(once, house, None, lambda: calls.append(1) or {})
    assert len(calls) == 2


def test_a_key_for_another_request_is_refused(house: House) -> None:
    once = Once()
    _run(once, house, "reused", dict)
    with pytest.raises(ProblemError) as caught:
        _run(once, house, "reused", dict, request="b")
    assert caught.value.problem.kind.slug == "key-reused"


def test_an_error_is_not_remembered(house: House) -> None:
    once = Once()
    with pytest.raises(ZeroDivisionError):
        _run(once, house, "fails", lambda: 1 // 0)
    assert _run(once, house, "fails", lambda: {"ok": 1}) == ({"ok": 1}, False)


def test_the_same_request_meanwhile_is_told_to_wait(house: House) -> None:
    once = Once()

    def work() -> dict[str, int]:
        with pytest.raises(ProblemError) as caught:
            _run(once, house, "meanwhile", dict)
        assert caught.value.problem.kind.slug == "in-progress"
        return {"first": 1}

    assert _run(once, house, "meanwhile", work) == ({"first": 1}, False)
