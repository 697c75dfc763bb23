"""Open the rows of a small scope as they are in force now, and read them from the store where they are not kept yet.

For an embedded store, a kept file is right as long as it exists (`kept_scopes.py`). For a server, one request reads the
ledger entries of the scope. If they name the publications that the remembered rows were read from, those rows are in
force: no publication has the name of another one, and all rows of a publication are there from before its entry until
after the next entry. If they name others, the files that were published since are read, and the ledger is read again.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from ingest_assets.stores.chroma.client import RowsMoved
from ingest_assets.stores.chroma.small_scopes.content import (
    content_of,
    has_few_files,
    publications_of,
    small_scope_entries,
)
from ingest_assets.stores.chroma.small_scopes.scope_rows import ScopeRows, not_compared

if TYPE_CHECKING:
    from ingest_assets.stores.chroma.access import ChromaAccess
    from ingest_assets.stores.chroma.small_scopes.kept_scopes import KeptScopes
    from ingest_assets.stores.chroma.small_scopes.remembered_scopes import RememberedScopes

_MOST_FILES_KEPT = 500
_MOST_FILES_REMEMBERED = 100
"""Fewer, because each search asks a server for the entries."""
_LOOKS = 3
"""How often a server is read while its scope changes; after that its index is asked."""


def rows_of_small_scope(access: ChromaAccess, scope: str) -> ScopeRows | None:
    """Open the rows in force of a scope, by its key; None where its index has to be asked."""
    if access.scopes is not None:
        return _kept(access, access.scopes, scope)
    if access.remembered is not None:
        return _remembered(access, access.remembered, scope)
    return None


def _kept(access: ChromaAccess, files: KeptScopes, scope: str) -> ScopeRows | None:
    if (rows := files.found(scope)) is not None:
        return rows
    with access.building(scope):
        if (rows := files.found(scope)) is not None:
            return rows
        try:
            with ExitStack() as held:
                store = held.enter_context(access.reading())
                if (former := files.former(scope)) is not None:
                    held.enter_context(closing(former))
                entries = None
                if has_few_files(store, scope, most=_MOST_FILES_KEPT):
                    entries = small_scope_entries(store, scope, most_files=_MOST_FILES_KEPT)
                if entries is None:
                    content = not_compared(written_for=files.written_for())
                else:
                    content = content_of(store, entries, former=former, written_for=files.written_for())
                files.keep(scope, content)
        except RowsMoved:  # a row is damaged: the index finds the others
            return None
    return ScopeRows.of(content)


def _remembered(access: ChromaAccess, remembered: RememberedScopes, scope: str) -> ScopeRows | None:
    if remembered.was_too_large(scope):
        return None
    rows = remembered.found(scope)
    try:
        for _ in range(_LOOKS):
            try:
                with access.reading() as store:
                    entries = small_scope_entries(store, scope, most_files=_MOST_FILES_REMEMBERED)
                    if entries is None:
                        remembered.note_too_large(scope)
                        return None
                    if rows is not None and rows.publications == publications_of(entries):
                        in_force, rows = rows, None
                        return in_force
                    content = content_of(store, entries, former=rows, written_for=access.location)
            except RowsMoved:  # rows were deleted meanwhile, or one is damaged
                continue
            remembered.keep(scope, content)
            if rows is not None:
                rows.close()
            rows = ScopeRows.of(content)
        return None
    finally:
        if rows is not None:
            rows.close()
