"""What a result was made with, kept on the strip or node that shows it as custom properties."""

from __future__ import annotations

from pathlib import Path

from ...protocol import REPORT_FILE, load_job, settings_hash
from ...protocol.reading import read_json
from .strip_images import blend_path

JOB_KEY = "diffsynth_job"  # the folder it came from, as Blender writes paths
UPSCALE_KEY = "diffsynth_upscale"  # how many times as large as the frames that were stylised
SOURCE_KEY = "diffsynth_source"  # the name of the strip that it was made from, where it lies above one


def describe_job(job_dir: Path) -> dict[str, str | int]:
    """The job folder, the hash of all that decided the frames, model, seed, and the versions that made them.

    The same as the text in the frames themselves, for the shot as a whole. Raises BadJobError when there is no job.
    """
    job = load_job(job_dir)
    return {
        JOB_KEY: blend_path(job_dir),
        "diffsynth_settings_hash": settings_hash(job),
        "diffsynth_model": Path(job.settings.model).name,
        "diffsynth_seed": job.settings.seed,
        UPSCALE_KEY: job.settings.upscale,
        **_reported(job_dir),
    }


def describe_folder(folder: Path) -> dict[str, str | int]:
    """The same for a folder of steady frames, which has a report and no job."""
    return {JOB_KEY: blend_path(folder), **_reported(folder)}


def _reported(folder: Path) -> dict[str, str | int]:
    """What the report of a finished job adds; a job that is still under way has none."""
    path = folder / REPORT_FILE
    if not path.is_file():
        return {}
    report = read_json(path, remedy="run the job again", missing="run the job again")
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return {"diffsynth_settings_hash": report["settings_hash"], "diffsynth_versions": versions}
