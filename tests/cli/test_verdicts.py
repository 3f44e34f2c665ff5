"""A verdict in words: every status, every layer, and never a word too much."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from api.cli import verdicts
from api.cli.terminal import Row, status_style
from provenance.verdict import (
    AssetFacts,
    Binding,
    Change,
    CredentialFacts,
    FoundMark,
    HistoryStep,
    Inputs,
    MarkFacts,
    PoseFacts,
    Reason,
    RevocationFacts,
    Signature,
    SignerFacts,
    Source,
    Status,
    TimeFacts,
    Trust,
    Verdict,
)

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
CREDENTIAL = CredentialFacts(
    source=Source.EMBEDDED,
    manifest_id="urn:c2pa:1",
    signature=Signature.VERIFIED,
    binding=Binding.MATCH,
    trust=Trust.TRUSTED,
    trust_list="A list",
    revocation=RevocationFacts("good", "registry"),
    time=TimeFacts("trusted", AT),
    signer=SignerFacts("A. Person", "sha256:00", development=False),
)
MARK = MarkFacts(
    found=True, alg="org.example", value="0f", p_false=1e-12, bit_errors=2, fit=0.97, transform=PoseFacts(0.5, 2.0, True)
)
VERDICT = Verdict(
    status=Status.TRUSTED,
    summary="It holds. Nothing changed since.",
    asset=AssetFacts("0" * 64, "image/jpeg"),
    credential=CREDENTIAL,
    mark=MARK,
    inputs=Inputs("validator 1", "policy-1", {"signer": ("sha256:" + "a" * 64,), "tsa": ()}, AT),
)


def table(rows: object) -> dict[str, str]:
    assert not isinstance(rows, str)
    return {row.label: row.value for row in rows if isinstance(row, Row)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_row_and_a_colour(status: Status) -> None:
    cells = verdicts.row("photo.jpg", replace(VERDICT, status=status))
    assert [cell.text for cell in cells] == [status, "photo.jpg", "signed by A. Person, 21 November 2026, 10:00 UTC"]
    holds = status.exit_code == 0
    assert (status_style(status) == "good") is holds


def test_none_and_unknown_do_not_look_alike() -> None:
    assert len({status_style(word) for word in ("none", "unknown", "altered", "trusted")}) == 4


def test_facts_of_a_whole_verdict() -> None:
    changed = replace(VERDICT, changes=(Change(0, 0, 0.2, 0.2, 0.9),), not_checked=("revocation.ocsp",))
    assert table(verdicts.facts(changed)) == {
        "signed by": "A. Person",
        "signed at": "21 November 2026, 10:00 UTC",
        "mark": "org.example 0f, chance of a false reading 1 in 10^12, 97 % of the content agrees",
        "changed": "top left (4 %)",
        "not checked": "revocation.ocsp",
    }


def test_nothing_found_says_nothing() -> None:
    bare = replace(VERDICT, credential=CredentialFacts(Source.NONE), mark=MarkFacts(found=False))
    assert list(verdicts.facts(bare)) == []
    assert table(verdicts.credential(bare.credential)) == {"credential": "none"}
    assert table(verdicts.mark(bare.mark)) == {"mark": "none found"}
    assert verdicts.row("x", bare)[2].text == "It holds."


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (TimeFacts("absent"), "no time stamp"),
        (TimeFacts("untrusted", AT), "a time stamp is there, of an authority on no trust list"),
        (TimeFacts("invalid"), "a time stamp is there and does not hold"),
        (TimeFacts("of a new kind"), "of a new kind"),
    ],
)
def test_only_a_trusted_stamp_gives_a_time(time: TimeFacts, said: str) -> None:
    assert table(verdicts.facts(replace(VERDICT, credential=replace(CREDENTIAL, time=time))))["signed at"] == said


def test_a_development_signer_is_always_said_to_be_one() -> None:
    development = replace(CREDENTIAL, signer=SignerFacts("Dev", "sha256:00", development=True))
    assert "development" in table(verdicts.facts(replace(VERDICT, credential=development)))["signed by"]


@pytest.mark.parametrize("trust", list(Trust))
@pytest.mark.parametrize("source", list(Source))
def test_every_layer_has_words(trust: Trust, source: Source) -> None:
    said = table(verdicts.credential(replace(CREDENTIAL, trust=trust, source=source)))
    assert all(value for value in said.values())


def test_the_mark_tells_what_happened_since() -> None:
    assert table(verdicts.mark(MARK))["since marking"] == "scaled × 0.5, turned 2.0°, mirrored"


def test_further_marks_and_a_generators_are_told_at_once() -> None:
    first, second = (FoundMark("org.example", value, 1e-12, 0, owner) for value, owner in (("0f", "own"), ("1e", "registered")))
    generator = Reason("generator.mark", "A mark as Stable Diffusion leaves it was read (p = 1e-12): a hint, no proof.")
    told = table(verdicts.facts(replace(VERDICT, marks=(first, second), reasons=(generator,))))
    assert told["also marked"] == "1e: the mark of another registered asset"
    assert told["generator"].endswith("a hint, no proof.")


def test_a_part_says_how_much_of_what() -> None:
    assert "what was signed" not in table(verdicts.mark(replace(MARK, covered=1.0, shown=0.97)))
    cut = table(verdicts.mark(replace(MARK, covered=0.4, shown=0.5)))
    assert cut["what was signed"] == "covers about 40% of this file, about half of it is shown"


def test_history_tells_faults_of_now_and_of_then() -> None:
    steps = (
        HistoryStep("urn:1", "c2pa.cropped", "B", "trusted", AT, None),
        HistoryStep("urn:2", "c2pa.created", None, "untrusted", None, "parentOf", ("a.mismatch",), ("b.mismatch",)),
    )
    rows = list(verdicts.history(steps))
    assert rows[0].style == ""
    assert rows[1].value == "unknown signer, untrusted; faults: a.mismatch; faults noted when it was taken in: b.mismatch"
    assert rows[1].style == "bad"
    line = table(verdicts.facts(replace(VERDICT, history=steps)))["history"]
    assert line == "2 manifests: c2pa.cropped ← c2pa.created; 1 with faults"


def test_inputs_name_only_lists_that_were_there() -> None:
    assert table(verdicts.inputs(VERDICT.inputs)) == {
        "as of": "21 November 2026, 10:00 UTC",
        "with": "validator 1, policy policy-1",
        "signer lists": "sha256:aaaaaaaaaaaaaaaa…",
    }
