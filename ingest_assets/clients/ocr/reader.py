"""A picture's pixels in, its lines of text out: RapidOCR's PP-OCRv6 models on OpenVINO, in bounded memory.

The models and the arithmetic around them (boxes from the detector's map, text from the recogniser's scores) are those
of the `rapidocr` package; the sessions are ours, because its own take every picture at its full size and shape: 860 MB
for a picture of 1600 x 1200, where this takes 350. What makes the difference:

- detection on one canvas of fixed size: OpenVINO plans its memory once, and the first picture comes a second sooner; a
  page is looked at in two of them, at twice the resolution, and put together before lines are made of it;
- recognition line by line, at widths rounded up, cut from the picture at a finer resolution than was detected on;
- each model lets go of its working memory before the other starts (6 ms, 85 MB);
- blank margins are cut off and the rest of the canvas is filled with the picture again: the detector weighs what it
  sees against the whole, and misses a few words on an empty page (found of 90 such pages: 90, against 42);
- no third model for text that stands on its head: a page that lies on its side, and one whose longest lines are read
  without confidence, is tried both ways on a few lines and turned; so is a vertical line on an upright page.

Numbers are float32: with bfloat16 where the processor has it, the same file would yield other text elsewhere. Two
threads give the same bits as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest_assets.clients.ocr.layout import Line, confidence_of, text_of
from ingest_assets.clients.ocr.models import DETECTION_MODEL, SHIPPED_LANGUAGE, model_path, recognition_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]

# Side of a tile: 960 is where PaddleOCR's own server pipeline puts it; 1280 takes 80 MB more.
CANVAS_PX = 960
# Longest side of what is looked at, a page of A4 being 1,358; and what tiles share, two lines of a heading.
MOST_TILED_PX, TILE_OVERLAP_PX = 2_000, 96
# A small picture is enlarged, as the detector misses print under 8 pixels; past double there is nothing to gain.
MOST_ENLARGED = 2.0
# What JPEG makes of white differs by less; and the detector wants some paper around a line.
MARGIN_TOLERANCE, MARGIN_PX = 24, 16
# Height of a line as the recogniser was trained, and the narrowest it was trained on.
LINE_HEIGHT_PX, LINE_WIDTH_PX = 48, 320
# Widths go up in steps, so that few shapes are met; longer lines are squeezed: their scores take 9 kB a pixel.
WIDTH_STEP_PX, MAX_LINE_WIDTH_PX = 160, 2_400
# RapidOCR's own threshold: below it, textures and ornaments are read as letters.
MIN_SCORE = 0.5
# How much higher than wide a box is that RapidOCR's own cutting lays down.
LYING = 1.5
# Lines by which the turn of a page is told, and the score from which it is not in question.
TRIED_LINES, SURE_SCORE = 5, 0.9


class Page(NamedTuple):
    """What was read from a picture."""

    text: str
    confidence: float | None
    """Mean over the characters of every line that was found, also of those too doubtful to keep; None without any."""


class OcrReader:
    """The models, compiled: one that finds lines, and one that reads them for each language."""

    def __init__(self, languages: Sequence[str] = (SHIPPED_LANGUAGE,), *, folder: Path | None = None) -> None:
        import cv2
        from rapidocr.ch_ppocr_det.utils import DBPostProcess

        from ingest_assets.clients.embedding.openvino_runtime import openvino

        cv2.setNumThreads(1)
        core = openvino.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": 2, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})
        detector = core.read_model(model_path(DETECTION_MODEL))
        detector.reshape([1, 3, CANVAS_PX, CANVAS_PX])
        self._detector = core.compile_model(detector, "CPU")
        self._recognisers = [_Recogniser(core, recognition_model(language, folder=folder)) for language in languages]
        # The values of rapidocr 3.10's config.yaml.
        self._find_boxes = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)

    def read(self, bgr: Pixels) -> Page:
        """Read a picture, blue first, whichever way it is turned."""
        bgr, found = self._upright(_without_margins(bgr))
        lines = [self._line(bgr, corners) for corners in found]
        for recogniser in self._recognisers:
            recogniser.rest()
        return Page(text_of([line for line in lines if line.score >= MIN_SCORE]), confidence_of(lines))

    def _upright(self, bgr: Pixels) -> tuple[Pixels, list[Floats]]:
        """Turn a picture so that its lines can be read, and find them."""
        import numpy as np

        found = self._detect(bgr)
        quarters = self._quarter_turns(bgr, found)
        if not quarters:
            return bgr, found
        turned = np.ascontiguousarray(np.rot90(bgr, quarters))
        return turned, self._detect(turned)

    def _quarter_turns(self, bgr: Pixels, found: Sequence[Floats]) -> int:
        """Count the quarter turns to the left after which a picture stands upright, by a few of its longest lines."""
        import numpy as np
        from rapidocr.utils.process_img import get_rotate_crop_image

        lengths = [max(_size(corners)) for corners in found]
        lying = [height >= LYING * width for width, height in map(_size, found)]
        is_lying = 2 * sum(length for length, lies in zip(lengths, lying, strict=True) if lies) > sum(lengths)
        alike = [index for index, lies in enumerate(lying) if lies is is_lying]
        longest = sorted(alike, key=lambda index: -lengths[index])[:TRIED_LINES]
        lines = [get_rotate_crop_image(bgr, found[index].copy()) for index in longest]  # lying ones turned to the left
        score = sum(self._read_line(line)[1] for line in lines)
        if not lines or (not is_lying and score >= SURE_SCORE * len(lines)):
            return 0
        other = sum(self._read_line(np.rot90(line, 2))[1] for line in lines)
        return is_lying + 2 * (other > score)

    def _line(self, bgr: Pixels, corners: Floats) -> Line:
        """Read one line; of a vertical one, the surer of both directions."""
        import numpy as np
        from rapidocr.utils.process_img import get_rotate_crop_image

        line = get_rotate_crop_image(bgr, corners.copy())
        width, height = _size(corners)
        text, score = self._read_line(line)
        if height > width:
            text, score = max((text, score), self._read_line(np.rot90(line, 2)), key=lambda reading: reading[1])
        x, y = corners.mean(axis=0).tolist()
        along, down = (corners[1] - corners[0]).tolist()
        return Line(text.strip(), x, y, width, height, math.atan2(down, along), score)

    def _read_line(self, line: Pixels) -> tuple[str, float]:
        """Read one cut-out line with every language's model; the surest reading stands."""
        return max((one.read(line) for one in self._recognisers), key=lambda reading: reading[1])

    def _detect(self, bgr: Pixels) -> list[Floats]:
        """Find the corners of each line, in pixels of the picture."""
        import cv2
        import numpy as np

        height, width = bgr.shape[:2]
        scale = _detection_scale(height, width)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        resized: Pixels = cv2.resize(bgr, size, interpolation=interpolation)  # type: ignore[assignment]
        found = self._map(resized)
        self._detector.release_memory()
        corners, _ = self._find_boxes(found[np.newaxis, np.newaxis], (height, width))
        return [np.asarray(one, dtype=np.float32) for one in corners]

    def _map(self, bgr: Pixels) -> Floats:
        """Tell of each pixel how surely it is text, tile by tile, each believed in its inner part."""
        import cv2
        import numpy as np

        height, width = bgr.shape[:2]
        found = np.zeros((height, width), dtype=np.float32)
        for top, upper, lower in _tiles(height):
            for left, first, last in _tiles(width):
                tile = bgr[top : top + CANVAS_PX, left : left + CANVAS_PX]
                again = (0, CANVAS_PX - tile.shape[0], 0, CANVAS_PX - tile.shape[1])
                canvas = _normal(cv2.copyMakeBorder(tile, *again, cv2.BORDER_WRAP))[np.newaxis]
                inner = self._detector(canvas)[0][0, 0, upper - top : lower - top, first - left : last - left]
                found[upper:lower, first:last] = inner
        return found


