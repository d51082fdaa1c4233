"""What the code must not contain, what every lock must, and what the extension asks people to allow."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "diffsynth_blender"
CODE = sorted(path for path in PACKAGE.rglob("*.py") if "demo" not in path.parts)

RUNS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads", "marshal.loads",
    "shelve.open", "yaml.load", "torch.load", "torch.hub.load", "runpy.run_path", "torch.package.PackageImporter",
    "np.fromfile", "joblib.load",
}  # fmt: skip
"""Calls that run what they are given, or what a file holds."""
MODULES = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "joblib",
    "cloudpickle",
    "code",
    "http.server",
    "socketserver",
    "xmlrpc",
}
OPENS = {"socket", "urllib.request.urlopen", "http.client", "ftplib", "smtplib", "requests", "aiohttp", "asyncio"}


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", CODE, ids=[str(path.relative_to(PACKAGE)) for path in CODE])
def test_nothing_that_is_read_can_be_run(path):
    """No call that runs data, no shell, no allowed pickle, no program of a model's; no server and no other network."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, call in calls(tree):
        assert name not in RUNS, f"line {call.lineno}: {name}"
        for keyword in call.keywords:
            value = ast.unparse(keyword.value)
            assert (keyword.arg, value) not in (
                ("shell", "True"), ("allow_pickle", "True"), ("trust_remote_code", "True"), ("weights_only", "False"),
                ("use_safetensors", "False"), ("use_safetensors", "None"),
            ), f"line {call.lineno}: {name}({keyword.arg}={value})"  # fmt: skip
    found = imports(tree)
    assert not found & MODULES, found & MODULES
    assert not found & OPENS, found & OPENS


def lines_of(path: Path) -> list[str]:
    """The requirements of a file, each with its hashes on one line."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith(("#", "-"))]


LOCKS = sorted((PACKAGE / "environment" / "locks").glob("*.txt"))
PINS = sorted([*PACKAGE.glob("worker/requirements*.txt"), *(ROOT / "tests" / "environments").glob("*.txt")])


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_of_a_lock_is_one_version_with_hashes(path):
    """What an artist's machine installs is what was locked, to the byte, and twice in no lock."""
    found = lines_of(path)
    assert len(found) > 30
    names = []
    for line in found:
        match = re.match(r"([A-Za-z0-9._-]+)(==| @ )\S+", line)
        assert match, line
        hashes = re.findall(r"--hash=(\S+)", line)
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), line
        names.append((match[1].lower(), line.partition(";")[2].partition("--hash")[0].strip()))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_every_package_of_development_is_one_version(path):
    """What tests and tools run on is named to the last digit."""
    for line in lines_of(path):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+-]+( *;.*)?", line), line


ONLY_THERE = r"torch|triton|nvidia-|cuda-|pytorch-triton|setuptools|colorama"
"""What another device's torch and Windows' terminals bring along, and the processor's on Linux does not."""


def test_a_lock_holds_nothing_that_nobody_asked_for():
    """Every package is pinned for development too, where people look at it: a lock brings no other."""

    def name(line: str) -> str:
        return re.split(r"[=<>!~ ;\[@]", line)[0].lower().replace("_", "-")

    known = {name(line) for path in PINS for line in lines_of(path)}
    for path in LOCKS:
        here = {name(line) for line in lines_of(path) if "emscripten" not in line}
        assert not {other for other in here - known if not re.match(ONLY_THERE, other)}, path


def test_the_extension_asks_for_what_it_uses():
    """Files, network and clipboard, each with the reason in a short sentence; nothing else is asked for or used."""
    permissions = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["permissions"]
    host = "\n".join(path.read_text(encoding="utf-8") for path in sorted((PACKAGE / "host").rglob("*.py")))
    uses = {
        "files": "write_text" in host or "mkdir" in host,
        "network": "online_access" in host,
        "clipboard": ".clipboard" in host,
        "camera": "VideoCapture" in host,
        "microphone": "aud.Device" in host or "sounddevice" in host,
    }
    assert set(permissions) == {name for name, is_used in uses.items() if is_used}
    for reason in permissions.values():
        assert 10 < len(reason) <= 64 and not reason.endswith("."), reason
