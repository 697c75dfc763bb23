"""Detect the kind of a text file: mail, HTML, XML, Markdown, CSV, JSON, source code or prose."""

from __future__ import annotations

import re
from pathlib import Path

from ingest_assets.parsers.detection import encoding

JSON_LINES = "application/x-ndjson"
SOURCE = "text/x-source"
MAIL = "message/rfc822"

# Source code and configuration: line ends and indents are kept.
_SOURCE_SUFFIXES = (
    *(".py", ".pyi", ".js", ".mjs", ".jsx", ".ts", ".tsx", ".java", ".kt", ".scala", ".groovy", ".c", ".h", ".cc"),
    *(".cpp", ".cxx", ".hpp", ".cs", ".fs", ".vb", ".go", ".rs", ".swift", ".m", ".rb", ".php", ".pl", ".pm", ".lua"),
    *(".r", ".jl", ".dart", ".ex", ".exs", ".erl", ".hs", ".clj", ".sh", ".bash", ".zsh", ".ps1", ".bat", ".cmd"),
    *(".sql", ".css", ".scss", ".less", ".proto", ".tf", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf"),
    *(".diff", ".patch"),
)

_TEXT_SUFFIXES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdown": "text/markdown",
    ".mkd": "text/markdown",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".tab": "text/csv",
    ".htm": "text/html",
    ".html": "text/html",
    ".xhtml": "text/html",
    ".xml": "application/xml",
    ".json": "application/json",
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    **dict.fromkeys((".eml", ".mht", ".mhtml", ".mbox"), MAIL),
    **dict.fromkeys(_SOURCE_SUFFIXES, SOURCE),
}

_TABBED_LINES = 200
_WHOLE_LINES = 10  # if there are more lines, the last one may be cut
_HTML_START = re.compile(r"(<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*+<(!doctype\s+html|html[\s>])", re.DOTALL)
_HTML_TAG = re.compile(r"<(html|head|body|title|table|div|p|h[1-6]|ul|ol|br|span|a|meta|script|style)(\s[^<>]*)?/?>")
_MAIL_FIELD = re.compile(
    r"(?m)^(received|return-path|message-id|mime-version|content-type|delivered-to|dkim-signature):", re.ASCII
)
_MAIL_START = re.compile(r"(from [^\n]*\n)?[a-z][a-z0-9-]*:[ \t]", re.ASCII)


def text_type(head: bytes, *, filename: str) -> str:
    """Return the media type of a text by its beginning; the file's name decides between types that the content allows.

    Raises:
        BadInput: the bytes are not text.
    """
    codec = encoding.of_head(head)
    text = head.decode(codec or "latin-1", "replace").lstrip("\ufeff")
    lower = text.lstrip().lower()
    suffix = _TEXT_SUFFIXES.get(Path(filename).suffix.lower(), "")
    if _is_html(lower):
        return "text/markdown" if suffix == "text/markdown" and not _HTML_START.match(lower) else "text/html"
    if lower.startswith("<?xml") or re.match(r"<!doctype\s|<(\w+:)?[\w-]+\s[^>]*\bxmlns", lower):
        return "application/xml"
    if _is_mail(lower, suffix=suffix):
        return MAIL
    return suffix if suffix and _fits(suffix, lower) else _guess(lower)


def _is_mail(lower: str, *, suffix: str) -> bool:
    """Tell a mail from a memo that begins with "From:": it has fields that only programs write, or is named .eml."""
    if not _MAIL_START.match(lower):
        return False
    headers = re.split(r"\r?\n\r?\n", lower, maxsplit=1)[0]
    return suffix == MAIL or len(set(_MAIL_FIELD.findall(headers))) >= 2


def _is_html(lower: str) -> bool:
    if _HTML_START.match(lower):
        return True
    if lower.startswith("<?xml"):
        return False
    # A fragment of HTML begins with a tag and has closing tags; Markdown that contains HTML does not begin with a tag.
    return bool(_HTML_TAG.match(lower)) and len(re.findall(r"</(\w+)>", lower[:20_000])) >= 1


def _fits(suffix: str, lower: str) -> bool:
    """Tell whether the content can be of the type that the name says; CSV and Markdown can have any content."""
    if suffix == "text/html":
        return bool(_HTML_TAG.search(lower) or re.search(r"</[a-z][a-z0-9]*\s*>", lower))
    if suffix == "application/xml":
        return bool(re.match(r"<[a-z_][\w:.-]*[\s/>]", lower))
    if suffix == JSON_LINES:
        return lower.startswith(("{", "["))
    return suffix in {"text/csv", "text/markdown", SOURCE}


def _guess(lower: str) -> str:
    if re.match(r"\{[^\n]*\}[ \t\r]*\n\{[^\n]*\}[ \t\r]*(\n|$)", lower):
        return JSON_LINES
    if re.match(r'\{\s*["}]|\[\s*["\[{\]]', lower):
        return "application/json"
    return "text/csv" if _is_tabbed(lower) else "text/plain"


def _is_tabbed(lower: str) -> bool:
    """Tell a table with tabs between its cells from prose with tabs: each line has the same number of tabs."""
    lines = [line for line in lower.split("\n")[:_TABBED_LINES] if line.strip()]
    counts = {line.count("\t") for line in (lines[:-1] if len(lines) > _WHOLE_LINES else lines)}
    if len(lines) < 3 or len(counts) != 1 or 0 in counts:
        return False
    # Numbered prose, dialogue and code have one tab in each line, too, and so has indented text.
    firsts = [line.partition("\t")[0].rstrip() for line in lines]
    return all(firsts) and (counts != {1} or not any(map(_is_label, firsts)))


def _is_label(cell: str) -> bool:
    return cell.endswith((":", ".", ")", ";")) or not any(map(str.isalnum, cell))
