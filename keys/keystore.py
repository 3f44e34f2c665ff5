"""The keys folder, `$COLOPHON_HOME/keys/`, and its first filling with a development authority.

keys/                     0700
  NAME.pem, NAME.secret   0600  a signing key: see `signers.file`; the development key is called `development`
  authority/              0700  made once, as a whole
    root, issuer, ocsp      the development CA, and the responder that speaks for it
    tsa-root, tsa           its separate time stamp authority (each a .pem and a .secret)
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from keys.authority import Issued, new_issuer, new_responder, new_root, new_signer, new_tsa, new_tsa_root
from keys.book import Book
from keys.certificate import fingerprint, read_pem, signed_by, to_pem
from keys.errors import KeyFileError, UnknownSignerError
from keys.files import locked, private_folder
from keys.ocsp import Responder
from keys.signer import Signer, load
from keys.signers.file import NAME, key_path, load_file, write_key
from keys.trust import ListKind, TrustList
from keys.tsa import TimeStampAuthority

DEVELOPMENT = "development"
RENEW_BEFORE = timedelta(days=15)  # a leaf with less than this left is replaced
_AUTHORITY = "authority"


@dataclass(frozen=True)
class Keystore:
    """An opened keys folder. Nothing is cached: what it gives is what the files say now."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> Keystore:
        """Open an existing keys folder. Raises KeyFileError if there is none."""
        if not folder.is_dir():
            raise KeyFileError(folder, "there is no keys folder; run: colophon keys init --dev")
        return cls(folder)

    def names(self) -> tuple[str, ...]:
        """Names of the signing keys, sorted."""
        found = (path.stem for path in self.folder.glob("*.pem"))
        return tuple(sorted(name for name in found if NAME.fullmatch(name)))

    def signer(self, ref: str | None = None) -> Signer:
        """The signer a reference names; the development key by default. Raises like `keys.signer.load`."""
        return load(ref or DEVELOPMENT, folder=self.folder)

    def chain(self, name: str) -> tuple[x509.Certificate, ...]:
        """A key's certificates, leaf first, without touching its secret. Raises UnknownSignerError, KeyFileError."""
        path = key_path(self.folder, name)
        if not path.exists():
            raise UnknownSignerError(name, f"no such key in {self.folder}")
        return read_pem(path)

    def development_lists(self) -> tuple[TrustList, TrustList]:
        """The development signer list and TSA list, each with its one root. Raises KeyFileError before the first
        `init`.
        """
        return self._list("root", ListKind.SIGNER, "Development signers"), self._list(
            "tsa-root", ListKind.TSA, "Development time stamps"
        )

    def tsa(self) -> TimeStampAuthority:
        """The development time stamp authority. Raises KeyFileError before the first `init`."""
        path = self.folder / _AUTHORITY / "tsa.pem"
        signer = load_file(path)
        if not isinstance(signer.key, ec.EllipticCurvePrivateKey):
            raise KeyFileError(path, "the time stamp key is not an elliptic curve key")
        return TimeStampAuthority(signer.chain, signer.key)

    def responder(self) -> Responder:
        """The OCSP responder of the development CA. Raises KeyFileError before the first `init`."""
        path = self.folder / _AUTHORITY / "ocsp.pem"
        signer = load_file(path)
        if not isinstance(signer.key, ec.EllipticCurvePrivateKey):
            raise KeyFileError(path, "the responder's key is not an elliptic curve key")
        return Responder(signer.chain[0], signer.key, read_pem(self.folder / _AUTHORITY / "issuer.pem")[0])

    def issuer(self) -> Issued:
        """The development CA that issues leaves. Raises KeyFileError before the first `init`."""
        return _read(self.folder / _AUTHORITY / "issuer.pem")

    def _list(self, root: str, kind: ListKind, name: str) -> TrustList:
        anchor = read_pem(self.folder / _AUTHORITY / f"{root}.pem")[:1]
        return TrustList.from_pem(
            to_pem(anchor).encode("ascii"),
            kind=kind,
            name=f"{name} (this machine only)",
            uri=f"urn:colophon:development:{kind.value}:{fingerprint(anchor[0])[:16]}",
            date=anchor[0].not_valid_before_utc.date(),
            source=str(self.folder / _AUTHORITY / f"{root}.pem"),
            development=True,
        )


