"""Everything that can be wrong with a file is one line, `colophon: FILE: what`, exit 1, and nothing left behind."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Colophon, Ran

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
COMMANDS = (["verify"], ["explain"], ["find"], ["sign"], ["trail", "show"])


def one_line(ran: Ran, path: Path) -> str:
    """The complaint about a path; checks that it is the only one."""
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith(f"colophon: {path}: "), ran.err
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert "fault of this program" not in ran.err
    return ran.err.removeprefix(f"colophon: {path}: ").rstrip("\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_missing(colophon: Colophon, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "missing.jpg"
    assert "no such file" in one_line(colophon(*command, path), path) or command[0] == "trail"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_folder_where_a_file_belongs(colophon: Colophon, tmp_path: Path, command: list[str]) -> None:
    one_line(colophon(*command, tmp_path), tmp_path)


def test_unsupported_type(colophon: Colophon, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("just words\n")
    one_line(colophon("sign", path), path)
    one_line(colophon("find", path), path)
    assert list(tmp_path.iterdir()) == [path]


def test_empty(colophon: Colophon, tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    one_line(colophon("sign", path), path)


def test_truncated(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.jpg"
    path.write_bytes(photo.read_bytes()[: photo.stat().st_size // 2])
    one_line(colophon("sign", path), path)
    assert list(tmp_path.iterdir()) == [path]
    assert colophon("verify", path).code in (3, 4)


def test_a_film_that_is_cut_off(colophon: Colophon, corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    path.write_bytes((corpus / "video" / "nasa_270p_2tracks.mp4").read_bytes()[:-1000])
    assert one_line(colophon("sign", path), path) == "is cut off: 1,000 bytes that it should have are missing"
    assert list(tmp_path.iterdir()) == [path]


def test_output_that_is_the_input(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo.read_bytes())
    assert "overwrite the input" in one_line(colophon("sign", path, "-o", path), path)
    link = tmp_path / "link.jpg"
    link.symlink_to(path)
    assert "overwrite the input" in one_line(colophon("sign", path, "-o", link), link)
    assert path.read_bytes() == photo.read_bytes()


def test_output_that_is_a_folder(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    assert "folder" in one_line(colophon("sign", photo, "-o", tmp_path), tmp_path)


def test_output_in_a_folder_that_is_missing(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "out.jpg"
    assert one_line(colophon("sign", photo, "-o", path), path) == f"there is no folder {path.parent}"


def test_output_folder_that_is_a_file(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    ran = colophon("sign", photo, "--to", photo)
    assert ran.code == 1
    assert ran.err.count("\n") == 1


def test_signing_what_is_signed(colophon: Colophon, signed: Path, tmp_path: Path) -> None:
    assert "colophon edit" in one_line(colophon("sign", signed, "-o", tmp_path / "again.jpg"), signed)


def test_unknown_key(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    ran = colophon("sign", photo, "-o", tmp_path / "out.jpg", "--key", "nobody")
    assert ran.code == 1
    assert "no such key" in ran.err
    assert not list(tmp_path.iterdir())


def test_unknown_mark(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    ran = colophon("sign", photo, "-o", tmp_path / "out.jpg", "--mark", "org.example.nothing")
    assert ran.code == 1
    assert "no mark of that name" in ran.err


def test_trust_file_without_certificates(colophon: Colophon, signed: Path, photo: Path) -> None:
    ran = colophon("verify", signed, "--trust", photo)
    assert ran.code == 1
    assert ran.err.count("\n") == 1


def test_missing_sidecar(colophon: Colophon, signed: Path, tmp_path: Path) -> None:
    one_line(colophon("verify", signed, "--sidecar", tmp_path / "no.c2pa"), tmp_path / "no.c2pa")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_errors_as_json_are_one_document(colophon: Colophon, tmp_path: Path, command: list[str]) -> None:
    ran = colophon(*command, tmp_path / "missing.jpg", "--json")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert document["exit_code"] == 1
    error = document["error"] if "error" in document else document["results"][0]["error"]
    assert set(error) == {"code", "where", "say"}
    assert error["where"].endswith("missing.jpg")


def test_home_that_cannot_be_made(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    ran = colophon("verify", photo, "--home", photo / "home")
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "fault of this program" not in ran.err


def test_nonsense_in_the_settings(colophon: Colophon, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("upload_limit_mb = 'much'\n")
    assert "config.toml" in colophon("verify", photo, "--home", tmp_path).err


def _subprocess(home: Path, *arguments: object, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "COLOPHON_HOME": str(home), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "api.cli", *map(str, arguments)]
    return subprocess.Popen(line, env=environment, text=True, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def _powerless() -> None:
    """Take from root, who may run the tests, the power to pass over rights (capabilities(7), prctl(2))."""
    drop_from_bounding_set = 24
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="root's powers are dropped the Linux way")
def test_a_file_and_a_folder_without_rights(home: Path, photo: Path, tmp_path: Path) -> None:
    secret, shut = tmp_path / "secret.jpg", tmp_path / "shut"
    secret.write_bytes(photo.read_bytes())
    secret.chmod(0)
    shut.mkdir(mode=0o500)
    for line, path in ((["verify", secret], secret), (["sign", photo, "-o", shut / "out.jpg"], shut)):
        with _subprocess(home, *line, stdout=subprocess.PIPE, preexec_fn=_powerless) as process:
            said, complained = process.communicate(timeout=240)
        assert process.returncode == 1
        assert said == ""
        assert complained.startswith(f"colophon: {path}"), complained
        assert "permission" in complained.lower() or "no right" in complained
        assert complained.count("\n") == 1
    assert not list(shut.iterdir())


def test_the_first_use_says_once_what_it_made(colophon: Colophon, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    first = colophon("trust", "show", "--home", fresh)
    again = colophon("trust", "show", "--home", fresh)
    assert first.code == again.code == 0
    assert first.err.startswith("note: first use: made a development certificate authority")
    assert first.err.count("\n") == 1
    assert again.err == ""
    assert first.out == again.out


def test_a_full_disk_leaves_nothing_behind(home: Path, signed: Path, photo: Path, tmp_path: Path) -> None:
    """No file may grow beyond 40 kB: the signed photo would."""

    def fence() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    out = tmp_path / "out.jpg"
    with _subprocess(home, "sign", photo, "-o", out, stdout=subprocess.PIPE, preexec_fn=fence) as process:
        said, complained = process.communicate(timeout=240)
    assert process.returncode == 1, complained
    assert said == ""
    assert complained.startswith("colophon: ")
    assert complained.count("\n") == 1
    assert "Traceback" not in complained
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_output_that_is_full(home: Path, signed: Path) -> None:
    with Path("/dev/full").open("w") as full, _subprocess(home, "trust", "show", "--json", stdout=full) as process:
        _, complained = process.communicate(timeout=240)
    assert process.returncode == 1
    assert complained.count("\n") == 1
    assert "no space left" in complained


def test_a_reader_that_leaves_is_no_error_message(home: Path, signed: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with _subprocess(home, "trust", "show", stdout=writing) as process:
        os.close(writing)
        _, complained = process.communicate(timeout=240)
    assert complained == ""


def _interruptible() -> None:
    """A shell starts what runs behind it with interrupts ignored, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_is_clean(home: Path, signed: Path, photo: Path, tmp_path: Path) -> None:
    several = [tmp_path / f"{n}.jpg" for n in range(40)]
    for path in several:
        path.write_bytes(photo.read_bytes())
    target = tmp_path / "to"
    own = {"start_new_session": True, "preexec_fn": _interruptible}
    with _subprocess(home, "sign", *several, "--to", target, stdout=subprocess.PIPE, **own) as process:
        deadline = time.monotonic() + 240
        while not (target.is_dir() and any(target.glob("*.jpg"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the line
        _, complained = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "Traceback" not in complained
    assert "stopped" in complained
    assert not list(target.glob(".*")), "no half-written file is left"
