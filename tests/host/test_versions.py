"""What differs between versions of Blender is known in one place."""

import ast
from pathlib import Path

from diffsynth_blender.host import compat

HOST = Path(compat.__file__).parent
MODULES = sorted(path for path in HOST.rglob("*.py") if path != Path(compat.__file__))


def asked_for(tree: ast.AST) -> set[str]:
    """Names of attributes whose presence is tested with hasattr."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {
        call.args[1].value
        for call in calls
        if call.func.id == "hasattr" and isinstance(call.args[1], ast.Constant)
    }  # fmt: skip


def compared(tree: ast.AST) -> set[str]:
    """What is compared with something, as source."""
    return {ast.unparse(node.left) for node in ast.walk(tree) if isinstance(node, ast.Compare)}


def test_no_module_but_one_tests_versions():
    """No version is compared, and nothing that some version lacks is asked for, but in compat.py."""
    lacking = asked_for(ast.parse(Path(compat.__file__).read_text()))
    assert lacking, "compat.py asks for nothing: then this test sees nothing"
    trees = {str(path.relative_to(HOST)): ast.parse(path.read_text()) for path in MODULES}
    assert [name for name, tree in trees.items() if "bpy.app.version" in compared(tree)] == []
    assert {name: found for name, tree in trees.items() if (found := asked_for(tree) & lacking)} == {}
