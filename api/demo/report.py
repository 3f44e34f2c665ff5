"""The story as one self-contained HTML file, set like a book. Pure: steps in, text out."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from importlib import resources
from string import Template

from api.cli import verdicts
from api.cli.words import moment, printable
from api.demo.story import Figure, Step
from provenance.verdict import Status, Verdict

_NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_CLASSES = {Status.NONE: "still", Status.UNKNOWN: "doubt"} | dict.fromkeys(
    (Status.TRUSTED, Status.VALID, Status.RECOVERED), "good"
)
_TAPER = (50, 44, 36, 28, 20, 12)  # letters a line: a printer's colophon narrows to its end


def render(steps: Sequence[Step], *, made_at: datetime, made_by: str, then: str) -> str:
    """The page.

    Args:
        steps: As told.
        made_at: When the report was made.
        made_by: Program and version.
        then: What the reader may do next, one sentence.
    """
    note = (
        f"Set by {made_by} on {moment(made_at)}. Every status on this page is what verification returned when it "
        "was given the file; nothing was written in beforehand. A credential says who signed and whether the content "
        "is what they signed; it does not say that what is shown is true."
    )
    template = Template(resources.files("api.demo").joinpath("report.html").read_text("utf-8"))
    return template.substitute(
        count=_WORDS[len(steps)],
        rows="\n".join(_row(number, step) for number, step in enumerate(steps)),
        sections="\n".join(_section(number, step) for number, step in enumerate(steps)),
        taper="".join(f"<span>{_text(line)}</span>" for line in tapered(note)),
        then=_text(then),
    )


def tapered(text: str) -> Iterator[str]:
    """The words of a text in lines that grow shorter; the last one is as long as it must be."""
    words = text.split()
    full = max(0, len(text) - sum(_TAPER)) // _TAPER[0] + 1
    for width in (*[_TAPER[0] + 8] * full, *_TAPER):
        line: list[str] = []
        while words and len(" ".join([*line, words[0]])) <= width:
            line.append(words.pop(0))
        if line:
            yield " ".join(line)
    if words:
        yield " ".join(words)


def _row(number: int, step: Step) -> str:
    return (
        f'<tr><td class="numeral">{_NUMERALS[number]}.</td><td><a href="#step-{number + 1}">{_text(step.title)}</a></td>'
        f"<td>{_status(step.status)}</td><td>{_text(step.verification.verdict.summary)}</td></tr>"
    )


def _section(number: int, step: Step) -> str:
    verdict = step.verification.verdict
    astray = ""
    if not step.as_told:
        expected = " or ".join(sorted(step.expected))
        astray = f'<p class="astray">The story expects {_text(expected)} here. Something does not work as it should.</p>'
    plates = "\n".join(map(_plate, step.figures))
    return f"""<section id="step-{number + 1}">
<h2><span class="numeral">{_NUMERALS[number]}.</span>{_text(step.title)}</h2>
<p class="done">{_text(step.done)}</p>
<div class="plates">
{plates}
</div>
<p class="verdict">{_status(step.status)} &nbsp; {_text(verdict.summary)}</p>
{astray}
<dl>
{_facts(verdict)}
</dl>
{_details(verdict)}
</section>"""


def _facts(verdict: Verdict) -> str:
    return "\n".join(f"<dt>{_text(row.label)}</dt><dd>{_text(row.value)}</dd>" for row in verdicts.facts(verdict))


def _details(verdict: Verdict) -> str:
    codes = [*verdict.credential.codes, *verdict.signals]
    if not verdict.reasons and not codes:
        return ""
    return (
        "<details><summary>why, and the codes behind it</summary>"
        f"{_list(_text(reason.say) for reason in verdict.reasons)}"
        f"{_list(f'<code>{_text(code)}</code>' for code in codes)}</details>"
    )


def _list(items: Iterable[str]) -> str:
    inner = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{inner}</ul>" if inner else ""


def _plate(figure: Figure) -> str:
    data = base64.b64encode(figure.jpeg).decode("ascii")
    caption = _text(figure.caption)
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _status(status: Status) -> str:
    return f'<span class="status {_CLASSES.get(status, "bad")}">{_text(status)}</span>'


def _text(text: str) -> str:
    return escape(printable(text))
