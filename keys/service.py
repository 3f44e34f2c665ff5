"""The signing process: the one place where private keys are in memory. `python -m keys.service --folder KEYS
--socket PATH [--init] [--tsa]`

It listens on a Unix socket that only its owner can open (mode 0600 in a 0700 folder), answers one frame per
connection (`frames`), and signs claims (`notary`) and status tokens (`feedkey`), each with keys of their own. A
client that stalls, lies or sends rubbish costs one thread for ten seconds, of which there are 32. With `--until-
stdin-closes` it ends when its parent does, however the parent
ends. It also makes the development authority (`--init`) and serves its time stamps on loopback (`--tsa`), so that
nobody else ever opens their keys.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from keys import tsa as stamps
from keys.child import child
from keys.errors import KeysError, SignerUnavailableError, SigningRefusedError
from keys.feedkey import FeedKey, init_feed_key
from keys.files import private_folder
from keys.frames import Frame, FrameError, encode, receive
from keys.keystore import DEVELOPMENT, Keystore, init_development
from keys.notary import Notary
from keys.office import Office
from keys.signers.file import FileSigner, key_path, load_named

CLIENT_TIMEOUT_S = 10.0
MAX_CLIENTS = 32
READY = "ready"


def answer(question: Frame, keys: Keyring) -> Frame:
    """Answer one frame; every failure is a frame too."""
    try:
        name = question.header.get("key") or DEVELOPMENT
        if not isinstance(name, str):
            return _refusal("bad_request", "key must be a name")
        match question.header.get("op"):
            case "describe":
                signer = keys.get(name)
                header = {"ok": True, "key": name, "alg": signer.alg}
                return Frame(header, signer.certificate_pem.encode("ascii"))
            case "sign":
                signature = keys.notary.sign(name, keys.get(name), question.body, at=datetime.now(UTC))
                return Frame({"ok": True}, signature)
            case "ocsp" | "cacerts" | "enrol" | "renew" as wish:
                return Frame({"ok": True}, keys.office.serve(wish, question))
            case "status":
                return _statuses(question.body.split(b"\n"), keys.feed)
            case _:
                return _refusal("bad_request", "no such op")
    except SigningRefusedError as error:
        return _refusal(error.code, error.why)
    except KeysError as error:
        return _refusal(type(error).__name__.removesuffix("Error"), str(error))


def _statuses(inputs: list[bytes], key: FeedKey) -> Frame:
    try:
        return Frame({"ok": True}, key.sign(inputs))
    except ValueError as error:
        return _refusal("not_a_status", str(error))


def _refusal(code: str, why: str) -> Frame:
    return Frame({"ok": False, "code": code, "why": why[:1000]})


class Keyring:
    """Decrypted keys of a folder, read again whenever their file was replaced; its feed key, made if there is none."""

    def __init__(self, folder: Path, *, ocsp_url: str | None = None) -> None:
        self._folder = folder
        self.feed = init_feed_key(folder)
        self.office = Office(folder, ocsp_url)
        self.notary = Notary(folder)
        self._loaded: dict[str, tuple[tuple[int, int], FileSigner]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> FileSigner:
        """The signer of a name. Raises UnknownSignerError, KeyFileError."""
        path = key_path(self._folder, name)
        with self._lock:
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_ino)
                known = self._loaded.get(name)
                if known is None or known[0] != stamp:
                    self._loaded[name] = (stamp, load_named(self._folder, name))
                return self._loaded[name][1]
            self._loaded.pop(name, None)
        return load_named(self._folder, name)  # raises: the file is gone


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: Path, keys: Keyring) -> None:
        self.keys = keys
        self._places = threading.BoundedSemaphore(MAX_CLIENTS)
        super().__init__(str(path), _Client)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no event; anything else is told on stderr, without its content."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"signing process: {type(error).__name__}", file=sys.stderr, flush=True)


class _Client(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            reply = answer(receive(self.request, within_s=CLIENT_TIMEOUT_S), self.server.keys)
        except FrameError as error:
            reply = _refusal("bad_request", str(error))
        self.request.settimeout(CLIENT_TIMEOUT_S)
        self.request.sendall(encode(reply))


@contextmanager
def listening(folder: Path, path: Path, *, ocsp_url: str | None = None) -> Iterator[socketserver.BaseServer]:
    """Bind the socket and give the server, not yet running; the socket file goes away with the block.

    Raises:
        SignerUnavailableError: another process listens there, or the path cannot be bound (over ~100 bytes, for one).
        KeyFileError: there is no keys folder, or the socket's folder cannot be made private.
    """
    keys = Keyring(Keystore.open(folder).folder, ocsp_url=ocsp_url)
    private_folder(path.parent)
    _clear(path)
    previous = os.umask(0o177)
    try:
        server = _Server(path, keys)
    except OSError as error:
        raise SignerUnavailableError(str(path), error.strerror or str(error)) from error
    finally:
        os.umask(previous)
    try:
        yield server
    finally:
        server.server_close()
        path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove the socket of a process that is gone; leave a living one, and anything that is not a socket, alone."""
    if not path.exists():
        return
    if not path.is_socket():
        raise SignerUnavailableError(str(path), "there is a file of that name, and it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise SignerUnavailableError(str(path), "another signing process listens there")


@dataclass(frozen=True)
class Spawned:
    """A signing process that is up: the reference of its signer, and where it stamps time, if it does."""

    ref: str
    tsa_url: str | None = None


@contextmanager
def spawn(
    folder: Path, path: Path, *, init: bool = False, tsa: bool = False, ocsp_url: str | None = None, timeout_s: float = 10.0
) -> Iterator[Spawned]:
    """Run a signing process beside this one for the length of the block; its reference is `unix:PATH`.

    It ends with the block, and with this process even if that is killed.
    Args:
        init: make or renew the folder's development authority first, over there.
        tsa: serve the development time stamp authority as well.
        ocsp_url: written into the certificates that it issues.
    Raises:
        SignerUnavailableError: it did not come up in time; carries what it said.
    """
    options = ["--folder", str(folder), "--socket", str(path), "--until-stdin-closes"]
    options += [*(["--init"] if init else []), *(["--tsa"] if tsa else []), *(["--ocsp-url", ocsp_url] if ocsp_url else [])]
    with child("keys.service", options, timeout_s=timeout_s) as line:
        said, _, url = line.partition(" ")
        if said != READY:
            raise SignerUnavailableError(str(path), line or "did not start")
        yield Spawned(f"unix:{path}", url or None)


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or (if asked) the end of standard input.

    Says one line on standard output: "ready" and the address of its time stamp authority, if it serves one; or why it
    cannot start (exit 1).
    """
    parser = argparse.ArgumentParser("python -m keys.service", description="Hold private keys and sign C2PA claims.")
    parser.add_argument("--folder", type=Path, required=True, help="the keys folder")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen; its folder is made private")
    parser.add_argument("--init", action="store_true", help="make sure that there is a development authority first")
    parser.add_argument("--tsa", action="store_true", help="also serve the development time stamp authority on loopback")
    parser.add_argument("--ocsp-url", help="http address of the OCSP responder, for new certificates")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started this one")
    options = parser.parse_args(arguments)
    try:
        if options.init:
            init_development(options.folder, now=datetime.now(UTC), ocsp_url=options.ocsp_url)
        with ExitStack() as stack:
            server = stack.enter_context(listening(options.folder, options.socket, ocsp_url=options.ocsp_url))
            tsa = Keystore.open(options.folder).tsa() if options.tsa else None
            url = stack.enter_context(stamps.serve(tsa)) if tsa else None
            _run(server, url, until_stdin_closes=options.until_stdin_closes)
    except KeysError as error:
        print(error, flush=True)
        return 1
    return 0


def _run(server: socketserver.BaseServer, tsa_url: str | None, *, until_stdin_closes: bool) -> None:
    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()  # it waits for the loop: not from inside it

    def watch() -> None:
        while os.read(0, 4096):
            pass
        stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if until_stdin_closes:
        threading.Thread(target=watch, daemon=True).start()
    print(*filter(None, (READY, tsa_url)), flush=True)
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    sys.exit(main())
