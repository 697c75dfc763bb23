"""Interpret RTF tokens in one pass: a stack of groups holds the formatting that applies at each place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.rtf.blocks import ASIDE, PLAIN_FORMAT, ParagraphFormat, RtfBlocks
from ingest_assets.parsers.rtf.header import TABLES, RtfHeader
from ingest_assets.parsers.rtf.picture import RtfPicture
from ingest_assets.parsers.rtf.tokens import RtfToken

# Word itself allows far fewer; a stack of ten thousand takes two megabytes.
_MAX_GROUPS = 10_000

_SPECIAL = {
    **{"tab": "\t", "line": "\n", "lbr": "\n", "~": "\xa0", "_": "\u2011", "emdash": "—", "endash": "–"},
    **{"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " "},
    **{"enspace": " ", "qmspace": " ", "\\": "\\", "{": "{", "}": "}", "nestcell": " ", "nestrow": "\n"},
}
_SKIPPED = {
    *("colortbl", "info", "listtable", "listoverridetable", "rsidtbl", "generator", "xmlnstbl", "themedata", "filetbl"),
    *("colorschememapping", "datastore", "latentstyles", "revtbl", "fldinst", "datafield", "nonesttables", "upr", "sp"),
    *("objdata", "objclass", "objname", "bkmkstart", "bkmkend", "pgdsctbl", "atnid", "atnauthor", "annotation"),
    *("ftnsep", "ftnsepc", "aftnsep", "aftnsepc", "wgrffmtfilter", "mmathPr", "xe", "tc", "pn", "pnseclvl", "docvar"),
    *("userprops", "passwordhash", "blipuid", "picprop"),
}
# Copies of shapes and pictures for readers that cannot show the originals.
_FALLBACKS = {"nonshppict", "shprslt", "listpicture", "background"}
# Destinations that old readers may skip (they are marked with a star), but that contain text or pictures.
_STARRED = {"shppict", "shpinst", "ud", "shptxt", "fldrslt", "result", "nesttableprops", "shpgrp", "do", "dptxbxtext"}
_MARKERS = {"listtext", "pntext"}


@dataclass(frozen=True, slots=True)
class _Group:
    """Formatting in a group; an inner group begins with the formatting of the outer one."""

    paragraph: ParagraphFormat = PLAIN_FORMAT
    font: int = 0
    fallback_chars: int = 1
    hidden: bool = False
    skipped: bool = False
    fallback: bool = False
    table: str = ""
    """The header table that the group belongs to, or ""."""
    picture: bool = False


class RtfReader:
    """Read tokens one by one and add their blocks to a builder."""

    def __init__(self, builder: PartBuilder) -> None:
        self._header = RtfHeader()
        self._blocks = RtfBlocks(builder, header=self._header)
        self._groups: list[_Group] = []
        self._group = _Group()
        self._is_starred = False
        self._picture = RtfPicture()

    @property
    def is_between_blocks(self) -> bool:
        """Whether a part may end here."""
        return self._blocks.is_between

    def read(self, token: RtfToken) -> None:
        """Read one token.

        Raises:
            BadInput: groups are nested too deep.
        """
        if token.brace == "{":
            if len(self._groups) >= _MAX_GROUPS:
                raise BadInput(f"its groups are nested deeper than {_MAX_GROUPS:,}; save it again from its program")
            self._groups.append(self._group)
            self._is_starred = False
        elif token.brace == "}":
            self._close_group()
        elif token.word == "*":
            self._is_starred = True
        elif token.word:
            self._word(token)
            self._is_starred = False
        else:
            self._data(token)

    def close(self) -> bool:
        """Add the rest of the text. Return whether the file is cut off, with groups still open."""
        is_cut = bool(self._groups)
        while self._groups:
            self._close_group()
        self._blocks.close(self._group.paragraph)
        return is_cut

    def _close_group(self) -> None:
        if not self._groups:
            return
        inner, self._group = self._group, self._groups.pop()
        self._is_starred = False
        self._blocks.text.end_group()
        if inner.picture and not self._group.picture:
            self._blocks.add_picture(self._picture.data())
        if inner.table and not self._group.table:
            self._header.end()
        self._blocks.end_asides(depth=len(self._groups))

    def _data(self, token: RtfToken) -> None:
        group = self._group
        if group.skipped:
            return
        if group.picture:
            self._picture.add(token.data)
        elif group.table:
            self._header.add(token.data)
        elif not group.hidden:
            self._blocks.text.add_bytes(token.data, font=group.font)
            self._blocks.limit(group.paragraph)

    def _word(self, token: RtfToken) -> None:
        word, number, group = token.word, token.number, self._group
        if word == "bin":
            if group.picture and not group.skipped:
                self._picture.add_raw(token.data)
        elif word == "pict" and not (group.picture or group.fallback):
            # Also inside a skipped group: Word stores the pictures of shapes among their properties.
            self._picture = RtfPicture()
            self._group = replace(group, picture=True, skipped=False)
        elif word == "ud" and self._is_starred:
            # `\upr` contains the same text twice; `\ud` is the Unicode one.
            self._group = replace(group, skipped=False)
        elif group.skipped:
            return
        elif group.picture and not self._is_starred:
            self._picture.word(word)
        elif group.table:
            self._header.word(word, number)
        elif not self._begins_destination(word):
            self._text_word(word, number)

    def _begins_destination(self, word: str) -> bool:
        group = self._group
        if word in _FALLBACKS:
            self._group = replace(group, skipped=True, fallback=True)
        elif word in _SKIPPED or (self._is_starred and word not in _STARRED) or group.picture:
            self._group = replace(group, skipped=True)
        elif word in TABLES:
            self._group = replace(group, table=word)
            self._header.begin(word)
        elif word in _MARKERS:
            self._blocks.mark_item()
        elif word in ASIDE:
            self._group = replace(group, paragraph=PLAIN_FORMAT, hidden=False)
            self._blocks.begin_aside(word, depth=len(self._groups))
        else:
            return False
        return True

    def _text_word(self, word: str, number: int | None) -> None:
        group = self._group
        if word == "u" and number is not None:
            if not group.hidden:
                self._blocks.text.add_code_point(number, fallback_chars=group.fallback_chars)
        elif word in _SPECIAL:
            if not group.hidden:
                self._blocks.text.add(_SPECIAL[word])
        elif word in {"par", "sect", "page", "\n", "\r"}:
            self._blocks.end_paragraph(group.paragraph)
        elif word == "cell":
            self._blocks.end_cell()
        elif word == "row":
            self._blocks.end_row()
        else:
            self._property(word, 1 if number is None else number)

    def _property(self, word: str, value: int) -> None:
        group, paragraph = self._group, self._group.paragraph
        if word == "f":
            self._group = replace(group, font=value)
        elif word == "uc":
            self._group = replace(group, fallback_chars=max(0, min(value, 8)))
        elif word == "super" and value and not group.hidden:
            self._blocks.text.begin_raised()
        elif word in {"v", "deleted"}:
            self._group = replace(group, hidden=value != 0)
        elif word == "plain":
            self._group = replace(group, font=self._header.default_font, hidden=False)
        elif word == "pard":
            self._group = replace(group, paragraph=PLAIN_FORMAT)
        elif word == "intbl":
            self._group = replace(group, paragraph=replace(paragraph, in_table=True))
        elif word == "s":
            self._group = replace(group, paragraph=replace(paragraph, style=value))
        elif word == "outlinelevel":
            self._group = replace(group, paragraph=replace(paragraph, outline=value))
        elif word == "ls":
            self._group = replace(group, paragraph=replace(paragraph, is_item=value > 0))
        else:
            self._header.property(word, value)
