"""Imported before anything is loaded: libraries that would ask the network are told that there is none.

Local folders and `local_files_only` are what keeps loading off the network; this is for the questions that the
libraries ask besides, such as transformers' look-up of a tokenizer's origin.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

# Read once, when it is imported: too late for the environment where another module came first.
from huggingface_hub import constants

constants.HF_HUB_OFFLINE = True
constants.HF_HUB_DISABLE_TELEMETRY = True
