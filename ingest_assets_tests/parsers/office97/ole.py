"""Write an OLE compound file (MS-CFB), so that tests can make Outlook messages and old Office files."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_SECTOR = 512
_FREE, _END, _FAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


@dataclass
class _Entry:
    name: str
    kind: int
    data: bytes = b""
    children: list[int] = field(default_factory=list)


def compound(streams: dict[str, bytes]) -> bytes:
    """Write streams by their paths, with "/" between folders; streams below 4,096 bytes go into the mini stream."""
    entries = [_Entry("Root Entry", 5)]
    places = {"": 0}
    for path, data in streams.items():
        names = path.split("/")
        for depth in range(1, len(names) + 1):
            here, parent = "/".join(names[:depth]), "/".join(names[: depth - 1])
            if here not in places:
                places[here] = len(entries)
                entries[places[parent]].children.append(len(entries))
                entries.append(_Entry(names[depth - 1], 2 if depth == len(names) else 1))
        entries[places[path]].data = data
    return _written(entries)


def _written(entries: list[_Entry]) -> bytes:
    sectors: list[bytes] = []
    fat: list[int] = []

    def chain(data: bytes) -> int:
        first = len(sectors)
        pieces = [data[at : at + _SECTOR].ljust(_SECTOR, b"\0") for at in range(0, len(data), _SECTOR)]
        sectors.extend(pieces)
        fat.extend([*range(first + 1, first + len(pieces)), _END] if pieces else [])
        return first if pieces else _END

    # Streams below 4,096 bytes belong in the mini stream, which is one chain here; a cutoff of 0 would be refused.
    mini, minifat, starts = bytearray(), [], {}
    for number, entry in enumerate(entries):
        if entry.kind == 2 and 0 < len(entry.data) < 4096:
            starts[number] = len(mini) // 64
            count = -(-len(entry.data) // 64)
            mini += entry.data.ljust(count * 64, b"\0")
            minifat += [*range(starts[number] + 1, starts[number] + count), _END]
        elif entry.kind == 2:
            starts[number] = chain(entry.data)
    starts[0] = chain(bytes(mini))
    minifat_start = chain(b"".join(struct.pack("<I", value) for value in minifat))
    directory = b"".join(_entry(entries, number, starts, len(mini)) for number in range(len(entries)))
    directory_start = chain(directory)
    fat_count = 1
    while (len(sectors) + fat_count) * 4 > fat_count * _SECTOR:
        fat_count += 1
    fat_at = len(sectors)
    table = b"".join(struct.pack("<I", value) for value in [*fat, *[_FAT] * fat_count])
    table = table.ljust(fat_count * _SECTOR, b"\xff")
    minifat_count = -(-len(minifat) * 4 // _SECTOR)
    magic = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    numbers = (fat_count, directory_start, 0, 4096, minifat_start, minifat_count, _END, 0)
    header = struct.pack("<8s16sHHHHH6xIIIIIIIII", magic, bytes(16), 0x3E, 3, 0xFFFE, 9, 6, 0, *numbers)
    difat = [*range(fat_at, fat_at + fat_count)]
    header += b"".join(struct.pack("<I", value) for value in difat).ljust(436, b"\xff")
    return header + b"".join(sectors) + table


def _entry(entries: list[_Entry], number: int, starts: dict[int, int], mini_bytes: int) -> bytes:
    entry = entries[number]
    siblings = {
        child: other for item in entries for child, other in zip(item.children, item.children[1:], strict=False)
    }
    name = entry.name.encode("utf-16-le") + b"\0\0"
    child = entry.children[0] if entry.children else _NONE
    size = mini_bytes if number == 0 else len(entry.data)
    start = starts.get(number, 0) if entry.kind != 1 else 0
    return struct.pack("<64sHBBIII36xIII", name, len(name), entry.kind, 1, _NONE, siblings.get(number, _NONE), child,
                       start, size, 0)  # fmt: skip
