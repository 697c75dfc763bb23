"""Count for each record what it adds to its asset's metadata: numbers, a short preview, warnings."""

from __future__ import annotations

from ingest_assets.artifacts.manifests import Tally
from ingest_assets.clients.language_detector import language_of
from ingest_assets.defs.assets.catalog.previews import cut
from ingest_assets.records import Caption, Chunk, ElementType, Part, SourceFile
from ingest_assets.stages.caption import DECORATION, DOES_NOT_FIT, SURE
from ingest_assets.stages.chunking.languages import words_by_language

_PREVIEW_CHARS = 300  # of one record: enough to recognise the document, too little to read it in the logs


def of_source(source: SourceFile) -> Tally:
    """Count a file's bytes."""
    preview = f"**{source.filename}** of {source.user_id} in {source.project_id}: {source.media_type}"
    return Tally(counts={"bytes": source.size_bytes}, preview=preview)


def of_part(part: Part) -> Tally:
    """Count a part's elements, pictures, tables and characters, and the pages that need OCR."""
    counts = {
        "elements": len(part.elements),
        "pictures": len(part.pictures),
        "pages_without_text": sum(picture.is_page for picture in part.pictures),
        "tables": sum(element.type is ElementType.TABLE for element in part.elements),
        "characters": sum(len(element.text) for element in part.elements),
        "quarantined": int(bool(part.problem)),
    }
    text = "\n\n".join(element.text for element in part.elements if element.text)
    warnings = part.warnings + ((part.problem,) if part.problem else ())
    return Tally(counts=counts, preview=_quote(text, page=part.page_number), warnings=warnings)


def of_caption(caption: Caption) -> Tally:
    """Count a picture's words, problems and doubts."""
    decoration = caption.problem.startswith(DECORATION)
    unread = bool(caption.problem) and not decoration
    counts = {
        "words": len(caption.text.split()),
        "decorations": int(decoration),
        "unread": int(unread),
        "quarantined": int(caption.problem == DOES_NOT_FIT),
        "doubtful": int(caption.is_doubtful),
    }
    page = f"page {caption.page_number}, " if caption.page_number is not None else ""
    where = f"{page}picture {caption.picture[:12]}"
    warnings = [f"{where}: {caption.problem}"] if unread else []
    if caption.is_doubtful:
        sure = caption.confidence
        doubt = "no text was found" if sure is None else f"read with a confidence of {sure:.2f}, below {SURE}"
        warnings.append(f"{where}: {doubt}; compare with the original")
    return Tally(
        counts=counts,
        preview=_quote(caption.caption or caption.text, page=caption.page_number),
        warnings=tuple(warnings),
    )


def of_chunk(chunk: Chunk) -> Tally:
    """Count a chunk's words; in some chunks also the words of each language."""
    languages = words_by_language(chunk, language_of=language_of)
    return Tally(counts={"words": chunk.words, **languages}, preview=_quote(chunk.text))


def _quote(text: str, *, page: int | None = None) -> str:
    """Return the beginning of a text for the preview, with its page in front."""
    if not text.strip():
        return ""
    mark = f"**Page {page}**\n\n" if page is not None else ""
    return f"{mark}{cut(text, _PREVIEW_CHARS)}\n\n"
