"""What LLaMA-Factory 0.9.5 has, as facts for the board's tests.

    python board.py PATH/TO/site-packages/llamafactory

- llama_board_fields.tsv: every input of its web page, by tab, read from the syntax trees of webui/components (gradio is not needed).
- llamafactory_arguments.tsv: every argument that `llamafactory-cli train|chat|export` accepts, with its default in JSON. Needs the
  package importable (llamafactory==0.9.5, transformers 5.6.0, CPU torch; an empty torchaudio will do).
"""

import ast
import dataclasses
import enum
import json
import os
import pathlib
import sys

INPUTS = {"Dropdown", "Textbox", "Slider", "Checkbox"}
PAGES = {"top": "top", "train": "train", "eval": "eval", "infer": "chat", "chatbot": "chat", "export": "export"}
output = pathlib.Path(__file__).resolve().parent.parent / "board"


def fields(source):
    """The names that inputs of the page are assigned to; what is only shown (interactive=False, visible=False) is no field."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        call = node.value
        if not (isinstance(call.func, ast.Attribute) and call.func.attr in INPUTS and isinstance(node.targets[0], ast.Name)):
            continue
        switches = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
        if switches.get("interactive") is False or switches.get("visible") is False:
            continue
        yield node.targets[0].id, call.func.attr.lower()


def write_fields(package):
    lines = ["tab\tfield\tkind"]
    for file, tab in PAGES.items():
        for name, kind in fields((package / "webui" / "components" / f"{file}.py").read_text()):
            line = f"{tab}\t{name}\t{kind}"
            if line not in lines:
                lines.append(line)
    (output / "llama_board_fields.tsv").write_text("\n".join(lines) + "\n")


def write_arguments():
    os.environ["DISABLE_VERSION_CHECK"] = "1"
    from llamafactory.hparams import parser

    found = {}
    for arguments in parser._TRAIN_ARGS + parser._INFER_ARGS:
        for field in dataclasses.fields(arguments):
            if not field.init:
                continue
            value = field.default
            if value is dataclasses.MISSING:
                value = field.default_factory() if field.default_factory is not dataclasses.MISSING else None
            found.setdefault(field.name, value.value if isinstance(value, enum.Enum) else value)
    lines = ["name\tdefault"] + [f"{name}\t{json.dumps(value, default=str)}" for name, value in sorted(found.items())]
    (output / "llamafactory_arguments.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_fields(pathlib.Path(sys.argv[1]))
    write_arguments()
