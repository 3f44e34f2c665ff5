"""What a mark lived through, as one self-contained HTML page with a small picture of each step. Pure: values in, text out."""

from __future__ import annotations

import base64
from html import escape
from string import Template

from api.cli.words import chance, moment, printable
from provenance.survival import Step, Survival

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What the mark of $name lives through</title>
<style>
:root { color-scheme: light dark; --ink: #1d1b18; --paper: #faf8f4; --line: #cfc8bb; --good: #1b6e3c; --bad: #a32222; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece7dd; --paper: #191816; --line: #47433b; --good: #7fd09b; --bad: #f29a8e; }
}
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; font: 1rem/1.5 Georgia, serif; }
body { color: var(--ink); background: var(--paper); }
ol { list-style: none; padding: 0; display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
li { border: 1px solid var(--line); padding: .6rem; }
li.lost { border-color: var(--bad); }
img { display: block; width: 100%; height: 11rem; object-fit: contain; }
p { margin: .4rem 0 0; } .quiet { font-size: .85rem; opacity: .8; }
.read { color: var(--good); font-weight: bold; } .lost .mark { color: var(--bad); font-weight: bold; }
</style>
<h1>What the mark of $name lives through</h1>
<p><strong>$ladder: $sentence.</strong></p>
<p>$start</p>
<p class="quiet">Measured on $moment by $made_by: a measurement, no promise. Every copy was looked at blindly: no size, place or
angle was known. That a mark is not found proves nothing of a picture.</p>
<ol>
$steps
</ol>
</html>
""")


def render(measured: Survival, *, name: str, made_by: str) -> str:
    """The page.

    Args:
        measured: With pictures.
        name: Of the file, to show.
        made_by: Program and version.
    """
    start = (
        "The file carries no mark of ours: a marked copy of it was tried."
        if measured.marked_now
        else f"The file carries mark {measured.value} ({measured.alg})."
    )
    return _PAGE.substitute(
        name=_text(name),
        ladder=_text(measured.ladder),
        sentence=_text(measured.sentence),
        start=_text(start),
        moment=moment(measured.at),
        made_by=_text(made_by),
        steps="\n".join([_first(measured), *map(_step, measured.steps)]),
    )


def _first(measured: Survival) -> str:
    return f"<li>{_picture(measured.picture, 'what was tried')}<p>what was tried, marked</p></li>"


def _step(step: Step) -> str:
    trial = step.trial
    if trial.found and trial.p_false is not None:
        row, said = "", f'<span class="read">read</span>, false {chance(trial.p_false)}'
    else:
        row, said = ' class="lost"', '<span class="mark">not read</span>'
    title, name = f"<p>{_text(step.title)}</p>", f'<p class="quiet">{_text(step.name)}</p>'
    return f"<li{row}>{_picture(trial.picture, step.title)}{title}<p>{said}</p>{name}</li>"


def _picture(jpeg: bytes | None, alt: str) -> str:
    if jpeg is None:
        return ""
    return f'<img loading="lazy" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode("ascii")}" alt="{_text(alt)}">'


def _text(text: str) -> str:
    return escape(printable(text))
