"""Detect the language of a short text.

For most scripts only one language is considered here, so the script alone decides. For the others langdetect is asked
(MIT; its profiles of letter triples, by Nakatani Shuyo, are Apache-2.0). It is a dependency of `unstructured`, works
offline, and reads its profiles only when they are first needed. On one short sentence it may confuse similar languages,
such as German and Dutch.
"""

from __future__ import annotations

import re

_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),  # kana: before Chinese characters, which Japanese uses too
    ("ko", re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff\u1f00-\u1fff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hy", re.compile("[\u0530-\u058f]")),
    ("ka", re.compile("[\u10a0-\u10ff]")),
)
_MIN_SHARE = 0.3  # of the letters: Japanese has two Chinese characters to a kana at most; names are fewer
_SURE = 0.5  # langdetect's own probability: below it, several languages are likely


def language_of(text: str) -> str:
    """Return the language of most of a text as ISO 639-1; an empty string if it is not sure."""
    letters = sum(map(str.isalpha, text))
    for language, script in _SCRIPTS:
        if letters and len(script.findall(text)) >= _MIN_SHARE * letters:
            return language
    return _by_triples(text) if letters else ""


def _by_triples(text: str) -> str:
    from langdetect.lang_detect_exception import LangDetectException

    from ingest_assets.clients.language_profiles import DETECTORS

    detector = DETECTORS.create()
    detector.append(text)
    try:
        best = next(iter(detector.get_probabilities()), None)
    except LangDetectException:  # no letters of any profile
        return ""
    return str(best.lang).partition("-")[0] if best is not None and best.prob >= _SURE else ""
