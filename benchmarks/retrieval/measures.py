"""Compute the measures of the two retrieval sets from the similarities of questions and chunks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sets import Placed, Question

Matrix = npt.NDArray[np.float32]


def by_document(similarities: Matrix, questions: Sequence[Question], chunks: Sequence[Placed]) -> dict[str, float]:
    """A document counts by its best chunk (SciFact)."""
    names = list(dict.fromkeys(placed.document for placed in chunks))
    number = {name: index for index, name in enumerate(names)}
    columns = np.array([number[placed.document] for placed in chunks])
    ndcg, recall = [], []
    for question, row in zip(questions, similarities, strict=True):
        best = np.full(len(names), -np.inf, dtype=np.float32)
        np.maximum.at(best, columns, row)
        ranked = [names[i] for i in np.argsort(-best, kind="stable")[:100]]
        ndcg.append(_ndcg([name in question.documents for name in ranked], len(question.documents)))
        recall.append(len(question.documents.intersection(ranked)) / len(question.documents))
    return {"nDCG@10": float(np.mean(ndcg)), "recall@100": float(np.mean(recall))}


def by_span(similarities: Matrix, questions: Sequence[Question], chunks: Sequence[Placed]) -> dict[str, float]:
    """A chunk is relevant when it overlaps an answer (COVID-QA-long)."""
    hit, recall, ndcg, document = [], [], [], []
    for question, row in zip(questions, similarities, strict=True):
        top = [chunks[i] for i in np.argsort(-row, kind="stable")[:10]]
        relevant = [_overlaps(placed, question) for placed in top]
        possible = sum(_overlaps(placed, question) for placed in chunks if placed.document in question.documents)
        hit.append(any(relevant))
        recall.append(_share_inside(question, top))
        ndcg.append(_ndcg(relevant, possible))
        document.append(any(placed.document in question.documents for placed in top))
    means: dict[str, Sequence[float]] = {
        "hit@10": hit,
        "span recall@10": recall,
        "nDCG@10": ndcg,
        "document recall@10": document,
    }
    return {name: float(np.mean(values)) for name, values in means.items()}


def _ndcg(relevant: Sequence[bool], possible: int, *, k: int = 10) -> float:
    gain = sum(1 / math.log2(rank + 2) for rank, is_relevant in enumerate(relevant[:k]) if is_relevant)
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, possible)))
    return gain / ideal if ideal else 0.0


def _overlaps(placed: Placed, question: Question) -> bool:
    return any(
        placed.document == document and placed.start < end and start < placed.end
        for document, start, end in question.spans
    )


def _share_inside(question: Question, top: Sequence[Placed]) -> float:
    wanted = {(document, at) for document, start, end in question.spans for at in range(start, end)}
    inside = {
        (document, at)
        for document, start, end in question.spans
        for placed in top
        if placed.document == document
        for at in range(max(start, placed.start), min(end, placed.end))
    }
    return len(inside) / len(wanted)
