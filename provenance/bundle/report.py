"""A bundle for a person: one page, no script, nothing fetched. Pure: the same contents give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC
from html import escape
from typing import Any

from provenance.bundle.contents import BundleEntry, Contents
from provenance.errors import MalformedError
from provenance.trail.checkpoint import open_checkpoint
from provenance.trail.entry import parse_body

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;"
    "border-bottom:1px solid #ddd}code{font-size:.85em;word-break:break-all}.word{font-size:1.4rem;font-weight:600}"
)
_LIMITS = (
    "What this bundle can show: that these entries stand in the log in this order, that the manifests were signed as told, and "
    "that the verdict follows from what is in it. What it cannot: whether the content is true, whether other entries about the "
    "same asset were left out (follow the whole log for that), and whether the log's keys are whose they are said to be: "
    "compare them, or a checkpoint, with what you have from elsewhere."
)


def render(contents: Contents) -> bytes:
    """The page as UTF-8."""
    verdict = contents.verdict
    asset = contents.asset
    made = contents.made_at.astimezone(UTC)
    parts = [
        "<!doctype html>\n<html lang=en><meta charset=utf-8><title>Bundle of an asset</title>",
        f"<style>{_STYLE}</style>",
        "<h1>What is on record of this asset</h1>",
        f"<p class=word>{_text(verdict.get('status'))}</p><p>{_text(verdict.get('summary'))}</p>",
        f"<p>As judged on {made:%-d %B %Y, %H:%M} UTC.</p>",
        "<h2>Why</h2>" + _list(reason.get("say") for reason in _dicts(verdict.get("reasons"))),
        "<h2>The asset</h2>",
        _table(
            ("", ""),
            (
                ("id", asset["id"]),
                ("SHA-256", asset["sha256"]),
                ("type", asset["media_type"]),
                ("file", f"media/{contents.media[0]}" if contents.media else "not in this bundle; its digest is above"),
                ("manifest", asset["manifest_id"]),
            ),
        ),
        "<h2>Its history, newest first</h2>",
        _table(
            ("manifest", "what was done", "signed by", "trust", "faults now", "faults when it was taken in"),
            (_step(step) for step in _dicts(verdict.get("history"))),
        ),
        "<h2>The trail</h2>",
        _table(("number", "when", "what", "asset", "said"), (_entry(entry) for entry in contents.entries)),
        "<h2>The log</h2>",
        _table(("", ""), _log(contents)),
        "<h2>Not checked</h2>" + _list(verdict.get("not_checked") or ["nothing was left out"]),
        f"<h2>What this shows</h2><p>{escape(_LIMITS)}</p>",
        "<p>Check it with <code>colophon audit</code>; it needs no server and no network.</p></html>\n",
    ]
    return "\n".join(parts).encode("utf-8", "backslashreplace")


def _step(step: dict[str, Any]) -> tuple[Any, ...]:
    told = (step.get(name) for name in ("manifest_id", "action", "signer", "trust"))
    return (*told, _joined(step.get("faults")), _joined(step.get("ingest_faults")))


def _entry(entry: BundleEntry) -> tuple[Any, ...]:
    try:
        said = parse_body(entry.body)
    except MalformedError:
        return entry.seq, "", "not readable", "", ""
    return entry.seq, f"{said.at:%-d %B %Y, %H:%M:%S} UTC", said.kind, said.asset or "", _payload(entry.payload)


def _payload(payload: bytes | None) -> str:
    if payload is None:
        return "erased"
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return "not readable"
    if not isinstance(value, dict):
        return "not readable"
    return "; ".join(f"{name}: {value[name]}" for name in sorted(value))


def _log(contents: Contents) -> Iterable[tuple[str, Any]]:
    try:
        opened = open_checkpoint(contents.checkpoint, (*contents.keys, *contents.witnesses))
    except MalformedError:
        return [("checkpoint", "not readable")]
    tree = opened.checkpoint
    return [
        ("name", tree.origin),
        ("entries", tree.size),
        ("root", tree.root.hex()),
        ("witnesses", ", ".join(sorted(opened.witnesses)) or "none"),
        *(("key", key.vkey if len(key.vkey) < 200 else f"{key.name}+{key.id.hex()}+… (ML-DSA-44)") for key in contents.keys),
    ]


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    title = "".join(f"<th>{escape(name)}" for name in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{title}{body}</table>" if title else f"<table>{body}</table>"


def _list(items: Iterable[Any]) -> str:
    return "<ul>" + "".join(f"<li>{_text(item)}" for item in items) + "</ul>"


def _text(value: Any) -> str:
    return escape("" if value is None else str(value))


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else ""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
