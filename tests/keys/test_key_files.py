"""Key files that serve, and every way in which one does not."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import signer
from keys.algorithms import ALGORITHMS, verify
from keys.authority import issue_leaf, new_issuer, new_root
from keys.certificate import to_pem
from keys.errors import KeyFileError, KeysError, UnknownSignerError
from keys.protected import SECRET_VARIABLE
from keys.signer import load
from keys.signers.file import load_named, write_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "keys"
    place.mkdir(mode=0o700)
    return place


@pytest.fixture
def key_file(folder: Path, chain: Any) -> Path:
    path = folder / "camera.pem"
    write_key(path, chain.leaf.key, (chain.leaf.certificate, chain.issuer.certificate))
    return path


def rejected(path: Path, says: str) -> None:
    with pytest.raises(KeyFileError, match=says) as caught:
        load_named(path.parent, path.stem)
    assert caught.value.path in (path, path.with_suffix(".secret"))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_written_and_loaded(lab: Any, folder: Path, alg: str) -> None:
    key = rsa.generate_private_key(65537, 2048) if alg.startswith("ps") else None
    made = lab.issue("leaf", lab.ca("root"), alg=alg, key=key)
    write_key(folder / "k.pem", made.key, (made.certificate,), alg=alg)
    loaded = load("file:k", folder=folder)
    assert (loaded.alg, loaded.chain) == (alg, (made.certificate,))
    assert loaded.certificate_pem == to_pem((made.certificate,))
    assert verify(made.certificate.public_key(), alg, loaded.sign(b"data"), b"data")
    assert "key" not in repr(loaded)


def test_modes_and_encryption(key_file: Path) -> None:
    for path in (key_file, key_file.with_suffix(".secret")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key_file.read_bytes()
    assert len(key_file.with_suffix(".secret").read_text().strip()) == 43  # 32 bytes


def test_openssl_reads_it(key_file: Path) -> None:
    secret = key_file.with_suffix(".secret")
    done = subprocess.run(
        ["openssl", "pkey", "-in", key_file, "-passin", f"file:{secret}", "-noout", "-text"], capture_output=True, check=False
    )
    assert b"NIST CURVE: P-256" in done.stdout


def test_what_openssl_writes_serves(lab: Any, folder: Path) -> None:
    """A key from an outside CA: concatenate key and chain, put the passphrase beside."""
    made = lab.issue("leaf", lab.ca("root"))
    secret = "a passphrase of thirty-two letters and more"
    plain = folder / "plain.key"
    plain.write_bytes(made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    command = ["openssl", "pkcs8", "-topk8", "-v2", "aes256", "-in", plain, "-passout", f"pass:{secret}"]
    encrypted = subprocess.run(command, capture_output=True, check=True).stdout
    for name, content in (("own.pem", encrypted + to_pem((made.certificate,)).encode()), ("own.secret", secret.encode())):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    assert load_named(folder, "own").alg == "es256"


def test_the_environment_may_hold_the_secret(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = key_file.with_suffix(".secret")
    monkeypatch.setenv(SECRET_VARIABLE, secret.read_text())
    secret.unlink()
    assert load_named(key_file.parent, "camera").alg == "es256"
    monkeypatch.setenv(SECRET_VARIABLE, "x" * 43)
    rejected(key_file, "wrong secret")
    monkeypatch.setenv(SECRET_VARIABLE, "")
    rejected(key_file, "too short")


def test_nothing_is_written_beside_when_the_environment_has_it(chain: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s" * 43)
    write_key(folder / "k.pem", chain.leaf.key, (chain.leaf.certificate,))
    assert [path.name for path in folder.iterdir()] == ["k.pem"]
    assert load_named(folder, "k").alg == "es256"


def test_wrong_secret(key_file: Path) -> None:
    key_file.with_suffix(".secret").write_text("y" * 43)
    rejected(key_file, "wrong secret or damaged key")


def test_missing_and_short_secret(key_file: Path) -> None:
    secret = key_file.with_suffix(".secret")
    secret.write_text("password")
    rejected(key_file, "too short")
    secret.unlink()
    rejected(key_file, "No such file")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
@pytest.mark.parametrize("suffix", [".pem", ".secret"])
def test_files_that_others_may_read(key_file: Path, mode: int, suffix: str) -> None:
    key_file.with_suffix(suffix).chmod(mode)
    rejected(key_file, "others may read it")


def test_every_truncation(key_file: Path) -> None:
    whole = key_file.read_bytes()
    between = whole.index(b"-----END CERTIFICATE-----") + 25  # cut here it is a whole file with a shorter chain
    for size in {*range(0, len(whole) - 2, 61), between - 1, between + 2} - {between, between + 1}:
        key_file.write_bytes(whole[:size])
        with pytest.raises(KeyFileError):
            load_named(key_file.parent, "camera")


def test_key_and_certificate_of_different_people(lab: Any, chain: Any, folder: Path) -> None:
    write_key(folder / "k.pem", lab.issue("other").key, (chain.leaf.certificate,))
    rejected(folder / "k.pem", "does not belong")


def test_unencrypted_key(chain: Any, folder: Path) -> None:
    pem = chain.leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "k.pem"
    path.touch(mode=0o600)
    path.write_bytes(pem + to_pem((chain.leaf.certificate,)).encode())
    rejected(path, "not encrypted")


def test_no_certificate_and_wrong_algorithm(chain: Any, folder: Path) -> None:
    path = folder / "k.pem"
    write_key(path, chain.leaf.key, ())
    rejected(path, "no certificate")
    write_key(path, chain.leaf.key, (chain.leaf.certificate,), alg="es384")
    rejected(path, "cannot sign with es384")


def test_weak_key(lab: Any, folder: Path) -> None:
    made = lab.issue("leaf", lab.ca("root"), key=rsa.generate_private_key(65537, 1024))
    write_key(folder / "k.pem", made.key, (made.certificate,), alg="ps256")
    rejected(folder / "k.pem", "cannot sign with ps256")


def test_oversized_and_directories(key_file: Path) -> None:
    key_file.write_bytes(key_file.read_bytes() + b"\n" * 70_000)
    rejected(key_file, "too large")
    key_file.unlink()
    key_file.mkdir(mode=0o700)
    with pytest.raises(KeyFileError):
        load_named(key_file.parent, "camera")


@pytest.mark.parametrize("name", ["", "..", "../camera", "a/b", "/etc/passwd", "A", "a..b", ".hidden", "a\0b", "x" * 65])
def test_names_that_lead_elsewhere(key_file: Path, name: str) -> None:
    with pytest.raises(UnknownSignerError):
        load(f"file:{name}", folder=key_file.parent)


@pytest.mark.parametrize(
    "ref",
    [
        "nobody",
        "file:nobody",
        "ftp://sign.example/",
        "pkcs11:token=x",
        "",
        ":",
        "unix:",
        "unix:?key=a",
        "unix:/s?kay=a",
        "unix:/s?key=a&key=b",
    ],
)
def test_references_to_nothing(key_file: Path, ref: str) -> None:
    with pytest.raises(UnknownSignerError):
        load(ref, folder=key_file.parent)


def test_a_failed_write_leaves_the_old_key(key_file: Path, lab: Any, chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    before = key_file.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyFileError, match="No space left"):
        write_key(key_file, chain.leaf.key, (chain.leaf.certificate,))
    assert key_file.read_bytes() == before
    assert sorted(path.name for path in key_file.parent.iterdir()) == ["camera.pem", "camera.secret"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_load_or_are_our_error(key_file: Path, tmp_path: Path, data: Any) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(key_file.parent, copy, dirs_exist_ok=True)
    whole = bytearray(key_file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 1500))] = data.draw(st.integers(0, 255))
    (copy / "camera.pem").write_bytes(whole)
    with contextlib.suppress(KeysError):
        assert load("camera", folder=copy).alg


def test_a_secret_with_a_newline_or_without(key_file: Path, chain: Any) -> None:
    secret = key_file.with_suffix(".secret")
    text = secret.read_text().strip()
    for ending in ("", "\n", "\r\n"):
        secret.write_bytes((text + ending).encode())
        assert load_named(key_file.parent, "camera").chain[0] == chain.leaf.certificate


def test_the_readme_session(folder: Path) -> None:
    """The commands for an outside CA, as they stand in keys/README.md, with the lab as that CA."""
    readme = (Path(signer.__file__).parent / "README.md").read_text("utf-8")
    new, take, again = readme.split("```")[1].strip().splitlines()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLOPHON_HOME": str(folder)}

    def run(line: str) -> None:
        command = ["bash", "-euo", "pipefail", "-c", line]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    request = folder / "keys" / "requests" / "studio.csr"
    run(new)
    asked = x509.load_pem_x509_csr(request.read_bytes())
    now = datetime.now(UTC)
    issuer = new_issuer(new_root(now), now)
    leaf = issue_leaf(issuer, asked.public_key(), asked.subject, now)
    (folder / "answer.pem").write_text(to_pem((leaf, issuer.certificate)))
    run(take)
    made = load("studio", folder=folder / "keys")
    assert made.chain == (leaf, issuer.certificate)
    run(again)
    assert x509.load_pem_x509_csr(request.read_bytes()).public_key() != asked.public_key()
    assert verify(leaf.public_key(), "es256", made.sign(b"x"), b"x")
