"""The keys folder: made once, completed after a crash, renewed, never clobbered."""

from __future__ import annotations

import multiprocessing
import shutil
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from keys import authority
from keys.algorithms import verify
from keys.certificate import to_pem
from keys.errors import KeyFileError, KeysError, UnknownSignerError
from keys.keystore import DEVELOPMENT, Keystore, init_development
from keys.profile import check
from keys.timestamp import TimeState, check_token, request
from keys.trust import ListKind, build_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trusted(store: Keystore, at: datetime) -> Any:
    leaf, *above = store.signer().chain
    return build_path(leaf, above, store.development_lists(), kind=ListKind.SIGNER, at=at)


def test_first_use(folder: Path, lab: Any) -> None:
    store = init_development(folder, now=lab.now)
    assert store.names() == (DEVELOPMENT,)
    signer = store.signer()
    assert (signer.alg, len(signer.chain)) == ("es256", 2)
    assert verify(signer.chain[0].public_key(), "es256", signer.sign(b"x"), b"x")
    assert store.chain(DEVELOPMENT) == signer.chain
    assert not [item for item in check(signer.chain, at=lab.now) if item.severity == "error"]
    found = trusted(store, lab.now)
    assert found.trusted
    assert found.development
    for item in (*found.chain, *store.tsa().chain):
        assert "Colophon development" in item.subject.rfc4514_string()
        assert "(not for publication)" in item.subject.rfc4514_string()


def test_the_two_lists_vouch_for_their_own_kind_only(folder: Path, lab: Any) -> None:
    store = init_development(folder, now=lab.now)
    signers, stamps = store.development_lists()
    assert (signers.kind, stamps.kind) == (ListKind.SIGNER, ListKind.TSA)
    assert signers.development
    assert stamps.development
    assert not set(signers.anchors) & set(stamps.anchors)
    reply = store.tsa().respond(request(b"m", nonce=1), at=lab.now, serial=1)
    assert check_token(reply, b"m", (signers, stamps), at=lab.now).state is TimeState.TRUSTED
    assert check_token(reply, b"m", (signers,), at=lab.now).state is TimeState.UNTRUSTED
    leaf, *above = store.signer().chain
    assert not build_path(leaf, above, [stamps], kind=ListKind.SIGNER, at=lab.now).trusted


def test_nobody_else_may_read(folder: Path, lab: Any) -> None:
    init_development(folder, now=lab.now)
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    folder.chmod(0o755)
    init_development(folder, now=lab.now)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_twice_is_once(folder: Path, lab: Any) -> None:
    init_development(folder, now=lab.now)
    before = snapshot(folder)
    init_development(folder, now=lab.now + timedelta(days=70))
    assert snapshot(folder) == before


def test_a_leaf_near_its_end_is_renewed_under_the_same_root(folder: Path, lab: Any) -> None:
    store = init_development(folder, now=lab.now)
    old, before = store.signer(), snapshot(folder)
    later = lab.now + timedelta(days=80)
    assert init_development(folder, now=later) == store
    new = store.signer()
    assert new.chain[0].public_key() != old.chain[0].public_key()
    assert new.chain[1] == old.chain[1]
    assert {name for name, content in snapshot(folder).items() if content != before[name]} == {"development.pem", "book.jsonl"}
    assert trusted(store, later).trusted
    leaf, *above = old.chain
    assert build_path(leaf, above, store.development_lists(), kind=ListKind.SIGNER, at=lab.now).trusted


def test_issuer_and_authority_are_renewed_after_five_years(folder: Path, lab: Any) -> None:
    store = init_development(folder, now=lab.now)
    lists = store.development_lists()
    later = lab.now + timedelta(days=1820)
    init_development(folder, now=later)
    assert store.development_lists() == lists
    assert trusted(store, later).trusted
    reply = store.tsa().respond(request(b"m", nonce=1), at=later, serial=1)
    assert check_token(reply, b"m", lists, at=later).state is TimeState.TRUSTED


