"""Choose the encoding of a text by the letters that each encoding would make of its bytes above 127.

The text is decoded in each encoding, and its letters are compared with the alphabets that are written in that
encoding. A letter of the alphabet counts for the encoding, and a common letter counts more. Any other sign, a capital
after a small letter, and two scripts in one word count against it. Examples: Russian in KOI8-R that is read as
windows-1251 has its capitals inverted; Polish in windows-1250 that is read as windows-1252 has superscripts in its
words; French that is read as Thai has Latin letters in them. When two encodings are equally good, the first in the
tables below wins, so the tables are in order of likelihood.

A byte that an encoding cannot decode counts like any other sign that is not in the alphabet: a text with one damaged
character is still most like its own language (benchmarks/encodings: when it counted three times as much, French with
one bad byte was read as Czech).
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from functools import cache

from ingest_assets.parsers.detection.damaged_bytes import REPLACEMENT

# Letters before "/" are the most common ones: about four fifths of any text.
_RUSSIAN = "оеаинтсрвлкмдпуяыь/абвгдежзийклмнопрстуфхцчшщъыьэюяё"
_ARABIC = (
    "اليمنوترةعبدسفكهحقأ/" + "".join(map(chr, range(0x621, 0x653))) + "پچژگک،؛؟ـ٠١٢٣٤٥٦٧٨٩\u200c\u200d\u200e\u200f"
)
_HEBREW = "יוהלאםרתבמשנד/אבגדהוזחטיךכלםמןנסעףפץצקרשת" + "".join(map(chr, range(0x5B0, 0x5C3)))
_THAI = "านรอกเงมยลวดทสะีิ่้ัปบคหุ/" + "".join(map(chr, range(0xE01, 0xE4F)))
_GREEK = "αοιετσςνρηυκπ/αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"

# Without the difference, "å" and "à" of one damaged text in windows-1252 are the rare "ĺ" and "ŕ" of windows-1250.
_CZECH_SLOVAK = "áčďéěíňóřšťúůýžľôä/áčďéěíňóřšťúůýžľĺŕôä"

_ALPHABETS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("cp1252", "cp850", "mac_roman", "cp437"),
        (
            "äöüß",
            "éèêëàâçîïôùûœæÿü",
            "áéíóúñü¿¡ªº",
            "ãõáéíóúâêôàçªº",
            "àèéìòùî",
            "åäöæøéü",
            "ëéïöüèáó",
            "áéíóúýþæöð",
            "àéíòóúçïü·",
        ),
    ),
    (
        ("cp1250", "iso8859_2", "cp852", "mac_latin2"),
        ("ąćęłńóśźż", _CZECH_SLOVAK, "áéíóöőúüű", "čćđšž", "ăâîșțşţ"),
    ),
    (("cp1254",), ("çğıöşüâîû",)),
    (("cp1257",), ("āčēģīķļņšūž", "ąčęėįšųūž", "äöüõšž")),
    (
        ("cp1251", "cp866", "koi8_r", "koi8_u", "iso8859_5", "mac_cyrillic"),
        (_RUSSIAN, _RUSSIAN + "іїєґ", "аиоенрстудмвјпк/абвгдђежзијклљмнњопрстћуфхцчџш"),
    ),
    (("cp1253", "iso8859_7"), (_GREEK,)),
    (("cp1255", "iso8859_8"), (_HEBREW,)),
    (("cp1256", "iso8859_6"), (_ARABIC, _ARABIC + "éèàâçêîôùû")),
    (("cp874",), (_THAI,)),
    (("cp1258",), ("ăâđêôơự̀́̉̃áàéèíóúù",)),
)
_EAST_ASIAN = ("cp932", "gb18030", "big5hkscs", "cp949", "euc_jis_2004")
# One Chinese character inside a Latin word: a letter of windows-1252 and the one after it, read as two bytes.
_HAN_IN_LATIN = re.compile(r"(?<=[a-z])[\u4e00-\u9fff가-힣](?=[a-z])")
_TYPOGRAPHY = "“”„‘’‚–—…•«»‹›€£§°©®™´·\xa0№"
# The most common Chinese characters, simplified and traditional: half of any Chinese text.
_COMMON_HAN = set(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方"
    "多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情"
    "這個們來為國說時會對於著過發後裡種經麼學現當沒動還進樣開從實軍無與長機東京市名前年齢住所平等由権利自生間"
)


# More damage than one character in ten (and more than one in all): the text is in another encoding.
_MAX_DAMAGED_SHARE = 0.1
# Encodings of one language overlap: what a text declares of itself decides between them.
_DECLARED_BONUS = 0.5
# Every byte of it is a letter of Czech or Polish: without it, French with one bad byte is read in it.
_RARE = {"mac_latin2": 0.25}
# Below it a third of the signs are foreign to the alphabet: the alphabet or the encoding is not in the tables.
_GOOD_FIT = 0.3


def best_encoding(sample: bytes, *, declared: str = "", utf8_fit: float = -1.0) -> str:
    """Name the Python codec in which the sample reads best; windows-1252 if no codec reads well.

    `declared` is the codec that the text names itself. `utf8_fit`, from -1 to 1, says how well the bytes of the whole
    text fit UTF-8.
    """
    if b"\x1b$" in sample and (encoding := _iso_2022(sample)):
        return encoding
    scores = {**_scores(sample), "utf-8": utf8_fit}
    declared = _listed_name(declared)
    if declared:
        fit = scores[declared] if declared in scores else _letter_share(sample, declared)
        scores[declared] = fit + _DECLARED_BONUS
    best = max(scores, key=scores.__getitem__)
    if scores[best] >= _GOOD_FIT:
        return best
    return _by_statistics(sample) or (best if scores[best] > -1 else "cp1252")


def _iso_2022(sample: bytes) -> str:
    """Name the ISO 2022 codec, of Japanese or Korean, that decodes the sample with little damage, or return ""."""
    for encoding in ("iso2022_jp_2", "iso2022_kr"):
        text = sample.decode(encoding, "replace")
        if not text.isascii() and not _is_too_damaged(text):
            return encoding
    return ""


def _scores(sample: bytes) -> dict[str, float]:
    """Score each encoding that decodes the sample with little damage, in the order of the tables."""
    found = {}
    for encodings, alphabets in _ALPHABETS:
        for encoding in encodings:
            text = sample.decode(encoding, "replace")
            if not _is_too_damaged(text):
                found[encoding] = max(_fit(text, alphabet) for alphabet in alphabets) - _RARE.get(encoding, 0.0)
    for encoding in _EAST_ASIAN:
        text = sample.decode(encoding, "replace")
        if not _is_too_damaged(text):
            found[encoding] = _east_asian_fit(text, encoding)
    return found


def _is_too_damaged(text: str) -> bool:
    damaged = text.count(REPLACEMENT)
    ascii_chars = len(text.encode("ascii", "ignore"))
    return damaged > 1 and damaged > _MAX_DAMAGED_SHARE * (len(text) - ascii_chars)


def _listed_name(encoding: str) -> str:
    """Return the name under which the tables list an encoding, or else Python's own name for it."""
    listed = (name for encodings, _ in _ALPHABETS for name in encodings)
    names = {codecs.lookup(name).name: name for name in (*listed, *_EAST_ASIAN)}
    return names.get(encoding, encoding)


