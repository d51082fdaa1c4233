"""What a shot without passes cannot have: everything that needs to know what is where, refused by name."""

from collections.abc import Iterator

from ..protocol import JOB_FILE, BadJobError, Job, Settings


def refuse_what_needs_passes(job: Job) -> None:
    """Raise BadJobError for the first setting that needs exact passes, where the shot has none."""
    if job.shot.passes is not None:
        return
    for key, value, remedy in _needs(job.settings):
        raise BadJobError(
            f"{JOB_FILE}: settings.{key} is {value}, which needs exact passes, and the shot is footage without any; "
            f"{remedy}, or capture the shot with its passes"
        )


def _needs(settings: Settings) -> Iterator[tuple[str, str, str]]:
    if settings.noise.kind == "surface":
        yield "noise.kind", "'surface'", "use 'fixed'"
    if settings.attention is not None and settings.attention.motion != "off":
        yield "attention.motion", repr(settings.attention.motion), "use 'off'"
    if settings.regions:
        yield "regions", f"a list of {len(settings.regions)}", "leave it empty"
