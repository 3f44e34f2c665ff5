"""Keys, trust, migrations and the service by command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Colophon

ROOT = Path(__file__).resolve().parents[2]


def test_keys_init_twice_changes_nothing(colophon: Colophon, tmp_path: Path) -> None:
    first = colophon("keys", "init", "--dev", "--home", tmp_path, "--json").document
    again = colophon("keys", "init", "--dev", "--home", tmp_path, "--json").document
    assert first == again
    assert (tmp_path / "keys" / "development.pem").stat().st_mode & 0o077 == 0


def test_keys_check_of_the_development_key(colophon: Colophon) -> None:
    ran = colophon("keys", "check", "development")
    assert ran.code == 0
    assert ran.out.startswith("fit to sign  development\n")
    document = colophon("keys", "check", "development", "--json").document
    assert document["fit_to_sign"]
    assert {finding["severity"] for finding in document["findings"]} <= {"warning"}


def test_keys_check_in_a_hundred_years(colophon: Colophon) -> None:
    later = (datetime.now(UTC) + timedelta(days=36500)).date().isoformat()
    ran = colophon("keys", "check", "development", "--at", later)
    assert ran.code == 2
    assert ran.out.startswith("not fit to sign")
    assert "mend" in ran.out


@pytest.mark.parametrize(
    ("named", "content", "says"),
    [
        ("missing.pem", None, "no such file"),
        ("empty.pem", b"", "holds no certificate"),
        ("noise.pem", bytes(range(256)), "holds no certificate"),
        ("cut.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n", "cut off"),
        ("wrong.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ],
)
def test_keys_check_of_what_is_no_chain(colophon: Colophon, tmp_path: Path, named: str, content: bytes | None, says: str) -> None:
    path = tmp_path / named
    if content is not None:
        path.write_bytes(content)
    ran = colophon("keys", "check", path)
    assert ran.code == 1
    assert ran.err.startswith(f"colophon: {path}: ")
    assert says in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("ref", ["nobody", "pkcs11:x", "unix:/nowhere.sock", "../../etc/passwd", ""])
def test_keys_check_of_a_reference_that_leads_nowhere(colophon: Colophon, ref: str) -> None:
    ran = colophon("keys", "check", ref)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "fault of this program" not in ran.err


def test_trust_show_keeps_kinds_apart_and_dates_them(colophon: Colophon) -> None:
    lists = colophon("trust", "show", "--json").document["lists"]
    assert {one["kind"] for one in lists} == {"signer", "tsa"}
    assert all(one["digest"].startswith("sha256:") and one["date"] for one in lists)
    assert any(one["development"] for one in lists)
    assert not any("timeStamping" in one["purposes"] for one in lists if one["kind"] == "signer")


def test_migrate_twice(colophon: Colophon, tmp_path: Path) -> None:
    first = colophon("migrate", "--home", tmp_path, "--json").document
    again = colophon("migrate", "--home", tmp_path, "--json").document
    assert first["applied"]
    assert again == {"applied": [], "revision": first["revision"], "exit_code": 0}
    assert colophon("migrate", "--home", tmp_path).out == f"already at {first['revision']}\n"


def test_migrate_of_what_is_no_database(colophon: Colophon, tmp_path: Path) -> None:
    (tmp_path / "colophon.db").write_bytes(b"not a database, though long enough to look like one" * 40)
    ran = colophon("migrate", "--home", tmp_path)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "colophon.db" in ran.err


@pytest.mark.slow
def test_serve_answers_and_stops_at_ctrl_c(home: Path) -> None:
    environment = {**os.environ, "COLOPHON_HOME": str(home), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "api.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        line, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        address = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["address"]
        with urllib.request.urlopen(f"{address}healthz", timeout=240) as answer:
            assert answer.status == 200
        os.killpg(process.pid, signal.SIGINT)
        _, complained = process.communicate(timeout=240)
    assert process.returncode == 0
    assert [json.loads(line)["level"] for line in complained.splitlines()] == ["info"]


def test_serve_on_a_taken_port_is_one_line(colophon: Colophon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = colophon("serve", "--port", str(port))
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err == f"colophon: 127.0.0.1:{port}: address already in use\n"