def test_an_outlived_root_is_an_error(folder: Path, lab: Any) -> None:
    init_development(folder, now=lab.now)
    before = snapshot(folder)
    with pytest.raises(KeyFileError, match="has run out"):
        init_development(folder, now=lab.now + timedelta(days=3650))
    assert snapshot(folder) == before


def test_a_clock_set_back(folder: Path, lab: Any) -> None:
    init_development(folder, now=lab.now)
    with pytest.raises(KeyFileError, match="check the clock"):
        init_development(folder, now=lab.now - timedelta(days=30))


def test_other_keys_are_left_alone(folder: Path, lab: Any, chain: Any) -> None:
    from keys.signers.file import write_key

    folder.mkdir(parents=True)
    write_key(folder / "camera.pem", chain.leaf.key, (chain.leaf.certificate, chain.issuer.certificate))
    (folder / "notes.txt").write_text("mine")
    before = snapshot(folder)
    store = init_development(folder, now=lab.now)
    assert store.names() == ("camera", DEVELOPMENT)
    assert store.signer("camera").chain[0] == chain.leaf.certificate
    assert {name: snapshot(folder)[name] for name in before} == before


@pytest.mark.parametrize("dies_in", ["new_root", "new_issuer", "new_tsa_root", "new_tsa", "new_signer"])
def test_a_crash_at_any_step_is_completed(folder: Path, lab: Any, monkeypatch: pytest.MonkeyPatch, dies_in: str) -> None:
    """Power cut: no clean-up code runs, so temporary files stay; the next start must not mind them."""

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(f"keys.keystore.{dies_in}", die)
        broken.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            init_development(folder, now=lab.now)
    store = init_development(folder, now=lab.now)
    assert trusted(store, lab.now).trusted
    assert store.names() == (DEVELOPMENT,)


def test_a_secret_without_its_key_is_used_again(folder: Path, lab: Any) -> None:
    init_development(folder, now=lab.now)
    secret = (folder / "development.secret").read_bytes()
    (folder / "development.pem").unlink()
    store = init_development(folder, now=lab.now)
    assert (folder / "development.secret").read_bytes() == secret
    assert trusted(store, lab.now).trusted


def _start(folder: str, now: datetime, results: Any) -> None:
    try:
        store = init_development(Path(folder), now=now)
        results.put(to_pem(store.signer().chain) + to_pem(store.development_lists()[0].anchors))
    except KeysError as error:
        results.put(str(error))


@pytest.mark.slow
def test_two_first_starts_at_once(folder: Path, lab: Any) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    started = [context.Process(target=_start, args=(str(folder), lab.now, results)) for _ in range(3)]
    for process in started:
        process.start()
    answers = {results.get(timeout=240) for _ in started}
    for process in started:
        process.join(60)
    assert len(answers) == 1
    assert "BEGIN CERTIFICATE" in answers.pop()


def test_no_folder_and_damaged_folders(folder: Path, lab: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="keys init"):
        Keystore.open(folder)
    store = init_development(folder, now=lab.now)
    assert Keystore.open(folder) == store
    with pytest.raises(UnknownSignerError):
        store.signer("nobody")
    with pytest.raises(UnknownSignerError):
        store.chain("nobody")
    for name, say in (("root.pem", "no certificate"), ("tsa-root.pem", "no certificate")):
        (folder / "authority" / name).write_bytes(b"")
        with pytest.raises(KeyFileError, match=say):
            store.development_lists()
    (folder / "authority" / "tsa.secret").write_text("z" * 43)
    with pytest.raises(KeyFileError, match="wrong secret"):
        store.tsa()
    (folder / "development.pem").write_bytes(b"")
    with pytest.raises(KeyFileError):
        init_development(folder, now=lab.now)
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError):
        init_development(tmp_path / "file", now=lab.now)
    with pytest.raises(KeyFileError):
        init_development(tmp_path / "file" / "keys", now=lab.now)


def test_private_keys_do_not_show(lab: Any) -> None:
    root = authority.new_root(lab.now)
    assert repr(root).startswith("Issued('CN=Colophon development root")
    assert "key" not in repr(root).split("(", 1)[1].lower()