def _letter_share(sample: bytes, encoding: str) -> float:
    """Score an encoding that has no table: by how many of the signs above 127 are letters."""
    signs = [char for char in sample.decode(encoding, "replace") if char > "\x7f"]
    letters = sum(char.isalpha() for char in signs)
    return (letters - signs.count(REPLACEMENT)) / max(1, len(signs)) / 2


def _fit(text: str, alphabet: str) -> float:
    counts = Counter(char for char in text if char > "\x7f")
    common, _, all_letters = alphabet.rpartition("/")
    score = 0.0
    for char, count in counts.items():
        if char in _TYPOGRAPHY:
            score += 0.3 * count
        elif char.lower() not in all_letters:
            score -= count
        else:
            # Capitals count a little less: Hebrew reads as Russian in capitals in KOI8-R.
            usual = 0.9 if common and char.isupper() else 1.0
            score += usual * (count if not common or char.lower() in common else 0.3 * count)
    return (score - 2 * len(_breaks().findall(text))) / max(1, counts.total())


@cache
def _breaks() -> re.Pattern[str]:
    """Compile the pattern of what no word has: a capital after a small letter (one of them above 127), two scripts."""
    chars = [chr(code) for code in range(0xC0, 0x530)]
    small = "".join(char for char in chars if char.islower())
    large = "".join(char for char in chars if char.isupper())
    other = "\u0370-\u06ff\u0e01-\u0e4e"
    # "à" and "è" are words of French and Italian; in windows-1250 the same bytes are letters that never stand alone.
    alone = r"(?<!\w)[ŕč](?=[\s,])"
    return re.compile(
        f"[{small}](?=[A-Z{large}])|[a-z](?=[{large}])|[A-Za-z](?=[{other}])|[{other}](?=[A-Za-z])|{alone}"
    )


def _east_asian_fit(text: str, encoding: str) -> float:
    counts = Counter(char for char in text if char > "\x7f")
    score = sum(count * _sign(char, encoding) for char, count in counts.items())
    return (score - 2 * len(_HAN_IN_LATIN.findall(text))) / max(1, counts.total())


def _sign(char: str, encoding: str) -> float:
    """Rate how usual a sign is in texts of this encoding's language, from -1 (never) to 1 (in every sentence)."""
    japanese = encoding in {"cp932", "euc_jis_2004"}
    if "\u3041" <= char <= "\u30fe":
        return 1.0 if japanese else 0.2
    if "\uff61" <= char <= "\uff9f":
        return 0.1  # half-width kana: letters of other encodings look so in Shift-JIS
    if "가" <= char <= "힣":
        return 0.9 if encoding == "cp949" and char in _korean_syllables() else -0.5
    if char in "、。，．！？：；（）「」『』《》“”‘’…—·":
        return 1.0
    if char in _COMMON_HAN:
        return 1.0
    if "\u4e00" <= char <= "\u9fff":
        return _han(char, encoding)
    return 0.3 if "！" <= char <= "～" else -0.7


def _han(char: str, encoding: str) -> float:
    """Rate a Chinese character by its place in the encoding: the first half of each table has the common ones."""
    lead = char.encode(encoding)[0]
    first = {"cp932": (0x88, 0x97), "gb18030": (0xB0, 0xD7), "big5hkscs": (0xA4, 0xC6), "euc_jis_2004": (0xB0, 0xCF)}
    if encoding not in first:
        return -0.2
    low, high = first[encoding]
    return 0.45 if low <= lead <= high else -0.2


@cache
def _korean_syllables() -> frozenset[str]:
    """Return the 2,350 syllables of KS X 1001. The other syllables of cp949 are what other encodings look like."""
    codes = (bytes([lead, trail]) for lead in range(0xB0, 0xC9) for trail in range(0xA1, 0xFF))
    return frozenset(code.decode("euc_kr") for code in codes)


def _by_statistics(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    match = from_bytes(sample).best()
    return match.encoding if match else ""
