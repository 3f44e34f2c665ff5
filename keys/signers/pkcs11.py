"""Keys in a hardware module (PKCS#11), named by an RFC 7512 URI:

    pkcs11:token=studio;object=claim?pin-source=file:/run/secrets/pin&module-path=/usr/lib/softhsm/libsofthsm2.so

The private key never leaves the module. The chain comes from certificate objects of the same id, or from a PEM file named by our
own attribute `x-chain-path`. The PIN comes from the file of `pin-source`, readable by its owner alone, or from the environment
variable COLOPHON_PKCS11_PIN; `pin-value` in a URI is refused, since URIs end up in settings, logs and process lists.

One session, used by one thread at a time; after the module lost it (token pulled, HSM restarted) it is opened anew once.
Needs python-pkcs11, which is the extra `hsm`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.hashes import Hash

from keys.algorithms import ALGORITHMS, default_for, fits, verify
from keys.certificate import load_der, load_pem, to_pem
from keys.errors import AlgorithmError, KeyFileError, SignerUnavailableError, SigningRefusedError, UnknownSignerError
from keys.files import read_private

PIN_VARIABLE = "COLOPHON_PKCS11_PIN"
_PATH = frozenset({"token", "serial", "object", "id", "type", "manufacturer", "model", "slot-id", "x-chain-path"})
_QUERY = frozenset({"pin-source", "module-path", "x-alg"})


@dataclass(frozen=True)
class Pkcs11Uri:
    """The parts of a PKCS#11 URI that we use (RFC 7512 §2.3)."""

    text: str
    attributes: Mapping[str, str]
    key_id: bytes | None

    @classmethod
    def parse(cls, text: str) -> Pkcs11Uri:
        """Read a URI. Raises UnknownSignerError for a malformed one, an attribute twice or unknown, or a PIN in it."""
        path, _, query = text.removeprefix("pkcs11:").partition("?")
        found: dict[str, str] = {}
        key_id = None
        for part, known in [*((p, _PATH) for p in path.split(";")), *((q, _QUERY) for q in query.split("&"))]:
            name, equals, value = part.partition("=")
            if not part:
                continue
            if name == "pin-value":
                raise UnknownSignerError("pkcs11:…", f"no PIN in a URI: use pin-source=file:PATH or {PIN_VARIABLE}")
            if not equals or name in found or (name not in known and not name.startswith("x-")):
                raise UnknownSignerError(text, f"{name!r} is not understood, or there twice (RFC 7512)")
            found[name] = unquote(value)
            if name == "id":
                key_id = _bytes(value, text)
        if "object" not in found and key_id is None:
            raise UnknownSignerError(text, "names no key: give object= or id=")
        return cls(text, found, key_id)

    def pin(self) -> str | None:
        """The PIN, from where the URI says. Raises KeyFileError, UnknownSignerError."""
        source = self.attributes.get("pin-source")
        if source is None:
            return os.environ.get(PIN_VARIABLE)
        if source.startswith("|") or not source.removeprefix("file:").startswith("/"):
            raise UnknownSignerError(self.text, "pin-source must be file:/absolute/path")
        return read_private(Path(source.removeprefix("file:"))).decode("utf-8").strip()


