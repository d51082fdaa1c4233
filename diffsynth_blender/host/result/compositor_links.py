"""Nodes of a compositor that stand for each other: found by their marks, and links moved from one to the other."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ...protocol import BadJobError
from ..compat import compositor_tree

REPLACES_KEY = "diffsynth_replaces"  # custom property of an image node: the mark that its Render Layers node has too
REPLACED_KEY = "diffsynth_replaced"  # custom property of a Render Layers node: the mark


def trees_of(scene: bpy.types.Scene) -> list[bpy.types.NodeTree]:
    """The nodes that compose a scene's render, and those of the groups among them, each once."""
    found = []
    waiting = [compositor_tree(scene)]
    while waiting:
        tree = waiting.pop()
        if tree is not None and tree not in found:
            found.append(tree)
            waiting += [node.node_tree for node in tree.nodes if node.bl_idname == "CompositorNodeGroup"]
    return found


def render_nodes(scene: bpy.types.Scene) -> list[bpy.types.CompositorNodeRLayers]:
    """The Render Layers nodes that show this scene and whose image is used.

    Raises BadJobError where there is none, or where they show several view layers, which one picture cannot stand for.
    """
    nodes = [
        node
        for tree in trees_of(scene)
        for node in tree.nodes
        if node.bl_idname == "CompositorNodeRLayers" and node.scene == scene and image_of(node).is_linked
    ]
    if not nodes:
        raise BadJobError(
            f"the compositor of scene {scene.name!r} does not use the Image of a Render Layers node; "
            "add one and link it"
        )
    if len({node.layer for node in nodes}) > 1:
        raise BadJobError(
            f"the compositor of scene {scene.name!r} joins several view layers, which one picture cannot stand for; "
            "join them in a scene of their own and stylise that"
        )
    if linked := next((node.id_data for node in nodes if node.id_data.library), None):
        raise BadJobError(f"the compositor nodes {linked.name!r} come from another file; make them local")
    return nodes


def pairs_of(scene: bpy.types.Scene) -> list[tuple[bpy.types.Node, bpy.types.Node | None]]:
    """Every image node that stands for a Render Layers node, and that one, or None where it was deleted."""
    found = []
    for tree in trees_of(scene):
        originals = {node[REPLACED_KEY]: node for node in tree.nodes if node.get(REPLACED_KEY)}
        found += [(node, originals.get(mark)) for node in tree.nodes if (mark := node.get(REPLACES_KEY))]
    return found


def image_of(node: bpy.types.Node) -> bpy.types.NodeSocket:
    """The socket of its picture."""
    return node.outputs["Image"]


def move_links(source: bpy.types.Node, target: bpy.types.Node) -> None:
    """Let everything that uses one node's image use another one's."""
    tree = source.id_data
    for goal, is_muted in list(_goals(image_of(source))):
        # Takes the place of the one that was there: a socket has one link.
        tree.links.new(image_of(target), goal).is_muted = is_muted


def _goals(socket: bpy.types.NodeSocket) -> Iterator[tuple[bpy.types.NodeSocket, bool]]:
    for link in socket.links:
        yield link.to_socket, link.is_muted
