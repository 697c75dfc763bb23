"""The fields of an upload say whose the files are and which names they get, in whatever order they come."""

from __future__ import annotations

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.uploads.form import UploadForm, may_replace, names_in_bucket, read_form

OWNER = [("user_id", "ann"), ("project_id", "p")]


def test_the_fields_of_the_replaced_service_are_read() -> None:
    form = read_form([*OWNER, ("replace_filenames", '["a.pdf"]'), ("rename_map", '{"b.pdf": "c.pdf"}')])
    assert form == UploadForm(user_id="ann", project_id="p", replace=frozenset({"a.pdf"}), renames={"b.pdf": "c.pdf"})
    assert names_in_bucket(form, ["a.pdf", "b.pdf"]) == ["ann/p/a.pdf", "ann/p/c.pdf"]


def test_fields_that_are_empty_are_as_if_they_were_not_sent() -> None:
    assert read_form([*OWNER, ("replace_filenames", ""), ("rename_map", " "), ("metadata", "")]) == read_form(OWNER)


def test_what_is_not_known_is_what_the_client_says_of_the_files() -> None:
    form = read_form([*OWNER, ("title", "Q3"), ("metadata", '{"year": 2026}')])
    assert form.metadata == {"title": "Q3", "year": 2026}
    assert read_form(OWNER).metadata is None, "an upload that says nothing"
    assert read_form([*OWNER, ("metadata", "{}")]).metadata == {}, "one that takes away what was said"


def test_the_files_of_a_folder_keep_it() -> None:
    form = read_form([*OWNER, ("folder", "reports/2026/")])
    assert names_in_bucket(form, ["a.pdf"]) == ["ann/p/reports/2026/a.pdf"]


@pytest.mark.parametrize("named", ["a.pdf", "sub/kept.pdf", "kept.pdf"])
def test_a_file_may_be_replaced_by_the_name_it_was_sent_or_kept_with(named: str) -> None:
    assert may_replace(UploadForm(replace=frozenset({named})), sent_as="a.pdf", key="ann/p/sub/kept.pdf")
    assert not may_replace(UploadForm(replace=frozenset({named})), sent_as="b.pdf", key="ann/p/b.pdf")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([*OWNER, ("user_id", "bob")], "'user_id': it was sent twice"),
        ([*OWNER, ("title", "a"), ("title", "b")], "'title': it was sent twice"),
        ([("user_id", "a\0b")], "holds a NUL"),
        ([("user_id", "\udcff")], "not valid UTF-8"),
        ([("replace_filenames", "a.pdf")], "replace_filenames: it is not a JSON list"),
        ([("replace_filenames", '{"a": 1}')], "replace_filenames: it is no JSON list"),
        ([("replace_filenames", "[1]")], "replace_filenames: it is no JSON list"),
        ([("rename_map", '["a"]')], "rename_map: it is no JSON object"),
        ([("rename_map", '{"a": 1}')], "rename_map: it is no JSON object"),
        ([("rename_map", '{"a": "b", "a": "c"}')], "rename_map: a name stands in it twice"),
        ([("rename_map", '{"a": "../b"}')], "rename_map: the file '../b': the name holds a path"),
        ([("rename_map", '{"a": "' + "[" * 50_000)], "rename_map: it is not a JSON object"),
        ([("rename_map", "[" * 60_000)], "rename_map: it is not a JSON object"),
        ([("metadata", '"words"')], "metadata: it is no JSON object"),
        ([("metadata", '{"a": NaN}')], "metadata: NaN is no JSON"),
        ([("metadata", '{"a": "\\u0000"}')], "metadata: holds the character NUL"),
        ([("metadata", '{"a": "\\ud800"}')], "metadata: holds half a surrogate pair"),
        ([("metadata", '{"a": ' + "[" * 17 + "]" * 17 + "}")], "metadata: holds more than 16 lists or objects"),
        ([("title", "x" * 4_000)], "metadata: has 4013 characters; at most 4000 are kept"),
        ([("metadata", '{"title": 1}'), ("title", "x")], "'title': it stands in `metadata` too"),
        ([("folder", "../x")], "the folder '..': the name holds a path"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_named(fields: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_form(fields)


@pytest.mark.parametrize(
    ("renames", "sent", "said"),
    [
        ({}, ["a.pdf", "a.pdf"], "'a.pdf': another file of this upload gets the name 'a.pdf' too"),
        ({"a.pdf": "b.pdf"}, ["a.pdf", "b.pdf"], "'b.pdf': another file of this upload gets the name 'b.pdf' too"),
        (
            {"a.pdf": "x", "b.pdf": "x"},
            ["a.pdf", "b.pdf"],
            "'b.pdf': another file of this upload gets the name 'x' too",
        ),
        ({"z.pdf": "x"}, ["a.pdf"], "rename_map: 'z.pdf' is not among the files"),
        ({}, ["re\u0301.pdf", "r\u00e9.pdf"], "another file of this upload gets the name 'r\u00e9.pdf' too"),
    ],
)
def test_names_that_collide_are_refused(renames: dict[str, str], sent: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        names_in_bucket(UploadForm(user_id="ann", project_id="p", renames=renames), sent)


def test_two_files_that_change_names_with_each_other_do_not_collide() -> None:
    form = UploadForm(user_id="ann", project_id="p", renames={"a": "b", "b": "a"})
    assert names_in_bucket(form, ["a", "b"]) == ["ann/p/b", "ann/p/a"]
