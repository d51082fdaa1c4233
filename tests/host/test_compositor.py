"""Results take the place of the rendered picture in the compositor, and the render comes back exactly."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.compat import compositor_tree, new_compositor
from diffsynth_blender.host.result import strip
from diffsynth_blender.host.result.compositor import rendered_picture, replace_render, restore_render
from diffsynth_blender.host.result.metadata import describe_job
from diffsynth_blender.host.result.place import place_result
from diffsynth_blender.protocol import BadJobError, output_path
from tests.host.dumps import differences, dump_tree
from tests.host.test_strip import HEIGHT, WIDTH, make_job, read_png, render_still

FRAMES = (5, 6, 7)


@pytest.fixture
def shot() -> bpy.types.Scene:
    """A scene whose compositor shows its frames as they are."""
    addon.register()
    scene = bpy.context.scene
    scene.name = "Shot"
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    scene.frame_start, scene.frame_end = FRAMES[0], FRAMES[-1]
    strip.show_exactly(scene)
    yield scene
    addon.unregister()


def compose(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """The render, by way of a reroute, to the output and to a viewer; its alpha to a node of its own."""
    new_compositor(scene)
    tree = compositor_tree(scene)
    (output,) = tree.nodes
    layers = tree.nodes.new("CompositorNodeRLayers")
    layers.location, layers.select = (-300, 50), False
    reroute, viewer = tree.nodes.new("NodeReroute"), tree.nodes.new("CompositorNodeViewer")
    blur = tree.nodes.new("CompositorNodeBlur")
    frame = tree.nodes.new("NodeFrame")
    layers.parent = frame
    tree.links.new(layers.outputs["Image"], reroute.inputs[0])
    tree.links.new(reroute.outputs[0], output.inputs[0])
    tree.links.new(layers.outputs["Image"], viewer.inputs[0]).is_muted = True
    tree.links.new(layers.outputs["Alpha"], blur.inputs[0])
    tree.nodes.active = blur
    layers["mine"] = 3
    return tree


def result_of(job_dir: Path, frame: int) -> np.ndarray:
    return read_png(output_path(job_dir, frame))


def replace(scene: bpy.types.Scene, job_dir: Path) -> str:
    return replace_render(scene, job_dir, describe_job(job_dir))


def test_every_link_is_kept_and_comes_back(shot, tmp_path):
    """What used the rendered picture uses the frames; other passes stay; restored, every property is what it was."""
    tree = compose(shot)
    make_job(tmp_path / "job")
    before, images = dump_tree(tree), len(bpy.data.images)
    assert replace(shot, tmp_path / "job") == ""
    [node] = [node for node in tree.nodes if node.bl_idname == "CompositorNodeImage"]
    assert node["diffsynth_model"] == "demo"
    expected = [(node.name, *link[1:]) if link[:2] == ("Render Layers", "Image") else link for link in before["links"]]
    assert dump_tree(tree)["links"] == sorted(expected)
    restore_render(shot)
    assert differences(before, dump_tree(tree)) == []
    assert len(bpy.data.images) == images
    with pytest.raises(BadJobError, match="nothing to restore"):
        restore_render(shot)


@pytest.mark.parametrize("save_first", [False, True], ids=["unsaved", "saved"])
def test_frames_are_bit_exact(shot, tmp_path, save_first):
    """What the compositor renders is what the worker wrote, frame by frame, value for value; then the render again."""
    compose(shot)
    if save_first:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "with space é.blend"))
    make_job(tmp_path / "job")
    rendered = render_still(shot, 6, tmp_path / "shown.png")
    replace(shot, tmp_path / "job")
    for frame in FRAMES:
        shown = render_still(shot, frame, tmp_path / "shown.png")
        np.testing.assert_array_equal(shown, result_of(tmp_path / "job", frame))
    restore_render(shot)
    np.testing.assert_array_equal(render_still(shot, 6, tmp_path / "shown.png"), rendered)


def test_step_holds_each_result(shot, tmp_path):
    """Every third frame stylised: each is shown until the next one, and after the shot the last one."""
    tree = compose(shot)
    make_job(tmp_path / "job", frames=(5, 8, 11))
    before = dump_tree(tree)
    replace(shot, tmp_path / "job")
    for frame, held in ((5, 5), (7, 5), (8, 8), (10, 8), (11, 11), (13, 11)):
        shown = render_still(shot, frame, tmp_path / "shown.png")
        np.testing.assert_array_equal(shown, result_of(tmp_path / "job", held), err_msg=str(frame))
    restore_render(shot)
    assert differences(before, dump_tree(tree)) == []


def test_redone_job_is_renewed(shot, tmp_path):
    """The same folder again, or another one: the frames as they are now, in the same node."""
    tree = compose(shot)
    make_job(tmp_path / "job")
    replace(shot, tmp_path / "job")
    render_still(shot, 6, tmp_path / "shown.png")
    names = sorted(node.name for node in tree.nodes)
    for seed, name in ((1, "job"), (2, "other")):
        make_job(tmp_path / name, seed=seed)
        replace(shot, tmp_path / name)
        shown = render_still(shot, 6, tmp_path / "shown.png")
        np.testing.assert_array_equal(shown, result_of(tmp_path / name, 6))
    assert sorted(node.name for node in tree.nodes) == names
    assert sum(image.source == "SEQUENCE" for image in bpy.data.images) == 1


def test_capture_sees_the_render(shot, tmp_path):
    """While a shot is captured its own picture is shown: results are not stylised again."""
    tree = compose(shot)
    make_job(tmp_path / "job")
    rendered = render_still(shot, 6, tmp_path / "shown.png")
    replace(shot, tmp_path / "job")
    replaced = dump_tree(tree)
    with rendered_picture(shot):
        np.testing.assert_array_equal(render_still(shot, 6, tmp_path / "shown.png"), rendered)
    assert differences(replaced, dump_tree(tree)) == []


def test_inside_a_group(shot, tmp_path):
    """Where Blender allows a Render Layers node inside a group, it is found there."""
    if not hasattr(shot, "compositing_node_group"):
        pytest.skip("this Blender has Render Layers nodes at the top only")
    inner = compose(shot)
    outer = bpy.data.node_groups.new("Outer", "CompositorNodeTree")
    outer.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    group = outer.nodes.new("CompositorNodeGroup")
    group.node_tree = inner
    outer.links.new(group.outputs[0], outer.nodes.new("NodeGroupOutput").inputs[0])
    shot.compositing_node_group = outer
    before = dump_tree(inner)
    make_job(tmp_path / "job")
    replace(shot, tmp_path / "job")
    np.testing.assert_array_equal(render_still(shot, 6, tmp_path / "shown.png"), result_of(tmp_path / "job", 6))
    restore_render(shot)
    assert differences(before, dump_tree(inner)) == []


def test_other_scenes_stay_as_they_are(shot, tmp_path):
    """A Render Layers node of another scene is not this shot's picture."""
    tree = compose(shot)
    other = bpy.data.scenes.new("Other")
    next(node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers").scene = other
    make_job(tmp_path / "job")
    with pytest.raises(BadJobError, match="does not use the Image of a Render Layers node; add one and link it"):
        replace(shot, tmp_path / "job")


def test_several_view_layers_are_refused(shot, tmp_path):
    """One picture cannot stand for two layers that the compositor joins."""
    tree = compose(shot)
    shot.view_layers.new("Front")
    layers, viewer = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeBlur")
    layers.scene, layers.layer = shot, "Front"
    tree.links.new(layers.outputs["Image"], viewer.inputs[0])
    make_job(tmp_path / "job")
    before = dump_tree(tree)
    with pytest.raises(BadJobError, match="joins several view layers"):
        replace(shot, tmp_path / "job")
    assert differences(before, dump_tree(tree)) == []


def test_what_changes_the_frames_is_told(shot, tmp_path):
    """Compositing off, another size, a view transform: each with what to set where."""
    compose(shot)
    make_job(tmp_path / "job")
    shot.view_settings.view_transform = "Filmic"
    assert "Color Management > View Transform to Standard (it is Filmic)" in replace(shot, tmp_path / "job")
    shot.render.resolution_percentage = 50
    assert "renders 16x12 px and the frames have 32x24 px; set Output > Resolution" in replace(shot, tmp_path / "job")
    shot.render.use_compositing = False
    assert "turn on Output > Post Processing > Compositing" in replace(shot, tmp_path / "job")


def test_deleted_render_node_is_told(shot, tmp_path):
    """Nothing is removed that could not be put back."""
    tree = compose(shot)
    make_job(tmp_path / "job")
    replace(shot, tmp_path / "job")
    tree.nodes.remove(next(node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"))
    with pytest.raises(BadJobError, match="was deleted; add one and link it in its place"):
        restore_render(shot)


def test_finished_job_goes_into_the_compositor(shot, tmp_path):
    """Where the artist chose it; without nodes the sentence says what is missing."""
    shot.diffsynth.result.placement, shot.diffsynth.result.use_compositor = "NONE", True
    make_job(tmp_path / "job")
    assert "does not use the Image of a Render Layers node" in place_result(shot, tmp_path / "job")
    compose(shot)
    assert place_result(shot, tmp_path / "job") == f"3 frames in {tmp_path / 'job' / 'output'} and in the compositor"


def test_buttons(shot, tmp_path):
    """Replace and restore; each waits until there is something to do, and undoes in one step."""
    assert not bpy.ops.diffsynth.replace_compositor.poll() and not bpy.ops.diffsynth.restore_compositor.poll()
    tree = compose(shot)
    before = dump_tree(compositor_tree(shot))
    shot.diffsynth.output_folder = str(tmp_path)
    with pytest.raises(RuntimeError, match=r"give the folder that holds job\.json"):
        bpy.ops.diffsynth.replace_compositor()
    make_job(tmp_path / "Shot")
    assert bpy.ops.diffsynth.replace_compositor() == {"FINISHED"}
    assert not bpy.ops.diffsynth.replace_compositor.get_rna_type().properties["job_folder"].is_required
    assert bpy.ops.diffsynth.restore_compositor() == {"FINISHED"}
    assert differences(before, dump_tree(tree)) == []
