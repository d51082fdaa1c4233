"""What buttons have in common that cannot always be pressed: each says why."""

from __future__ import annotations

import bpy


class Button:
    """A mix-in of operators."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say under the button why it cannot be pressed."""
        reason = cls.why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why it cannot be pressed now, or "". Called at every redraw, so it looks at little."""
        raise NotImplementedError
