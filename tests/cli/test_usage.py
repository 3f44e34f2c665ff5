"""What a user meets first: help, usage errors, exit code 1, JSON that is one document."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

from api.cli.app import COMMANDS, colophon
from api.cli.app import run as run_line

ROOT = Path(__file__).resolve().parents[2]


def _commands() -> list[list[str]]:
    """Every command line that does something: `sign`, `keys check` …"""
    context = click.Context(colophon)
    lines: list[list[str]] = []
    for name in COMMANDS:
        command = colophon.get_command(context, name)
        lines += [[name, sub] for sub in command.commands] if isinstance(command, click.Group) else [[name]]
    return lines


@pytest.mark.parametrize("line", _commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_json(line: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run_line([*line, "--help"]) == 0
    shown = capfd.readouterr().out
    assert f"Example:\n    colophon {' '.join(line)}" in shown
    assert "--json" in shown
    assert "--home" in shown


@pytest.mark.parametrize("line", [[], ["keys"], ["trail"], ["trust"], *_commands()], ids=" ".join)
def test_no_help_page_says_what_we_never_say(line: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run_line([*line, "--help"]) == 0
    words = capfd.readouterr().out.lower().split()
    assert not {"authentic", "real", "fake", "genuine"} & set(words)


def test_help_comes_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "api.cli", "--help"], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 0.6  # of processor time, which is 0.15 s; the core's imports alone would take 2 s


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from api.cli.app import run; run(['sign', '--help']); "
        "heavy = {'numpy', 'c2pa', 'cv2', 'PIL', 'sqlalchemy', 'fastapi', 'rich', 'cryptography'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["sign"], "Missing argument 'FILE...'"),
        (["verify", "--wrong", "x"], "No such option"),
        (["verify", "a", "b", "--sidecar", "c"], "--sidecar belongs to one file"),
        (["verify", "a", "--at", "yesterday"], "is not a date or time"),
        (["sign", "a", "b", "-o", "c"], "-o names one file"),
        (["sign", "a", "-o", "b", "--to", "c"], "give one of them"),
        (["sign", "x/a.jpg", "y/a.jpg", "--to", "z"], "would both be written to"),
        (["sign", "a", "--source", "dream"], "'dream' is none of"),
        (["sign", "a", "--strength", "-1"], "not in the range"),
        (["edit", "a", "b", "-o", "c", "--action", "c2pa.created"], "'c2pa.created' is none of"),
        (["edit", "a", "b", "-o", "c"], "say what was done: --action"),
        (["sign", "a", "--receipt", "--no-register"], "--receipt needs a record"),
        (["keys", "init"], "say so with --dev"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_are_one_line_and_exit_1(line: list[str], says: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_line(line) == 1
    caught = capfd.readouterr()
    assert caught.out == ""
    assert caught.err.startswith("colophon: ")
    assert caught.err.count("\n") == 1
    assert says in caught.err
    assert "--help`" in caught.err


def test_usage_error_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_line(["sign", "--json"]) == 1
    document = json.loads(capfd.readouterr().out)
    assert document["error"]["code"] == "usage"
    assert document["exit_code"] == 1


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_line(["--version"]) == 0
    assert capfd.readouterr().out.startswith("colophon ")
