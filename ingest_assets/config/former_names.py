"""Read the variables of the replaced systems that have another name or meaning here.

Most of their variables have kept their names (`MONGO_URI`, `MAX_FILE_MB`, …; `docs/replaces.md`). Two of them name an
embedding model by its name on the Hugging Face Hub. Here a model is a folder of weights, and the default model needs no
setting. A name that would have been ignored in silence is refused: the vectors would be of another model than expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

MODEL_NAMES = ("EMBED_MODEL", "EMBEDDING_MODEL")
_DEFAULT_MODEL = "all-minilm-l6-v2"
"""In small letters, without the organisation."""
_MODEL_DIR = "INGEST_MODEL_DIR"


def values_of_former_names(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return settings by their names here, and a line for each value that has no equal here."""
    given: dict[str, str] = {}
    problems = []
    for name in MODEL_NAMES:
        value = environment.get(name, "")
        if not value or value.lower().rpartition("/")[2] == _DEFAULT_MODEL or environment.get(_MODEL_DIR):
            continue
        if Path(value).is_dir():
            given[_MODEL_DIR] = value
        else:
            problems.append(
                f"{name}: there is no folder of weights {value!r}; models are folders here: put the weights into one, "
                f"name it in {_MODEL_DIR}, and take {name} away"
            )
    return given, problems
