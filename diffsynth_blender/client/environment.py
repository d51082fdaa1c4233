"""The environment variables that a worker is given: those that it is known to need, and no others.

A host's environment holds what is nobody else's business (tokens, agents' sockets), and what breaks another Python or
makes it run something (PYTHONPATH, PYTHONSTARTUP, LD_PRELOAD).
"""

import os
from pathlib import Path

_SYSTEM = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "OS", "USERPROFILE", "USERNAME", "HOMEDRIVE",
    "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432",
    "COMMONPROGRAMFILES", "NUMBER_OF_PROCESSORS",
)  # fmt: skip
"""Where programs, libraries and a user's folders are; drivers of graphics cards ask for them too."""

_COMPUTING = (
    "LC_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "ROCM_", "HSA_", "GPU_", "VK_", "PYTORCH_", "WARP_", "OMP_", "KMP_",
    "GOMP_", "MKL_", "OPENBLAS_", "PROCESSOR_",
)  # fmt: skip
"""How variables begin that choose a language, a graphics card, or how memory and threads are used."""

_NETWORK = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE",
)  # fmt: skip
"""What a download needs, a user's token with it."""


def worker_environment(package_root: Path, *, downloads: bool = False) -> dict[str, str]:
    """The environment of a worker.

    Args:
        package_root: Folder that holds the package `diffsynth_blender`.
        downloads: Whether this worker fetches models; no other one is given proxies or tokens.
    """
    names = (*_SYSTEM, *_NETWORK) if downloads else _SYSTEM
    environment = {
        # On Windows, names are the same in small letters; elsewhere proxies are given in either.
        key: value
        for key, value in os.environ.items()
        if key.upper() in names or key.upper().startswith(_COMPUTING)
    }
    environment["PYTHONPATH"] = str(package_root)
    environment["PYTHONNOUSERSITE"] = "1"
    environment["PYTHONSAFEPATH"] = "1"  # or a json.py in the host's current folder would take the place of Python's
    return environment
