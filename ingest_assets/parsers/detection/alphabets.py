"""Bytes above 127 in, the encoding whose letters make sense of them out.

Each encoding is read strictly and its letters are held against the alphabets written in it: a letter of the alphabet
counts for it, and more where it is among the commonest; any other sign, a capital after a small letter and two scripts
in one word count against it. Russian in KOI8-R read as windows-1251 has its case inverted; Polish in windows-1250 read
as windows-1252 has superscripts in its words; French read as Thai has Latin in them.
The first of equals wins, so the order below is that of likelihood.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

# "/" parts an alphabet: the commonest letters, some four fifths of any text, stand before it.
_RUSSIAN = "оеаинтсрвлкмдпуяыь/абвгдежзийклмнопрстуфхцчшщъыьэюяё"
_ARABIC = (
    "اليمنوترةعبدسفكهحقأ/" + "".join(map(chr, range(0x621, 0x653))) + "پچژگک،؛؟ـ٠١٢٣٤٥٦٧٨٩\u200c\u200d\u200e\u200f"
)
_HEBREW = "יוהלאםרתבמשנד/אבגדהוזחטיךכלםמןנסעףפץצקרשת" + "".join(map(chr, range(0x5B0, 0x5C3)))
_THAI = "านรอกเงมยลวดทสะีิ่้ัปบคหุ/" + "".join(map(chr, range(0xE01, 0xE4F)))
_GREEK = "αοιετσςνρηυκπ/αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"

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
        ("ąćęłńóśźż", "áčďéěíňóřšťúůýžľĺŕôä", "áéíóöőúüű", "čćđšž", "ăâîșțşţ"),
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
_TYPOGRAPHY = "“”„‘’‚–—…•«»‹›€£§°©®™´·\xa0№"
# The hundred-odd signs that make up half of any Chinese text, simplified and traditional.
_COMMON_HAN = set(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方"
    "多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情"
    "這個們來為國說時會對於著過發後裡種經麼學現當沒動還進樣開從實軍無與長機東京市名前年齢住所平等由権利自生間"
)


def best_encoding(sample: bytes) -> str:
    """Name the codec in which the sample reads best; windows-1252 where nothing speaks for another."""
    if b"\x1b$" in sample:
        for encoding in ("iso2022_jp_2", "iso2022_kr"):
            if _decoded(sample, encoding) is not None:
                return encoding
    scores = [(score, -place, name) for place, (score, name) in enumerate(_scores(sample))]
    best, _, encoding = max(scores, default=(0.0, 0, ""))
    # Below 0.3 a third of the signs are foreign to the alphabet: an alphabet or a code page that is not listed.
    return encoding if best >= 0.3 else _by_statistics(sample) or encoding or "cp1252"


def _scores(sample: bytes) -> list[tuple[float, str]]:
    found = []
    for encodings, alphabets in _ALPHABETS:
        for encoding in encodings:
            text = _decoded(sample, encoding)
            if text is not None:
                found.append((max(_fit(text, alphabet) for alphabet in alphabets), encoding))
    for encoding in _EAST_ASIAN:
        text = _decoded(sample, encoding)
        if text is not None:
            found.append((_east_asian_fit(text, encoding), encoding))
    return found


def _decoded(sample: bytes, encoding: str) -> str | None:
    """Decode strictly, but for a character that the end of the sample's line cuts in two."""
    text = []
    for line in sample.split(b"\n"):
        try:
            text.append(line.decode(encoding))
        except UnicodeDecodeError as error:
            if len(line) < 4096 - 1 or error.start < len(line) - 4:
                return None
            text.append(line[: error.start].decode(encoding))
    return "\n".join(text)


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
    """Find a capital after a small letter, one of the two above 127, and Latin letters beside another script's."""
    chars = [chr(code) for code in range(0xC0, 0x530)]
    small = "".join(char for char in chars if char.islower())
    large = "".join(char for char in chars if char.isupper())
    other = "\u0370-\u06ff\u0e01-\u0e4e"
    return re.compile(f"[{small}](?=[A-Z{large}])|[a-z](?=[{large}])|[A-Za-z](?=[{other}])|[{other}](?=[A-Za-z])")


def _east_asian_fit(text: str, encoding: str) -> float:
    counts = Counter(char for char in text if char > "\x7f")
    score = sum(count * _sign(char, encoding) for char, count in counts.items())
    return score / max(1, counts.total())


def _sign(char: str, encoding: str) -> float:
    """Say how usual a sign is in texts of this encoding's language: -1 never to 1 in every sentence."""
    japanese = encoding in {"cp932", "euc_jis_2004"}
    if "\u3041" <= char <= "\u30fe":
        return 1.0 if japanese else 0.2
    if "\uff61" <= char <= "\uff9f":
        return 0.1  # half-width kana: what other encodings' letters look like in Shift-JIS
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
    """Judge a Chinese sign by its place: the first half of each table holds the common ones."""
    lead = char.encode(encoding)[0]
    first = {"cp932": (0x88, 0x97), "gb18030": (0xB0, 0xD7), "big5hkscs": (0xA4, 0xC6), "euc_jis_2004": (0xB0, 0xCF)}
    if encoding not in first:
        return -0.2
    low, high = first[encoding]
    return 0.45 if low <= lead <= high else -0.2


@cache
def _korean_syllables() -> frozenset[str]:
    """The 2,350 syllables of KS X 1001: the others of cp949 are what other encodings look like."""
    codes = (bytes([lead, trail]) for lead in range(0xB0, 0xC9) for trail in range(0xA1, 0xFF))
    return frozenset(code.decode("euc_kr") for code in codes)


def _by_statistics(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    match = from_bytes(sample).best()
    return match.encoding if match else ""
