"""Build sequences of records for the tests of artifacts."""

from __future__ import annotations

from collections.abc import Iterator

from ingest_assets.artifacts.manifests import Tally
from ingest_assets.artifacts.sequences import Draft, Pending
from ingest_assets.records import Part

FILE = "ann:p:a.txt"


def parts(first: int, last: int) -> Iterator[Part]:
    return (Part(number=number) for number in range(first, last + 1))


def pending(fingerprint: str, last: int, *, token: str = "v1", window: int = 4) -> Pending[Part]:
    def produce(draft: Draft[Part]) -> Iterator[Part]:
        kept = sum(1 for _ in draft.kept())
        return parts(kept + 1, last)

    return Pending(
        fingerprint=fingerprint,
        produce=produce,
        tally=lambda _: Tally(counts={"parts": 1}),
        resume_token=token,
        window=window,
    )


def explode_after(number: int) -> Pending[Part]:
    def produce(draft: Draft[Part]) -> Iterator[Part]:
        yield from parts(1, number)
        raise RuntimeError("the page exploded")

    return Pending(fingerprint="f" * 32, produce=produce, resume_token="v1", window=4)
