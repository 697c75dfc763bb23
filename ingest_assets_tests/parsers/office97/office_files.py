"""Write Word, Excel and PowerPoint files of 1997 to 2003 for the tests."""

from __future__ import annotations

import struct

from ingest_assets_tests.parsers.office97.ole import compound


def word(main: str, *, footnotes: str = "", flags: int = 0, picture: bytes = b"") -> bytes:
    """Write a document of two pieces: the first in bytes, the second in UTF-16."""
    text = main + footnotes
    half = len(text) // 2 if text[: len(text) // 2].isascii() else 0
    head = bytearray(0x400)
    struct.pack_into("<H8xH", head, 0, 0xA5EC, flags)
    struct.pack_into("<7i", head, 0x4C, len(main), len(footnotes), 0, 0, 0, 0, 0)
    stream = head + text[:half].encode("cp1252") + text[half:].encode("utf-16-le", "surrogatepass")
    plc = struct.pack("<3I", 0, half, len(text))
    plc += struct.pack("<HIH", 0, (0x400 * 2) | 1 << 30, 0) + struct.pack("<HIH", 0, 0x400 + half, 0)
    clx = b"\x01\x02\x00ab" + b"\x02" + struct.pack("<I", len(plc)) + plc
    struct.pack_into("<II", stream, 0x01A2, 0, len(clx))
    return compound({"WordDocument": bytes(stream), "0Table": clx, "Data": picture})


def record(kind: int, data: bytes, *, instance: int = 0, version: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4 | version, kind, len(data)) + data


def container(kind: int, *children: bytes, instance: int = 0) -> bytes:
    return record(kind, b"".join(children), instance=instance, version=0xF)


def blip(data: bytes) -> bytes:
    return record(0xF01E, bytes(17) + data)


def slides(count: int, *, token: int = 0xE391C05F, drawn: bytes = b"") -> bytes:
    """Write a presentation: titles in the outline, a text box on each slide, notes on the first."""
    stream, places = b"", []
    for number in range(count):
        box = container(0xF00D, record(0x0FA0, f"Box {number}".encode("utf-16-le")))
        atom = record(0x03EF, struct.pack("<20xI", 0)[:16] + struct.pack("<II", 500 if number == 0 else 0, 0))
        places.append(len(stream))
        stream += container(0x03EE, atom, container(0x040C, container(0xF004, box)))
    notes_at = len(stream)
    stream += container(0x03F0, container(0x040C, container(0xF004, container(0xF00D, record(0x0FA8, b"Say it")))))
    outline = b"".join(
        record(0x03F3, struct.pack("<IIIII", number + 2, 0, 0, 256 + number, 0))
        + record(0x0F9F, struct.pack("<I", 0))
        + record(0x0FA8, f"Title {number}".encode("latin-1"))
        for number in range(count)
    )
    notes = record(0x03F3, struct.pack("<IIIII", count + 2, 0, 0, 500, 0))
    document_at = len(stream)
    stream += container(0x03E8, container(0x0FF0, outline), container(0x0FF0, notes, instance=2))
    offsets = [document_at, *places, notes_at]
    directory_at = len(stream)
    stream += record(0x1772, struct.pack(f"<I{len(offsets)}I", len(offsets) << 20 | 1, *offsets))
    edit_at = len(stream)
    stream += record(0x0FF5, struct.pack("<IIIIIII", 0, 0, 0, directory_at, 1, 0, 0))
    user = record(0x0FF6, struct.pack("<III", 20, token, edit_at))
    return compound({"PowerPoint Document": stream, "Current User": user, "Pictures": drawn})


def biff(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def workbook(*sheets: list[list[str | float]], protected: bool = False) -> bytes:
    bodies = []
    for rows in sheets:
        cells = [biff(0x0809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6))]
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if isinstance(value, str):
                    text = struct.pack("<HHHHB", y, x, 0, len(value), 1) + value.encode("utf-16-le")
                    cells.append(biff(0x0204, text))
                else:
                    cells.append(biff(0x0203, struct.pack("<HHHd", y, x, 0, value)))
        bodies.append(b"".join([*cells, biff(0x0A)]))
    head = biff(0x0809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 6)) + biff(0x42, struct.pack("<H", 1200))
    if protected:
        head += biff(0x2F, struct.pack("<HHH", 0, 1, 2))
    names = [f"Sheet{number}".encode("latin-1") for number in range(1, len(sheets) + 1)]
    size = len(head) + sum(4 + 8 + len(name) for name in names) + 4
    bounds = b""
    for name, body in zip(names, bodies, strict=True):
        bounds += biff(0x85, struct.pack("<IBBBB", size, 0, 0, len(name), 0) + name)
        size += len(body)
    return compound({"Workbook": head + bounds + biff(0x0A) + b"".join(bodies)})
