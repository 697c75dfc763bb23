from __future__ import annotations

import unicodedata

import pytest
from dagster import DagsterInstance
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.errors import BadInput
from ingest_assets.file_ids import client_file_id, file_id_of, is_valid, key_for, key_of, owner_of
from ingest_assets.ledger_records import Scope

segments = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text not in {".", ".."}
)


@given(st.lists(segments, min_size=3, max_size=5))
def test_every_key_survives_the_way_there_and_back_in_composed_letters(parts: list[str]) -> None:
    key = "/".join(parts)
    assert key_of(file_id_of(key)) == unicodedata.normalize("NFC", key)
    assert file_id_of(unicodedata.normalize("NFD", key)) == file_id_of(key)


@given(st.lists(segments, min_size=3, max_size=5))
def test_a_file_id_holds_nothing_that_dagster_stumbles_over(parts: list[str]) -> None:
    file_id = file_id_of("/".join(parts))
    assert "," not in file_id
    assert "..." not in file_id
    assert "/" not in file_id
    assert file_id == file_id.strip()
    assert not any(ord(letter) < 32 for letter in file_id)


def test_dagster_accepts_awkward_names_as_partitions() -> None:
    file_ids = [
        file_id_of(f"ann/p/{name}") for name in ("a,b.pdf", "x...y", "new\nline", "[1-2]*.txt", "😀 ü.md", "%2C")
    ]
    with DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("files", file_ids)
        assert sorted(instance.get_dynamic_partitions("files")) == sorted(file_ids)


def test_ordinary_names_stay_readable() -> None:
    assert file_id_of("ann/reports/2026/q3 Übersicht.pdf") == "ann:reports:2026:q3 Übersicht.pdf"


def test_the_filename_may_hold_more_slashes() -> None:
    assert owner_of("ann/reports/2026/q3.pdf") == ("ann", "reports", "2026/q3.pdf")


@pytest.mark.parametrize("key", ["lonely.pdf", "ann/lonely.pdf", "ann//x.pdf", "ann/../x.pdf", "ann/p/..", "/a/b/c"])
def test_a_key_that_names_no_owner_is_refused_by_name(key: str) -> None:
    with pytest.raises(BadInput, match="USER/PROJECT/FILENAME"):
        file_id_of(key)


@given(st.lists(segments, min_size=3, max_size=5))
def test_what_is_made_from_a_key_is_valid(parts: list[str]) -> None:
    assert is_valid(file_id_of("/".join(parts)))
    assert is_valid(client_file_id("ann", "p", "/".join(parts)))


@pytest.mark.parametrize(
    "typed",
    ["", "nonsense", "../x", "/etc/z", "ann/p/x.txt", "ann:..:y.txt", "ann::x", "ann::../../x", "ann:p:", "ann:p::"],
)
def test_a_key_that_somebody_typed_and_no_file_has_is_not_valid(typed: str) -> None:
    assert not is_valid(typed)


def test_a_scope_and_a_key_are_composed_as_typed_by_a_mac() -> None:
    user = unicodedata.normalize("NFD", "jörg")
    assert Scope(user, user) == Scope("jörg", "jörg")
    assert key_for(user, user, f"{user}.txt") == "jörg/jörg/jörg.txt"
