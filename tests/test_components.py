"""The browser's scripts, as far as they can be judged without a browser."""

import ast
import re

import pytest

from vae.app.components import FOLDER

DECLARED = re.compile(r"^(?:async )?(?:const|let|class|function)\s+(\[[^\]]*\]|\{[^}]*\}|\w+)", re.MULTILINE)


def components() -> dict[str, list[str]]:
    """The scripts of each component, in the order in which they share one scope."""
    calls = [node for node in ast.walk(ast.parse((FOLDER / "__init__.py").read_text())) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "_component"]
    files = {call.args[0].value: [argument.value for argument in call.args[1:]] for call in made}
    return {
        name: ["dom.js", "live.js", *(file for file in given if file.endswith(".js"))] for name, given in files.items()
    }


@pytest.mark.parametrize("name", components())
def test_no_name_is_declared_twice_in_the_one_scope_of_a_components_scripts(name):
    texts = [(FOLDER / file).read_text() for file in components()[name]]
    names = [word for text in texts for found in DECLARED.findall(text) for word in re.findall(r"\w+", found)]
    assert {"element", "Live"} <= set(names)
    assert sorted(names) == sorted(set(names))
