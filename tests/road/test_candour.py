"""A claim that told the signing key one source type and its readers another: signed by policy, and named by every verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import pytest
from PIL import Image

from keys.claims import said_by
from keys.keystore import Keystore, init_development
from keys.policy import SOURCE_TYPE, Statement
from provenance import contradictions, sdk
from provenance.claim import captured
from provenance.credential import Credential, Manifest
from provenance.declared import stated
from provenance.judge import Evidence, judge
from provenance.verdict import AssetFacts, Status

AT = datetime.now(UTC)
Make = Callable[[str, str | None], Credential]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    return init_development(tmp_path_factory.mktemp("keys"), now=AT)


@pytest.fixture
def made(store: Keystore, tmp_path: Path) -> Make:
    """A picture whose actions say one thing, and whose claim told its signer another, or nothing."""

    def make(actions: str, told: str | None) -> Credential:
        plain, signed, signer = tmp_path / "plain.jpg", tmp_path / "signed.jpg", store.signer()
        Image.new("RGB", (64, 48), (120, 90, 30)).save(plain)
        definition = captured(title="a", source_type=actions, at=AT, binding=None, thumbnail=False)
        with plain.open("rb") as source, signed.open("w+b") as out:
            sdk.sign(
                stated(definition, **{SOURCE_TYPE: told}), source, out, "image/jpeg",
                algorithm=signer.alg, chain_pem=signer.certificate_pem, callback=signer.sign, tsa_url=None, resources={},
            )  # fmt: skip
        with signed.open("rb") as stream:
            found = sdk.read(stream, "image/jpeg")
        assert isinstance(found, Credential)
        return found

    return make


def codes(found: Credential, store: Keystore) -> dict[str, str]:
    verdict = judge(
        Evidence(AssetFacts("0" * 64, "image/jpeg"), found),
        lists=store.development_lists(),
        at=datetime.now(UTC),
        validator="test",
    )
    assert verdict.status is Status.TRUSTED  # the word speaks of the file; who was told what is for a person to weigh
    return {reason.code: reason.say for reason in verdict.reasons}


def test_told_otherwise(made: Make, store: Keystore) -> None:
    said = codes(made("digitalCapture", "trainedAlgorithmicMedia"), store)["claim.contradiction"]
    assert "'trainedAlgorithmicMedia'" in said
    assert "'digitalCapture'" in said


@pytest.mark.parametrize("told", ["digitalCapture", None])
def test_told_the_same_or_nothing(made: Make, store: Keystore, told: str | None) -> None:
    assert "claim.contradiction" not in codes(made("digitalCapture", told), store)


def test_a_claim_that_cannot_be_taken_apart_says_nothing(made: Make) -> None:
    manifest: Manifest = made("digitalCapture", "trainedAlgorithmicMedia").manifest
    assert contradictions.of(manifest) is not None
    assert contradictions.of(replace(manifest, sealed=None)) is None
    assert manifest.sealed is not None
    for claim in (b"", b"\xff", cbor2.dumps([1]), cbor2.dumps({"claim_generator_info": 7, "assertions": 3})):
        assert said_by(claim).source_type is None
        assert contradictions.of(replace(manifest, sealed=replace(manifest.sealed, claim=claim))) is None


def test_both_forms_of_generator_info() -> None:
    for info in ({"name": "x", SOURCE_TYPE: "screenCapture"}, [{"name": "x", SOURCE_TYPE: "screenCapture"}]):
        assert said_by(cbor2.dumps({"claim_generator_info": info})) == Statement("x", source_type="screenCapture")
