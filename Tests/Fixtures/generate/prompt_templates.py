"""Expected token ids of the named templates, computed by LLaMA-Factory's own code.

Usage: python prompt_templates.py LLAMAFACTORY_SRC TOKENIZERS_FOLDER OUTPUT.json TEMPLATE...
LLAMAFACTORY_SRC is a checkout's src folder; only data/template.py, formatter.py, tool_utils.py and the supervised processor are
loaded, with stand-ins for what they import but do not need here.
"""
import importlib.util
import json
import os
import sys
import types
from dataclasses import dataclass
from enum import StrEnum

from transformers import PreTrainedTokenizerFast

SRC, TOKENIZERS, OUT = sys.argv[1:4]


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    FUNCTION = "function"
    OBSERVATION = "observation"


class Quiet:
    def __getattr__(self, name):
        return lambda *a, **k: None


class Plugin:
    def process_messages(self, messages, *rest):
        return messages

    def process_token_ids(self, input_ids, labels, *rest):
        return input_ids, labels


def module(name, **attributes):
    made = types.ModuleType(name)
    for key, value in attributes.items():
        setattr(made, key, value)
    sys.modules[name] = made
    return made


def package(name):
    made = module(name)
    made.__path__ = []


for name in ("llamafactory", "llamafactory.data", "llamafactory.extras", "llamafactory.hparams", "llamafactory.data.processor"):
    package(name)
module("llamafactory.extras.logging", get_logger=lambda name: Quiet())
sys.modules["llamafactory.extras"].logging = sys.modules["llamafactory.extras.logging"]
module("llamafactory.extras.constants", IGNORE_INDEX=-100)
module("llamafactory.data.data_utils", Role=Role, SLOTS=list)
module("llamafactory.data.mm_plugin", get_mm_plugin=lambda *a, **k: Plugin())


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(SRC, "llamafactory", path))
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


load("llamafactory.data.tool_utils", "data/tool_utils.py")
load("llamafactory.data.formatter", "data/formatter.py")
template = load("llamafactory.data.template", "data/template.py")
load("llamafactory.data.processor.processor_utils", "data/processor/processor_utils.py")
supervised = load("llamafactory.data.processor.supervised", "data/processor/supervised.py")
unsupervised = load("llamafactory.data.processor.unsupervised", "data/processor/unsupervised.py")


@dataclass
class Arguments:
    template: str
    cutoff_len: int = 2048
    train_on_prompt: bool = False
    mask_history: bool = False
    tool_format: str = None
    default_system: str = None
    enable_thinking: bool = True
    preserve_thinking: bool = False


U, A, O, F = "user", "assistant", "observation", "function"
TOOLS = json.dumps([{"name": "weather", "description": "Weather of a city", "parameters": {"type": "object", "properties": {
    "city": {"type": "string", "description": "Name, e.g. Köln"}, "days": {"type": "integer", "enum": ["1", "7"]}}, "required": ["city"]}}], ensure_ascii=False)
CONVERSATIONS = [
    {"messages": [(U, "Hello"), (A, "Hi there!")]},
    {"messages": [(U, "你好"), (A, "你好！"), (U, "Second {{content}} 'question'?"), (A, "Second\nanswer.")], "system": "You are kind."},
    {"messages": [(U, ""), (A, "")]},
    {"messages": [(U, "  spaced \n"), (A, " lead"), (U, "b"), (A, "<think>\nhm\n</think>\n\nc"), (U, "d"), (A, "e")]},
    {"messages": [(U, "Weather in Köln?"), (F, '{"name": "weather", "arguments": {"city": "Köln", "days": 7}}'), (O, '{"t": 21.5}'), (A, "21.5 °C")],
     "tools": TOOLS, "system": "Use tools."},
]
FULL = ("default", "alpaca", "chatml", "llama3", "qwen")  # the others are kept as hashes of ids and labels
SKIP_TOOLS = {"llama3", "llama4"}  # today's date is written into the prompt


def tokenizer():
    made = PreTrainedTokenizerFast(tokenizer_file=os.path.join(TOKENIZERS, "llama3", "tokenizer.json"))
    made.add_special_tokens({"bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|end|>"})
    return made


def main():
    ours = sys.argv[4:]
    result = {}
    for name in ours:
        entry = []
        for variant in ({}, {"enable_thinking": False}, {"mask_history": True}, {"cutoff_len": 24}, {"train_on_prompt": True}, {"cutoff_len": 24, "mask_history": True}):
            rows = []
            for conversation in CONVERSATIONS:
                arguments = Arguments(name, **variant)
                made = tokenizer()
                size = len(made)
                try:
                    t = template.get_template_and_fix_tokenizer(made, arguments)
                except ValueError:
                    rows.append(None)
                    continue
                # A stop word that is no token stays text here: undo the additions, keep the end token.
                made = tokenizer()
                tools = conversation.get("tools", "")
                if tools and (name in SKIP_TOOLS or variant):
                    rows.append(None)
                    continue
                messages = [{"role": r, "content": c} for r, c in conversation["messages"]]
                processor = supervised.SupervisedDatasetProcessor(template=t, tokenizer=made, processor=None, data_args=arguments)
                try:
                    ids, labels = processor._encode_data_example(messages[:-1], messages[-1:], conversation.get("system"), tools, [], [], [])
                except Exception as error:
                    rows.append("error")
                    continue
                if None in ids:  # a token by name that this tokenizer does not have
                    rows.append("error")
                    continue
                one = unsupervised.UnsupervisedDatasetProcessor(template=t, tokenizer=made, processor=None, data_args=arguments)
                source, target = one._encode_data_example(messages[:-1], messages[-1:], conversation.get("system"), tools, [], [], [])
                state = 0xCBF29CE484222325
                for value in ids + labels:
                    for byte in int(value).to_bytes(4, "little", signed=True):
                        state = ((state ^ byte) * 0x100000001B3) % 2**64
                learnt = sum(1 for label in labels if label != -100)
                full = ids if name in FULL and not variant else None
                rows.append(["%016x" % state, len(ids), learnt, len(source), len(target), full])
            entry.append(rows)
        made = tokenizer()
        t = template.get_template_and_fix_tokenizer(made, Arguments(name))
        try:
            jinja = t._get_jinja_template(tokenizer())
        except ValueError:
            jinja = None
        result[name] = {"cases": entry, "jinja": jinja}
    with open(OUT, "w") as f:
        json.dump(result, f, ensure_ascii=False, separators=(",", ":"))


main()
