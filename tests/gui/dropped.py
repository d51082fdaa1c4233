"""A model's file dragged out of Blender's own file browser and dropped on the panel."""

from __future__ import annotations

import json
import time
from pathlib import Path

from .steps import Step, Steps

TENSOR = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
ROW = 18  # of the file browser [px]: less than one
NAME = 45  # [px] from its left edge: a file is dragged by its name, not by what stands beside that

_BROWSE = """
window = bpy.context.window_manager.windows[0]
max((a for a in window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height).ui_type = "FILES"
"""
_PARAMS = """
window = bpy.context.window_manager.windows[0]
params = next(a for a in window.screen.areas if a.type == "FILE_BROWSER").spaces.active.params
"""
_GO_TO = _PARAMS + "params.directory, params.display_type = {folder!r}.encode(), 'LIST_VERTICAL'"
_MARKED = _PARAMS + "answer = params.filename"
_CLOSE = """
window = bpy.context.window_manager.windows[0]
next(a for a in window.screen.areas if a.type == "FILE_BROWSER").ui_type = "VIEW_3D"
"""
_LORAS = "answer = [lora.path for lora in bpy.data.scenes['Scene'].diffsynth.loras]"


def lora(path: Path) -> Path:
    """Write the smallest file that is a LoRA: one tensor of zeros, 4x768."""
    count = 4 * 4 * 768
    header = json.dumps({TENSOR: {"dtype": "F32", "shape": [4, 768], "data_offsets": [0, count]}}).encode()
    path.parent.mkdir(parents=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(count))
    return path


class Dropped(Steps):
    """Works on the shot as it was made."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        return (self.drop,)

    def drop(self) -> tuple[bool, str]:
        """Drop a LoRA on the panel."""
        self.settle()
        self.open_file(self.shot)
        file = lora(self.shot.parent / "weights é ü" / "ink.safetensors")
        self.window.ask(_BROWSE)
        time.sleep(1)
        self.window.ask(_GO_TO.format(folder=str(file.parent)))
        time.sleep(2)
        left, top, width, height = self.panel.box()
        self.window.drag(self._row(file.name), (left + width // 2, top + height // 2))
        self.window.screenshot(self.pictures / "dropped.png")
        self.window.wait_until(f"{_LORAS.removeprefix('answer = ')}", seconds=120)
        loras = self.window.ask(_LORAS)
        self.window.ask(_CLOSE)
        return [Path(each).name for each in loras] == [file.name], str(loras)

    def _row(self, name: str) -> tuple[int, int]:
        """Where a file is in the browser; its list has no buttons that could be asked for. Raises LookupError."""
        left, top, _, height = self.window.area("FILE_BROWSER")
        for y in range(top + ROW // 2, top + height // 2, ROW):
            self.window.click(left + NAME, y)
            if self.window.ask(_MARKED) == name:
                return left + NAME, y
        raise LookupError(f"no file {name} in the browser")