class Pkcs11Signer:
    """A key in a module. Safe to share between threads: its one session is used by one at a time."""

    def __init__(self, uri: Pkcs11Uri) -> None:
        self._uri = uri
        self._lock = threading.Lock()
        self._session, self._key = self._opened()
        try:
            self._settle()
        except BaseException:
            self.close()
            raise

    def _settle(self) -> None:
        """Find the certificates, and make sure that they are this key's."""
        uri = self._uri
        self.chain = self._certificates()
        public = self.chain[0].public_key()
        self.alg = uri.attributes.get("x-alg") or default_for(public)
        if not fits(self.alg, public):
            raise AlgorithmError(self.alg, "does not fit the key of this certificate")
        probe = b"does this key belong to this certificate?"
        if not verify(public, self.alg, self.sign(probe), probe):
            raise KeyFileError(uri.text, "the certificate does not belong to the key in the module")

    @classmethod
    def load(cls, ref: str) -> Pkcs11Signer:
        """Open the key that a URI names.

        Raises:
            UnknownSignerError: a malformed URI, no such token or key, or python-pkcs11 is not installed.
            SigningRefusedError: the PIN is wrong, locked or missing.
            SignerUnavailableError: the module cannot be loaded or does not work.
            KeyFileError: the certificate is missing, or not that key's.
        """
        return cls(Pkcs11Uri.parse(ref))

    def close(self) -> None:
        """End the session, and with the last one the login."""
        self._session.close()

    @cached_property
    def certificate_pem(self) -> str:
        return to_pem(self.chain)

    def sign(self, data: bytes) -> bytes:
        """Sign in the module. Raises SignerUnavailableError, SigningRefusedError."""
        with self._lock:
            try:
                return self._sign(data)
            except SignerUnavailableError:
                self._session, self._key = self._opened()
                return self._sign(data)

    def _sign(self, data: bytes) -> bytes:
        import pkcs11  # an extra
        from pkcs11 import MGF, Mechanism

        row = ALGORITHMS[self.alg]
        try:
            if row.curve is not None:
                return bytes(self._key.sign(_hashed(row.digest, data), mechanism=Mechanism.ECDSA))
            if row.digest is None:
                return bytes(self._key.sign(data, mechanism=Mechanism.EDDSA))
            name = row.digest.name.upper()
            parameters = (getattr(Mechanism, name), getattr(MGF, name), row.digest.digest_size)
            mechanism = getattr(Mechanism, f"{name}_RSA_PKCS_PSS")
            return bytes(self._key.sign(data, mechanism=mechanism, mechanism_param=parameters))
        except pkcs11.exceptions.PKCS11Error as error:
            raise SignerUnavailableError(self._uri.text, _name(error)) from error

    def _opened(self) -> tuple[Any, Any]:
        """A session and the private key in it."""
        try:
            import pkcs11
        except ImportError as error:
            raise UnknownSignerError(self._uri.text, "needs python-pkcs11: install colophon[hsm]") from error
        wanted = self._uri.attributes
        module = wanted.get("module-path")
        if module is None:
            raise UnknownSignerError(self._uri.text, "names no module: give module-path=")
        pin = self._uri.pin()
        try:
            matching = [t for t in pkcs11.lib(module).get_tokens(token_label=wanted.get("token")) if _fits_token(t, wanted)]
            if len(matching) != 1:
                raise UnknownSignerError(self._uri.text, "more than one token fits" if matching else "no such token")
            session = _session(matching[0], pin, pkcs11)
            search = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY, **self._selected(pkcs11)}
            keys = list(session.get_objects(search))
        except (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinLenRange, pkcs11.exceptions.PinInvalid) as error:
            raise SigningRefusedError("pin", "the token's PIN is wrong") from error
        except (pkcs11.exceptions.PinLocked, pkcs11.exceptions.PinExpired) as error:
            raise SigningRefusedError(
                "locked", f"the token is locked ({_name(error)}); its security officer can unlock it"
            ) from error
        except pkcs11.exceptions.UserPinNotInitialized as error:
            raise SigningRefusedError("pin", "the token has no user PIN yet") from error
        except (pkcs11.exceptions.PKCS11Error, RuntimeError, OSError) as error:
            raise SignerUnavailableError(module, _name(error)) from error
        if len(keys) != 1:
            session.close()
            why = "more than one key fits" if keys else "no such key" if pin else "no such key; without a PIN none is seen"
            raise UnknownSignerError(self._uri.text, why)
        return session, keys[0]

    def _selected(self, pkcs11: Any) -> dict[Any, Any]:
        label = self._uri.attributes.get("object")
        chosen = {} if label is None else {pkcs11.Attribute.LABEL: label}
        return chosen if self._uri.key_id is None else {**chosen, pkcs11.Attribute.ID: self._uri.key_id}

    def _certificates(self) -> tuple[x509.Certificate, ...]:
        """The chain, from its file or from the token: the one for the key, then whatever else has the same id."""
        path = self._uri.attributes.get("x-chain-path")
        try:
            if path is not None:
                chain = load_pem(Path(path).read_bytes())
            else:
                import pkcs11

                search = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE, pkcs11.Attribute.ID: self._key.id}
                found = [load_der(bytes(item[pkcs11.Attribute.VALUE])) for item in self._session.get_objects(search)]
                chain = tuple(sorted(found, key=lambda item: not _is_leaf(item)))
        except (OSError, ValueError) as error:
            raise KeyFileError(path or self._uri.text, str(error)) from error
        if not chain:
            raise KeyFileError(path or self._uri.text, "no certificate for this key; give x-chain-path=")
        return chain


def _session(token: Any, pin: str | None, pkcs11: Any) -> Any:
    """A session; a process logs in to a token once, and all its sessions there share that."""
    try:
        return token.open(user_pin=pin)
    except pkcs11.exceptions.UserAlreadyLoggedIn:
        return token.open()


def _fits_token(token: Any, wanted: Mapping[str, str]) -> bool:
    serial = wanted.get("serial")
    held = token.serial.decode("ascii", "replace") if isinstance(token.serial, bytes) else str(token.serial)
    slot = wanted.get("slot-id")
    return (serial is None or held.strip() == serial) and (slot is None or str(token.slot.slot_id) == slot)


def _is_leaf(certificate: x509.Certificate) -> bool:
    try:
        return not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return True


def _hashed(digest: Any, data: bytes) -> bytes:
    running = Hash(digest)
    running.update(data)
    return running.finalize()


def _bytes(value: str, text: str) -> bytes:
    found = unquote_to_bytes(value)
    if not found:
        raise UnknownSignerError(text, "the id is empty")
    return found


def _name(error: BaseException) -> str:
    return str(error) or type(error).__name__
