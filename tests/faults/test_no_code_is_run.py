"""Nothing that was read is run: no pickle, and no program in a model's folder or in a job's."""

import json
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from diffsynth_blender.protocol import Control, Lora, Reference
from tests.e2e.conftest import ENVIRONMENT, worker_command
from tests.e2e.job_folder import write_job_folder
from tests.faults.wrong import is_refusal, tried
from tests.reference.scene import demo_scene
from tests.tiny_model import save_tiny_model

SCENE = demo_scene(32, 16)


class Trap:
    """What leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


@pytest.fixture
def mark(tmp_path) -> Path:
    """A file that is there once a trap has been run."""
    return tmp_path / "mark"


def test_the_traps_work(mark, tmp_path, monkeypatch):
    """The tests below can fail."""
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)  # our own protection, set where models are read
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()
    mark.unlink()
    torch.save({"weight": Trap(mark)}, tmp_path / "weights.bin")
    torch.load(tmp_path / "weights.bin", weights_only=False)
    assert mark.exists()


PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def as_model(pickled: Path, tiny: Path, **_: object) -> dict:
    return {"model": str(pickled)}


def as_lora(pickled: Path, tiny: Path, **_: object) -> dict:
    return {"model": str(tiny), "loras": (Lora(str(pickled)),)}


def as_control(pickled: Path, tiny: Path, **_: object) -> dict:
    return {"model": str(tiny), "controls": (Control("depth", model=str(pickled)),)}


def as_ip_adapter(pickled: Path, tiny: Path, **_: object) -> dict:
    folder = pickled.parent / f"adapter{pickled.suffix}"
    folder.mkdir()
    shutil.copy(pickled, folder / "ip-adapter.bin")
    return {"model": str(tiny), "reference": Reference("source/0001.png", ip_adapter=str(folder))}


def in_place_of_weights(pickled: Path, tiny: Path, **_: object) -> dict:
    model = pickled.parent / f"model{pickled.suffix}"
    shutil.copytree(tiny, model)
    for weights in (model / "unet").glob("*.safetensors"):
        weights.unlink()
    shutil.copy(pickled, model / "unet" / f"diffusion_pytorch_model{pickled.suffix}")
    return {"model": str(model)}


def in_weights_clothing(pickled: Path, tiny: Path, **_: object) -> dict:
    path = pickled.with_suffix(f"{pickled.suffix}.safetensors")
    shutil.copy(pickled, path)
    return {"model": str(path)}


def as_estimator(pickled: Path, tiny: Path, **_: object) -> dict:
    folder = pickled.parent / f"estimators{pickled.suffix}"
    folder.mkdir()
    shutil.copy(pickled, folder / "ControlNetHED.pth")
    return {"model": str(tiny), "controls": (Control("softedge", annotator="hed"),), "annotators": str(folder)}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "use", [as_model, as_lora, as_control, as_ip_adapter, in_place_of_weights, in_weights_clothing, as_estimator]
)
def test_pickles_are_refused(use, worker, tiny_model, tmp_path, mark, times, tally):
    """Wherever weights can be given, and whatever the file is called: refused with a sentence, and never unpickled."""
    for ending in PICKLES[:: times(5, 1)]:
        pickled = tmp_path / f"weights{ending}"
        torch.save({"netNetwork.weight": Trap(mark)}, pickled)
        settings = use(pickled, Path(tiny_model))
        folder = tmp_path / f"job{ending}"
        write_job_folder(folder, frames=1, scene=SCENE, steps=2, **settings)
        with tried(tally, "pickle in place of weights"):
            told = worker.run(folder)
            assert told.kind in ("model_missing", "bad_job") and is_refusal(told.message), told
            assert not mark.exists(), f"{ending} was unpickled"


def plant(model: Path, code: str) -> None:
    """Everything in a model folder by which libraries have been told to run code from it."""
    for folder in (model, *(path for path in model.iterdir() if path.is_dir())):
        for name in (
            "pipeline",
            "modeling",
            "custom",
            folder.name,
            "__init__",
            "conftest",
            "sitecustomize",
            "torch",
            "json",
        ):
            (folder / f"{name}.py").write_text(code)
        for ending in PICKLES:
            (folder / f"pytorch_model{ending}").write_bytes(b"cos\nsystem\n(S'touch mark'\ntR.")
    index = json.loads((model / "model_index.json").read_text())
    (model / "model_index.json").write_text(
        json.dumps({**index, "_class_name": ["pipeline", "Custom"], "unet": ["custom", "Net"]})
    )
    classes = ("AutoModel", "AutoTokenizer", "AutoConfig", "AutoModelForCausalLM")
    remote = {
        "auto_map": {name: "modeling.Custom" for name in classes},
        "trust_remote_code": True,
        "custom_code": "modeling.py",
    }
    for path in [*model.glob("*/config.json"), *model.glob("tokenizer*/tokenizer_config.json")]:
        value = json.loads(path.read_text())
        if path.name == "tokenizer_config.json":
            remote["auto_map"]["AutoTokenizer"] = ["modeling.Custom", "modeling.Custom"]
        path.write_text(json.dumps({**value, **remote}))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("family", ["sd15", "sd3"])
def test_no_code_of_a_model_folder_is_run(family, worker, tmp_path, mark, tally):
    """Programs of every kind that libraries know lie in the model's folder: the frames are made without them."""
    model = tmp_path / "model"
    save_tiny_model(model, family)
    plant(model, f"open({str(mark)!r}, 'w').close()\n")
    sampler = "flow_euler" if family == "sd3" else "ddim"
    folder = tmp_path / "job"
    write_job_folder(folder, model=str(model), frames=1, scene=SCENE, steps=2, sampler=sampler, deflicker=None)
    with tried(tally, "code in a model folder"):
        told = worker.run(folder)
        assert told.is_done or is_refusal(told.message), told
        assert told.is_done or family == "sd3", told
        assert not mark.exists() and not (folder / "mark").exists()


def test_a_tokenizer_of_an_unknown_class_is_no_question(worker, tmp_path, mark, tally):
    """One that only a program in its folder knows is refused at once, and nobody is asked whether to run that."""
    model = tmp_path / "model"
    save_tiny_model(model, "sd3")
    plant(model, f"open({str(mark)!r}, 'w').close()\n")
    path = model / "tokenizer_3" / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": "CustomTokenizer"}))
    folder = tmp_path / "job"
    write_job_folder(folder, model=str(model), frames=1, scene=SCENE, steps=2, sampler="flow_euler", deflicker=None)
    with tried(tally, "code in a model folder"):
        told = worker.run(folder)
        assert told.is_done or (told.kind == "model_missing" and is_refusal(told.message, str(path.parent))), told
        assert not mark.exists()


@pytest.mark.parametrize("place", ["job", "model"])
def test_no_code_of_the_folder_where_somebody_stands_is_run(place, tiny_model, tmp_path, mark, tally):
    """`cd JOB; python -m diffsynth_blender.worker run .`: modules of Python's own names in it are not Python's."""
    folder, model = tmp_path / "job", tmp_path / "model"
    shutil.copytree(tiny_model, model)
    write_job_folder(folder, model=str(model), frames=1, scene=SCENE, steps=2)
    names = ("argparse", "json", "re", "signal", "torch", "numpy", "PIL", "sitecustomize", "usercustomize")
    for name in names:
        (tmp_path / place / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    with tried(tally, "code where somebody stands"):
        done = subprocess.run(
            worker_command("run", folder), cwd=tmp_path / place, env=ENVIRONMENT, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not mark.exists()
