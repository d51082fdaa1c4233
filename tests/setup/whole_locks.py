"""Every lock, held against the package index (`make test-install`): nothing is downloaded or installed."""

import subprocess

from diffsynth_blender.environment.bundled_uv import unpack_uv
from diffsynth_blender.environment.lock import LOCKS, PYTHON
from diffsynth_blender.environment.lock_targets import TARGETS
from diffsynth_blender.environment.write_locks import UV_ENVIRONMENT
from tests.setup.conftest import from_index


def test_every_lock_can_be_installed_on_its_platform(tmp_path):
    """For each package of each lock there is a file for its platform, as far as the package index tells.

    What torch's own index alone has is stood in for; nothing is downloaded.
    """
    uv = tmp_path / "uv"
    unpack_uv(uv)
    for backend, targets in TARGETS.items():
        text = (LOCKS / f"{backend}.txt").read_text(encoding="utf-8")
        for build in (target.build for target in targets if target.build):
            text = text.replace(build.sha256, build.stand_in(tmp_path))
        lock = tmp_path / f"{backend}.txt"
        lock.write_text(text, encoding="utf-8")
        for target in targets:
            done = subprocess.run(
                [str(uv), "pip", "install", "--dry-run", "--no-deps", "--require-hashes", "--only-binary", ":all:",
                 "--no-config", "--python-version", PYTHON, "--python-platform", target.platform,
                 "--target", str(tmp_path / "nowhere"), "--find-links", str(tmp_path), *map(str, from_index()),
                 "--requirement", str(lock)],
                env=UV_ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (backend, target.system, done.stderr)
            assert f"torch=={target.version}" in done.stderr