def init_development(folder: Path, *, now: datetime, ocsp_url: str | None = None) -> Keystore:
    """Make sure that a keys folder has a development authority and a signing key with life left in it.

    Done twice it changes nothing; two processes at once wait for each other; a crash at any moment leaves a folder
    that the next call completes. Other keys in the folder are never touched. An authority whose own roots have run
    out is an error, not silently replaced: what it signed would lose its anchor.
    Args:
        ocsp_url: written into new leaves, if the outside world can reach our responder.
        now: aware instant. The development key is renewed (new key, same root) when it ends within 15 days or is not
            yet valid.
    Raises:
        KeyFileError: the folder cannot be written, or what is in it is damaged.
    """
    private_folder(folder)
    try:
        with locked(folder):
            authority = folder / _AUTHORITY
            if not authority.is_dir():
                _make_authority(authority, now)
            _renew_services(authority, now)
            _renew_responder(authority, now)
            _renew_signer(folder, now, ocsp_url)
        leaf = read_pem(key_path(folder, DEVELOPMENT))[0]
        if fingerprint(leaf) not in Book(folder).read().issued:  # new, or a crash came between
            Book(folder).issue(leaf)
    except OSError as error:
        raise KeyFileError(folder, error.strerror or "cannot be written") from error
    return Keystore(folder)


def rotate_development(folder: Path, *, now: datetime, ocsp_url: str | None = None) -> Keystore:
    """Give the development key a successor under the same authority, whatever life it has left. Raises KeyFileError."""
    keystore = init_development(folder, now=now, ocsp_url=ocsp_url)
    with locked(folder):
        issuer = _read(folder / _AUTHORITY / "issuer.pem")
        _write(key_path(folder, DEVELOPMENT), new_signer(issuer, now, ocsp_url=ocsp_url), issuer.certificate)
    Book(folder).issue(keystore.chain(DEVELOPMENT)[0])
    return keystore


def _make_authority(place: Path, now: datetime) -> None:
    """Build the whole folder beside its place and rename it there."""
    building = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))  # mode 0700
    try:
        root, tsa_root = new_root(now), new_tsa_root(now)
        _write(building / "root.pem", root)
        _write(building / "issuer.pem", new_issuer(root, now))
        _write(building / "tsa-root.pem", tsa_root)
        _write(building / "tsa.pem", new_tsa(tsa_root, now), tsa_root.certificate)
        building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _renew_services(authority: Path, now: datetime) -> None:
    """Renew issuing CA and time stamp leaf, five-year certificates, under their ten-year roots."""
    made = read_pem(authority / "root.pem")[0].not_valid_before_utc
    if now < made:
        raise KeyFileError(authority, f"was made on {made:%Y-%m-%d}, and now it is {now:%Y-%m-%d}? check the clock")
    for name, parent in (("issuer", "root"), ("tsa", "tsa-root")):
        path = authority / f"{name}.pem"
        if _lasts(path, now):
            continue
        above = _read(authority / f"{parent}.pem")
        if above.certificate.not_valid_after_utc <= now + RENEW_BEFORE:
            raise KeyFileError(authority, "the development root has run out; move this folder away to start a new one")
        if name == "issuer":
            _write(path, new_issuer(above, now))
        else:
            _write(path, new_tsa(above, now), above.certificate)


def _renew_responder(authority: Path, now: datetime) -> None:
    """Make or renew the OCSP responder, also where the issuing CA was renewed since."""
    path, issuer = authority / "ocsp.pem", read_pem(authority / "issuer.pem")[0]
    if not path.exists() or not _lasts(path, now) or not signed_by(read_pem(path)[0], issuer):
        _write(path, new_responder(_read(authority / "issuer.pem"), now))


def _renew_signer(folder: Path, now: datetime, ocsp_url: str | None) -> None:
    """A new key where one is due, or where the last one was revoked."""
    path = key_path(folder, DEVELOPMENT)
    if path.exists() and _lasts(path, now) and fingerprint(read_pem(path)[0]) not in Book(folder).read().revoked:
        return
    issuer = _read(folder / _AUTHORITY / "issuer.pem")
    _write(path, new_signer(issuer, now, ocsp_url=ocsp_url), issuer.certificate)


def _lasts(path: Path, now: datetime) -> bool:
    leaf = read_pem(path)[0]
    return leaf.not_valid_before_utc <= now and now + RENEW_BEFORE < leaf.not_valid_after_utc


def _read(path: Path) -> Issued:
    signer = load_file(path)
    return Issued(signer.chain[0], signer.key)


def _write(path: Path, issued: Issued, *above: x509.Certificate) -> None:
    write_key(path, issued.key, (issued.certificate, *above))
