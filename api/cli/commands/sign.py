"""`colophon sign`: mark, sign, time-stamp, register."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import FOLDER, PATH, Known, declare, now, require_file, source_types
from api.cli.terminal import Terminal

if TYPE_CHECKING:
    from provenance.declared import Consent
    from provenance.finishing import Signed


@declare(
    "sign",
    example="colophon sign photo.jpg -o signed.jpg\ncolophon sign *.jpg --to signed/ --redact gps",
)
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@click.option("-o", "--output", type=PATH, help="Where one signed file goes.")
@click.option("--to", type=FOLDER, help="Folder for the signed files; made if it is missing.")
@click.option("--key", metavar="REF", help="Which key signs; default: the key of this home.")
@click.option(
    "--source",
    type=Known("source type", source_types),
    default="digitalCapture",
    show_default=True,
    help="How the content came about: a digital source type of IPTC.",
)
@click.option("--mark", default="auto", show_default=True, metavar="auto|none|ALG", help="Invisible mark to embed.")
@click.option("--strength", type=click.FloatRange(min=0, min_open=True), help="Strength of the mark, where it has one.")
@click.option("--crf", type=click.IntRange(0, 51), help="Quality of marked films, lower is better; default: visually lossless.")
@click.option("--redact", multiple=True, type=click.Choice(["gps"]), help="Camera metadata to leave out.")
@click.option("--code", metavar="CODE", help="Capture code, where the key's policy asks for one.")
@click.option("--identity", metavar="REF", help="A second key, an organisation's, that signs an identity assertion (CAWG).")
@click.option(
    "--training-mining",
    "training",
    type=click.Choice(["allowed", "notAllowed", "constrained"]),
    help="Whether machines may learn from it.",
)
@click.option("--consent", type=PATH, metavar="FILE", help="Consent record of whoever is depicted or voiced, JSON.")
@click.option("--receipt", is_flag=True, help="Add the log's receipt of it, in an update manifest of its own.")
@click.option("--no-register", is_flag=True, help="Keep no record: the file cannot be recovered once stripped.")
@click.option("--offline", is_flag=True, help="Ask no time stamp authority now; the stamp is queued.")
def command(
    terminal: Terminal,
    home: Path | None,
    files: tuple[Path, ...],
    output: Path | None,
    to: Path | None,
    key: str | None,
    source: str,
    mark: str,
    strength: float | None,
    crf: int | None,
    redact: tuple[str, ...],
    code: str | None,
    identity: str | None,
    training: str | None,
    consent: Path | None,
    receipt: bool,
    no_register: bool,
    offline: bool,
) -> int:
    """Sign files where they were made: a new file each, marked, signed and registered; the source is never touched.

    Without -o or --to, photo.jpg becomes photo.signed.jpg beside it. WebM and Matroska hold no credential: theirs is
    written into a file of its own, clip.signed.webm.c2pa.
    """
    if receipt and no_register:
        raise click.UsageError("--receipt needs a record: leave out --no-register")
    targets = destinations(files, output, to)
    from api import receipts
    from api.cli.app import finish
    from api.cli.batch import each
    from api.cli.house import open_house
    from api.cli.signed import print_signed
    from provenance.capture import SignRequest, sign
    from provenance.receipting import receipted

    with open_house(terminal, home, signing=True) as house:
        studio = house.studio(key, offline=offline, identity=identity)
        agreed = read_consent(consent)

        def work(path: Path) -> Signed:
            request = SignRequest(
                source=path,
                destination=targets[path],
                source_type=source,
                mark=mark,
                redact=frozenset(redact),
                register=not no_register,
                strength=strength,
                code=code,
                training=training,
                consent=agreed,
                crf=crf,
                beside=not receipt,  # what lies beside cannot be updated
            )
            signed = sign(request, studio, at=now(), progress=terminal.so_far)
            return receipted(signed, studio, partial(receipts.of_manifest, house), at=now()) if receipt else signed

        batch = each(terminal, "Signing", files, work)
    if not terminal.as_json:
        print_signed(terminal, [signed for _, signed in batch.done])
    results = batch.results(lambda signed: {"signed": signed.as_dict()})
    return finish(terminal, {"results": results}, batch.exit_code(lambda _: 0))


def read_consent(path: Path | None) -> Consent | None:
    """The consent record of a file. Raises InputError."""
    if path is None:
        return None
    from provenance.declared import consent
    from provenance.errors import InputError

    require_file(path)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), (error.strerror or str(error)).lower()) from error
    return consent(text, str(path), salt=secrets.token_bytes(16))


def destinations(files: Sequence[Path], output: Path | None, to: Path | None, *, word: str = "signed") -> dict[Path, Path]:
    """Where each source goes; a usage error if that is unclear or two would meet."""
    if output is not None and to is not None:
        raise click.UsageError("-o names one file and --to a folder; give one of them")
    if output is not None:
        if len(set(files)) > 1:
            raise click.UsageError("-o names one file; for several files give --to DIR")
        return {files[0]: output}
    targets = {path: (to / path.name if to else path.with_suffix(f".{word}{path.suffix}")) for path in files}
    taken: dict[Path, Path] = {}
    for path, target in targets.items():
        other = taken.setdefault(target, path)
        if other != path:
            raise click.UsageError(f"{other} and {path} would both be written to {target}")
    if to is not None:
        to.mkdir(parents=True, exist_ok=True)
    return targets
