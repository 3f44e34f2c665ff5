"""What reaches the two streams: plain in a pipe, wrapped on a terminal, harmless always."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli.batch import each
from api.cli.terminal import Cell, Row, Terminal

ROOT = Path(__file__).resolve().parents[2]
LONG = "word " * 60


@pytest.fixture
def terminal() -> Terminal:
    return Terminal(as_json=False)


def test_a_pipe_gets_one_line_for_each_row(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.rows([Row("signed by", LONG.strip()), Row("mark", "none", "good")])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["signed by  " + LONG.strip(), "mark       none"]


def test_columns_are_aligned_by_what_a_terminal_shows(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    body = [[Cell("none"), Cell("写真.jpg"), Cell("x")], [Cell("trusted"), Cell("a"), Cell("y")]]
    terminal.table(("status", "file", ""), body)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["status   file", "none     写真.jpg  x", "trusted  a         y"]


def test_escape_sequences_of_a_file_never_reach_the_terminal(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2Jname\nsecond line"
    terminal.line(hostile)
    terminal.rows([Row(hostile, hostile)])
    terminal.table((hostile,), [[Cell(hostile), Cell(hostile)]])
    terminal.complain(hostile)
    terminal.note(hostile)
    caught = capsys.readouterr()
    assert "\x1b" not in caught.out + caught.err
    assert "\x07" not in caught.out + caught.err
    assert caught.err.count("\n") == 2


def test_no_bar_in_a_pipe_and_none_for_one_thing(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    for total in (1, 50):
        with terminal.progress("Signing", total) as begin:
            begin("photo.jpg")
    assert capsys.readouterr().err == ""


def test_every_file_is_tried_and_each_failure_told(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    def work(path: Path) -> int:
        if path.name == "bad":
            raise PermissionError(13, "Permission denied", str(path))
        if path.name == "bug":
            raise KeyError("surprise")
        return 0

    batch = each(terminal, "Trying", [Path("bad"), Path("good"), Path("bug"), Path("good")], work)
    assert [path.name for path, _ in batch.done] == ["good"]
    assert [problem.code for _, problem in batch.failed] == ["no-rights", "internal"]
    assert batch.exit_code(lambda code: code) == 1
    assert batch.exit_code(lambda _: 2) == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == "colophon: bad: no right to open or write it"
    assert errors[1].startswith("colophon: bug: a fault of this program: KeyError")


def test_ctrl_c_keeps_what_was_done(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    def work(path: Path) -> str:
        if path.name == "second":
            raise KeyboardInterrupt
        return path.name

    batch = each(terminal, "Trying", [Path("first"), Path("second"), Path("third")], work)
    assert [value for _, value in batch.done] == ["first"]
    assert batch.exit_code(lambda _: 0) == 130
    assert [result["path"] for result in batch.results(lambda value: {"value": value})] == ["first"]
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colour_unless_asked_not_to(no_colour: str, coloured: bool) -> None:
    shown = _on_a_terminal("Terminal(as_json=False).line('trusted', 'good')", NO_COLOR=no_colour)
    assert ("\x1b[" in shown) is coloured
    assert "trusted" in shown


def test_a_terminal_gets_wrapped_text_with_a_hanging_indent() -> None:
    shown = _on_a_terminal(f"Terminal(as_json=False).rows([Row('signed by', {LONG!r})])", NO_COLOR="1")
    lines = shown.split("\r\n")
    assert len(lines) > 3
    assert all(line.startswith(" " * 11) for line in lines[1:] if line)
    assert max(map(len, lines)) <= 80


def _on_a_terminal(code: str, **environment: str) -> str:
    """Run code with standard output on a pseudo-terminal of 80 columns."""
    main, side = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color", **environment}
    script = f"from api.cli.terminal import Row, Terminal; {code}"
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=side, env=environment) as process:
        os.close(side)
        shown = b""
        while True:
            try:
                chunk = os.read(main, 4096)
            except OSError:  # Linux says so when the other side has closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(main)
    assert process.returncode == 0
    return shown.decode()