class _Recogniser:
    """A model that reads one line."""

    def __init__(self, core: Any, path: Path) -> None:
        from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

        model = core.read_model(path)
        self._decode = CTCLabelDecode(character=model.get_rt_info()["framework"]["character"].value.splitlines())
        self._model = core.compile_model(model, "CPU")

    def rest(self) -> None:
        """Let go of working memory."""
        self._model.release_memory()

    def read(self, line: Pixels) -> tuple[str, float]:
        """Return the text of a line and the mean score of its characters."""
        import cv2
        import numpy as np

        height, width = line.shape[:2]
        if not height or not width:
            return "", 0.0
        wanted = min(math.ceil(LINE_HEIGHT_PX * width / height), MAX_LINE_WIDTH_PX)
        canvas_width = max(LINE_WIDTH_PX, math.ceil(wanted / WIDTH_STEP_PX) * WIDTH_STEP_PX)
        canvas = np.zeros((1, 3, LINE_HEIGHT_PX, canvas_width), dtype=np.float32)
        canvas[0, :, :, :wanted] = _normal(cv2.resize(np.ascontiguousarray(line), (wanted, LINE_HEIGHT_PX)))
        readings, _ = self._decode(self._model(canvas)[0])
        text, score = readings[0]
        return str(text), float(score)


def _detection_scale(height: int, width: int) -> float:
    """Return by how much a picture is enlarged for detection: its shorter side fills a tile, its longer one a few."""
    longest, shortest = max(height, width), min(height, width)
    if longest <= CANVAS_PX:
        return min(CANVAS_PX / longest, MOST_ENLARGED)
    return min(max(CANVAS_PX / shortest, CANVAS_PX / longest), MOST_TILED_PX / longest, 1.0)


def _tiles(length: int) -> list[tuple[int, int, int]]:
    """Part a side into tiles that overlap: where each starts, and from where to where it is believed."""
    if length <= CANVAS_PX:
        return [(0, 0, length)]
    count = math.ceil((length - TILE_OVERLAP_PX) / (CANVAS_PX - TILE_OVERLAP_PX))
    starts = [round(index * (length - CANVAS_PX) / (count - 1)) for index in range(count)]
    seams = [0, *((after + before + CANVAS_PX) // 2 for before, after in pairwise(starts)), length]
    return [(start, first, last) for start, (first, last) in zip(starts, pairwise(seams), strict=True)]


def _size(corners: Floats) -> tuple[float, float]:
    """Return width and height of a box that may be tilted."""
    (a, b, c, d) = corners.tolist()
    return max(math.dist(a, b), math.dist(d, c)), max(math.dist(a, d), math.dist(b, c))


def _without_margins(bgr: Pixels) -> Pixels:
    """Cut off what has the colour of the top left corner all around, but for a little."""
    import numpy as np

    paper = bgr[0, 0]
    difference = np.maximum(bgr, paper) - np.minimum(bgr, paper)  # in 8 bits: a picture can be 12 MB
    inked = difference.max(axis=2) > MARGIN_TOLERANCE
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return bgr
    top, left = max(0, rows[0] - MARGIN_PX), max(0, columns[0] - MARGIN_PX)
    return bgr[top : rows[-1] + MARGIN_PX, left : columns[-1] + MARGIN_PX]


def _normal(bgr: Any) -> Floats:
    """Scale 0-255 to -1..1, colours first."""
    import numpy as np

    scaled: Floats = bgr.transpose(2, 0, 1).astype(np.float32) * np.float32(2 / 255) - np.float32(1)
    return scaled
