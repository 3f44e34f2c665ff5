"""A SoftHSM2 token with a key of each kind, for tests and benches."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keys.algorithms import generate
from keys.authority import development_name, issue_leaf, new_issuer, new_root
from keys.certificate import to_pem

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so")


@contextmanager
def token(folder: Path, algorithms: Sequence[str]) -> Iterator[str | None]:
    """Its URI, with a place for the key's name and one for its chain's; None where SoftHSM2 is not installed."""
    module = os.environ.get("COLOPHON_TEST_PKCS11") or next((m for m in MODULES if Path(m).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        yield None
        return
    (folder / "tokens").mkdir(parents=True)
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    try:
        _fill(folder, algorithms)
        yield f"pkcs11:token=studio;object={{}};x-chain-path={folder}/{{}}.pem?module-path={module}&pin-source=file:{folder}/pin"
    finally:
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def _fill(folder: Path, algorithms: Sequence[str]) -> None:
    now = datetime.now(UTC)
    issuer = new_issuer(new_root(now), now)
    _softhsm("--init-token", "--free", "--label", "studio", "--pin", "1234", "--so-pin", "4321")
    for number, alg in enumerate(algorithms, start=1):
        key = generate(alg, rsa_bits=2048)
        path = folder / f"{alg}.p8"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        _softhsm("--import", str(path), "--token", "studio", "--label", alg, "--id", f"{number:02d}", "--pin", "1234")
        leaf = issue_leaf(issuer, key.public_key(), development_name(f"leaf {alg}"), now)
        (folder / f"{alg}.pem").write_text(to_pem((leaf,)))
    (folder / "pin").write_text("1234\n")
    (folder / "pin").chmod(0o600)


def _softhsm(*arguments: str) -> None:
    subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True)
