from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from ingest_assets.clients.pictures.blip_describer import BlipDescriber
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets_tests.clients.conftest import ENGLISH
from ingest_assets_tests.clients.pictures.tiny_blip import write_blip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blip(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def describer(model: Path) -> Iterator[BlipDescriber]:
    with BlipDescriber(str(model)) as describer:
        yield describer


@pytest.fixture
def children(describer: BlipDescriber) -> Callable[[], list[psutil.Process]]:
    """Lists the workers that run beside the shared one."""
    describer.close()
    return lambda: [one for one in psutil.Process().children() if "blip_worker" in " ".join(one.cmdline())]


def saved(image: Image.Image, format_name: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, format_name)
    return file.getvalue()


NOISE = saved(Image.effect_noise((300, 200), 80))
DISC = saved(Image.radial_gradient("L"))


def test_a_picture_is_described_in_words_of_the_model_the_same_each_time(describer: BlipDescriber) -> None:
    first = describer.describe(NOISE)
    assert set(first.split()) <= set(ENGLISH.split())
    assert len(first.split()) > 2
    assert describer.describe(DISC) != first
    assert describer.describe(NOISE) == first
    describer.close()
    assert describer.describe(NOISE) == first


def test_the_model_is_named_by_its_folder_and_size(describer: BlipDescriber, model: Path) -> None:
    assert describer.model == f"blip/tiny-{(model / 'model.safetensors').stat().st_size}"


def test_other_weights_say_something_else(tmp_path: Path, describer: BlipDescriber) -> None:
    with BlipDescriber(str(write_blip(tmp_path / "other", seed=1))) as other:
        assert other.describe(NOISE) != describer.describe(NOISE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pictures_of_every_kind_are_described(describer: BlipDescriber, mode: str) -> None:
    assert describer.describe(saved(Image.radial_gradient("L").convert("RGB").convert(mode)))


def test_a_damaged_picture_is_refused_and_the_next_is_described(describer: BlipDescriber) -> None:
    with pytest.raises(BadInput, match="picture: damaged"):
        describer.describe(NOISE[: len(NOISE) // 2])
    assert describer.describe(NOISE)


def test_nothing_runs_before_the_first_picture_and_after_the_last(
    children: Callable[[], list[psutil.Process]], model: Path
) -> None:
    with BlipDescriber(str(model)) as describer:
        assert children() == []
        describer.describe(NOISE)
        assert len(children()) == 1
        assert 100 < describer.peak_memory_mb < 600
    assert children() == []


def test_a_picture_past_the_time_limit_is_given_up(children: Callable[[], list[psutil.Process]], model: Path) -> None:
    with BlipDescriber(str(model), time_limit_s=0.03, start_limit_s=0.02) as describer:
        with pytest.raises(BadInput, match=r"not read within 0\.05 seconds"):
            describer.describe(NOISE)
        assert children() == []


def test_a_crash_costs_its_picture_and_a_kill_the_run(
    children: Callable[[], list[psutil.Process]], model: Path
) -> None:
    with BlipDescriber(str(model)) as describer:
        for number, error in ((signal.SIGSEGV, BadInput), (signal.SIGKILL, OutsideError)):
            describer.describe(NOISE)
            (worker,) = children()
            os.kill(worker.pid, number)
            with pytest.raises(error, match=f"signal {number.value}"):
                describer.describe(NOISE)


def test_want_of_memory_is_named(children: Callable[[], list[psutil.Process]], model: Path) -> None:
    with BlipDescriber(str(model)) as describer:
        describer.describe(NOISE)
        (worker,) = children()
        worker.rlimit(psutil.RLIMIT_DATA, (1, 1))
        with pytest.raises(MemoryError, match="BLIP"):
            describer.describe(saved(Image.effect_noise((4000, 4000), 80)))
        assert children() == []


def test_weights_that_are_none_are_the_operators_to_mend(tmp_path: Path, model: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in model.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "model.safetensors").write_bytes(b"no weights")
    with BlipDescriber(str(broken)) as describer, pytest.raises(ConfigError, match="BLIP cannot start"):
        describer.describe(NOISE)


def test_a_model_that_is_nowhere_is_refused_with_what_to_do() -> None:
    with (
        BlipDescriber("nobody/no-such-model") as describer,
        pytest.raises(ConfigError, match=r"HF_HUB_OFFLINE.*INGEST_BLIP_MODEL.*INGEST_CAPTIONS=ocr"),
    ):
        describer.describe(NOISE)


def test_torch_stays_out_of_the_run_and_the_worker_dies_with_it(model: Path) -> None:
    program = (
        "import sys, psutil\n"
        "from ingest_assets.clients.pictures.blip_describer import BlipDescriber\n"
        "BlipDescriber(sys.argv[1]).describe(open(sys.argv[2], 'rb').read())\n"
        "print(psutil.Process().children()[0].pid, sorted({'torch', 'transformers'} & set(sys.modules)), flush=True)\n"
        "sys.stdin.read()\n"
    )
    picture = model.parent / "noise.png"
    picture.write_bytes(NOISE)
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(model), str(picture)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None and parent.stdin is not None
    pid, imported = parent.stdout.readline().decode().split(maxsplit=1)
    assert imported.strip() == "[]"
    worker = psutil.Process(int(pid))
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    assert psutil.wait_procs([worker], timeout=10)[1] == []
