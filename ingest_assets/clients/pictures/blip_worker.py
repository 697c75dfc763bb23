"""Run BLIP in a process of its own (`worker_loop`), which answers each picture with a sentence.

BLIP (Li et al., "BLIP: Bootstrapping Language-Image Pre-training", 2022) sees 384 x 384 pixels. Weights stay float32,
as they are published: transformers maps them from their file, so that only 380 MB are held, where bfloat16 has to be
copied and holds 810. Its argument is the folder of the model.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ingest_assets.clients.pictures.bounded_pixels import decode
from ingest_assets.clients.pictures.worker_loop import Answer, Look, serve

# Twice the side that BLIP sees, so that its own resampling decides the result.
MAX_SIDE_PX = 768

# A caption has about ten words; a model that never ends its sentence is stopped.
MAX_WORD_PIECES = 40


def main() -> None:
    """Describe each picture until the input ends."""
    serve(lambda: _describer(Path(sys.argv[1])))


def _describer(folder: Path) -> Look:
    import torch
    from transformers import AutoTokenizer, BlipForConditionalGeneration
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    prepare = BlipImageProcessorPil.from_pretrained(folder, local_files_only=True)
    words = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def describe(picture: bytes) -> Answer:
        image = decode(picture, max_side_px=MAX_SIDE_PX).convert("RGB")
        seen = prepare(images=image, return_tensors="pt")
        with torch.inference_mode():  # greedy: the same picture gives the same sentence
            pieces = model.generate(**seen, max_new_tokens=MAX_WORD_PIECES, num_beams=1, do_sample=False)
        sentence = pieces[0][1:]  # without the mark that begins a caption, which the tokenizer does not know
        return {"caption": str(words.decode(sentence, skip_special_tokens=True)).strip()}

    return describe


if __name__ == "__main__":
    main()
