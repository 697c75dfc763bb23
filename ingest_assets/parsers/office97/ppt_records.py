"""Read the texts of the slides from the records of a PowerPoint presentation of 1997 to 2003 (MS-PPT 2.1.2).

The stream contains every saved edit, so it is not read from beginning to end: the last edit says where the current
version of each slide is, and the document record gives their order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ingest_assets.errors import BadInput

_Range: TypeAlias = tuple[int, int]

_DOCUMENT, _SLIDE, _SLIDE_ATOM, _PERSIST, _LIST = 0x03E8, 0x03EE, 0x03EF, 0x03F3, 0x0FF0
_USER_EDIT, _DIRECTORY = 0x0FF5, 0x1772
_HEADER, _CHARS, _BYTES, _BOX = 0x0F9F, 0x0FA0, 0x0FA8, 0xF00D
_TITLES = {0, 6}
_MAX_EDITS = 10_000
_MAX_DEPTH = 60
_SLIDES, _NOTES = 0, 2


@dataclass(frozen=True, slots=True)
class SlideText:
    """A text of a slide, one line per paragraph."""

    text: str
    is_title: bool = False


class PptRecords:
    """Read the records of a presentation."""

    def __init__(self, data: bytes, *, edit_at: int) -> None:
        self._data = data
        self._places, document = self._directory(edit_at)
        at = self._places.get(document, -1)
        if self._header(at)[0] != _DOCUMENT:
            raise BadInput("the presentation is damaged (no document in it); save it again from its program")
        self._lists = {self._instance(at): inner for at, inner in self._children(self._inner(at), _LIST)}
        self._notes_of = {slide_id: place for place, slide_id, _ in self._persists(_NOTES)}

    def slides(self) -> Iterator[list[SlideText]]:
        """Yield the texts of each slide in the order of the slides, the notes of a slide last."""
        seen: set[int] = set()
        for place, _, outline in self._persists(_SLIDES):
            at = self._places.get(place, -1)
            if self._header(at)[0] != _SLIDE or at in seen:
                yield outline
                continue
            seen.add(at)
            # Texts of placeholders are stored in the outline of the document, those of other shapes in the slide.
            own = [*self._texts(self._inner(at), depth=0)]
            yield [*outline, *own, *self._notes(at)]

    def _notes(self, slide: int) -> list[SlideText]:
        for _, (start, end) in self._children(self._inner(slide), _SLIDE_ATOM):
            if end - start >= 20:
                (notes_id,) = struct.unpack_from("<I", self._data, start + 16)
                notes = self._places.get(self._notes_of.get(notes_id, 0), -1)
                if notes >= 0:
                    return [SlideText(words.text) for words in self._texts(self._inner(notes), depth=0)]
        return []

    def _directory(self, edit_at: int) -> tuple[dict[int, int], int]:
        """Follow the edits back from the last one; return the place of each object and the document's number."""
        places: dict[int, int] = {}
        document = 0
        for _ in range(_MAX_EDITS):
            kind, start, end = self._header(edit_at)
            if kind != _USER_EDIT or end - start < 20:
                break
            last, directory, reference = struct.unpack_from("<8xIII", self._data, start)
            document = document or reference
            self._read_directory(directory, places)
            if last == 0 or last >= edit_at:
                break
            edit_at = last
        if not document:
            raise BadInput("the presentation is damaged (its last edit is not there); save it again from its program")
        return places, document

    def _read_directory(self, at: int, places: dict[int, int]) -> None:
        kind, start, end = self._header(at)
        while kind == _DIRECTORY and start + 4 <= end:
            (entry,) = struct.unpack_from("<I", self._data, start)
            first, count = entry & 0xFFFFF, min(entry >> 20, (end - start - 4) // 4)
            for number, place in enumerate(struct.unpack_from(f"<{count}I", self._data, start + 4), start=first):
                places.setdefault(number, place)
            start += 4 + 4 * count if count else end

    def _persists(self, kind: int) -> Iterator[tuple[int, int, list[SlideText]]]:
        """Yield the reference, id and outline texts of each slide in one of the lists of the document."""
        found: tuple[int, int] | None = None
        words: list[SlideText] = []
        is_title = False
        for type_, start, end in self._records(self._lists.get(kind, (0, 0))):
            if type_ == _PERSIST and end - start >= 16:
                if found:
                    yield *found, words
                place, slide_id = struct.unpack_from("<I8xI", self._data, start)
                found, words = (place, slide_id), []
            elif type_ == _HEADER and end - start >= 4:
                is_title = struct.unpack_from("<I", self._data, start)[0] in _TITLES
            elif type_ in {_CHARS, _BYTES}:
                words.append(SlideText(self._text(type_, start, end), is_title=is_title))
        if found:
            yield *found, words

    def _texts(self, inside: _Range, *, depth: int, is_boxed: bool = False) -> Iterator[SlideText]:
        """Yield the texts in text boxes, also inside groups."""
        is_title = False
        for type_, start, end in self._records(inside):
            if type_ == _HEADER and end - start >= 4:
                is_title = struct.unpack_from("<I", self._data, start)[0] in _TITLES
            elif type_ in {_CHARS, _BYTES} and is_boxed:
                yield SlideText(self._text(type_, start, end), is_title=is_title)
            elif (type_ == _BOX or self._data[start - 8] & 0xF == 0xF) and depth < _MAX_DEPTH:
                yield from self._texts((start, end), depth=depth + 1, is_boxed=is_boxed or type_ == _BOX)

    def _text(self, type_: int, start: int, end: int) -> str:
        data = self._data[start:end]
        text = data.decode("utf-16-le", "replace") if type_ == _CHARS else data.decode("latin-1")
        return text.replace("\x0b", " ").replace("\r", "\n")

    def _records(self, inside: _Range) -> Iterator[tuple[int, int, int]]:
        at, end = inside
        while at + 8 <= end:
            kind, start, stop = self._header(at)
            yield kind, start, min(stop, end)
            at = stop

    def _children(self, inside: _Range, kind: int) -> list[tuple[int, _Range]]:
        return [(start - 8, (start, end)) for type_, start, end in self._records(inside) if type_ == kind]

    def _inner(self, at: int) -> _Range:
        return self._header(at)[1:]

    def _instance(self, at: int) -> int:
        return int(struct.unpack_from("<H", self._data, at)[0]) >> 4

    def _header(self, at: int) -> tuple[int, int, int]:
        """Return the kind of a record and where its content begins and ends; kind 0 outside the stream."""
        if at < 0 or at + 8 > len(self._data):
            return 0, 0, 0
        kind, size = struct.unpack_from("<2xHI", self._data, at)
        return kind, at + 8, min(len(self._data), at + 8 + size)
