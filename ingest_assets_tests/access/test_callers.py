"""Test what callers may see, and what their keys fill in."""

from __future__ import annotations

import pytest

from ingest_assets.access.callers import ALL, Caller, Forbidden, KeyRole, KeyScope
from ingest_assets.errors import BadInput
from ingest_assets.ledger_records import Scope


def caller(*scopes: str) -> Caller:
    return Caller(KeyRole.WRITE, tuple(KeyScope.read(scope) for scope in scopes), "k")


@pytest.mark.parametrize(
    ("scopes", "seen", "hidden"),
    [
        (["*"], [("ann", "p"), ("bea", "q"), ("ann", "")], []),
        (["ann"], [("ann", "p"), ("ann", "")], [("bea", "p"), ("anna", "p")]),
        (["ann/p"], [("ann", "p")], [("ann", "q"), ("ann", ""), ("bea", "p")]),
        (["ann/p", "bea"], [("ann", "p"), ("bea", "x")], [("ann", "q"), ("cyd", "p")]),
    ],
)
def test_a_key_sees_its_scopes_and_nothing_else(
    scopes: list[str], seen: list[tuple[str, str]], hidden: list[tuple[str, str]]
) -> None:
    who = caller(*scopes)
    assert all(who.may(*names) for names in seen)
    assert not any(who.may(*names) for names in hidden)


def test_a_key_of_one_project_fills_in_what_a_request_leaves_out() -> None:
    assert caller("ann/p").scope() == Scope("ann", "p")
    assert caller("ann").scope(project_id="q") == Scope("ann", "q")


def test_a_request_never_widens_the_scope_of_its_key() -> None:
    with pytest.raises(Forbidden):
        caller("ann/p").scope("ann", "q")
    with pytest.raises(Forbidden):
        caller("ann").scope("bea", "p")
    with pytest.raises(Forbidden):
        caller("ann/p").user("bea")


@pytest.mark.parametrize("scopes", [["*"], ["ann"], ["ann/p", "ann/q"]])
def test_a_project_is_named_where_the_key_has_several(scopes: list[str]) -> None:
    with pytest.raises(BadInput, match="project_id is missing"):
        caller(*scopes).scope("ann")


def test_a_user_is_named_where_the_key_has_several() -> None:
    with pytest.raises(BadInput, match="user_id is missing"):
        Caller(KeyRole.ADMIN, ALL).scope(project_id="p")
    with pytest.raises(BadInput, match="user_id is missing"):
        caller("ann/p", "bea/p").scope(project_id="p")


def test_projects_of_a_user_are_those_of_the_scopes() -> None:
    assert caller("ann/q", "ann/p", "bea").projects_of("ann") == ("p", "q")
    assert caller("ann/q", "ann/p", "bea").projects_of("bea") is None


@pytest.mark.parametrize("text", ["", "/", "ann/", "/p", "ann/p/q", "*/p"])
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        KeyScope.read(text)


def test_names_in_decomposed_letters_are_the_same_names() -> None:
    assert caller("Mu\u0308ller").may("M\u00fcller", "p")
    assert caller("M\u00fcller").scope("Mu\u0308ller", "p") == Scope("M\u00fcller", "p")
