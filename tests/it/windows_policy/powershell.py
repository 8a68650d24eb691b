"""Whether a file is PowerShell, by a grammar that nobody here wrote; every place that is not is printed."""

import sys

import tree_sitter
import tree_sitter_powershell


def faults(node):
    if node.type == "ERROR" or node.is_missing:
        yield f"line {node.start_point[0] + 1}: {node.type} {node.text[:60]!r}"
    for child in node.children:
        yield from faults(child)


parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
with open(sys.argv[1], "rb") as file:
    found = list(faults(parser.parse(file.read()).root_node))
print("\n".join(found) or "no fault")
sys.exit(1 if found else 0)
