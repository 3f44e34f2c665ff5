"""The README's first screen is true: its session is run, and its words compared."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def session() -> list[tuple[str, list[str]]]:
    """Commands of the first console block with the output that is promised."""
    block = README.split("```console\n", 1)[1].split("```", 1)[0]
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def matches(promised: str, printed: str) -> bool:
    return re.fullmatch(re.escape(promised).replace("…", ".*"), printed) is not None


@pytest.mark.slow
def test_the_first_screen(tmp_path: Path) -> None:
    shutil.copy(ROOT / "api" / "demo" / "media" / "larch.jpg", tmp_path / "photo.jpg")
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLOPHON_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    steps = session()
    assert len(steps) >= 4
    for command, promised in steps:
        words = shlex.split(command)
        if words[0] == "colophon":
            words = [sys.executable, "-m", "api.cli", *words[1:]]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        assert len(printed) == len(promised), done.stdout
        for want, got in zip(promised, printed, strict=True):
            assert matches(want, got), f"{want!r} is not {got!r}"


def test_its_commands_exist() -> None:
    import click

    from api.cli.app import colophon

    known = set(colophon.list_commands(click.Context(colophon)))
    used = set(re.findall(r"^(?:\$ )?colophon ([\w-]+)", README, re.MULTILINE)) | set(re.findall(r"· colophon ([\w-]+)", README))
    assert used
    assert used <= known


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_its_statuses_are_all_there() -> None:
    from provenance.verdict import EXIT_CODES

    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d) \|$", README, re.MULTILINE))
    assert {word: int(code) for word, code in rows.items()} == {str(s): c for s, c in EXIT_CODES.items()}
