"""What LLaMA-Factory's own code makes of conversations, as hashes of token ids and labels.

Usage: python prompt_templates.py LLAMAFACTORY_SRC[:OLDER_SRC] TOKENIZERS_FOLDER OUTPUT.json TEMPLATE...
LLAMAFACTORY_SRC is the folder that holds the package `llamafactory`, for example an unpacked wheel; templates that were withdrawn
are taken from OLDER_SRC. Only data/template.py, formatter.py, tool_utils.py and the processors are loaded, with stand-ins for what
they import but do not need here. With DETAIL=1 in the environment there is a hash for each conversation, to find a difference.
"""
import importlib.util
import json
import os
import sys
import tempfile
import types
from dataclasses import dataclass
from enum import StrEnum

from transformers import PreTrainedTokenizerFast

SOURCES, TOKENIZERS, OUT = sys.argv[1:4]


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


def load_package(source):
    for name in [name for name in sys.modules if name.startswith("llamafactory")]:
        del sys.modules[name]
    for name in ("llamafactory", "llamafactory.data", "llamafactory.extras", "llamafactory.hparams", "llamafactory.data.processor"):
        module(name).__path__ = []
    module("llamafactory.extras.logging", get_logger=lambda name: Quiet())
    sys.modules["llamafactory.extras"].logging = sys.modules["llamafactory.extras.logging"]
    module("llamafactory.extras.constants", IGNORE_INDEX=-100)
    module("llamafactory.data.data_utils", Role=Role, SLOTS=list)
    module("llamafactory.data.mm_plugin", get_mm_plugin=lambda *a, **k: Plugin())

    def load(name, path):
        spec = importlib.util.spec_from_file_location(name, os.path.join(source, "llamafactory", path))
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
    return template, supervised, unsupervised


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
WEATHER = {"name": "weather", "description": "Weather of a city", "parameters": {"type": "object", "properties": {
    "city": {"type": "string", "description": "Name, e.g. Köln"}, "days": {"type": "integer", "enum": ["1", "7"]},
    "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["city"]}}
TIME = {"type": "function", "function": {"name": "time", "description": "", "parameters": {"type": "object", "properties": {}}}}
ONE, TWO = json.dumps([WEATHER], ensure_ascii=False), json.dumps([WEATHER, TIME], ensure_ascii=False)
CALL = '{"name": "weather", "arguments": {"city": "Köln", "days": 7}}'
RICH = '{"name": "weather", "arguments": {"city": "北京 \\"x\\"", "on": true, "no": null, "f": 1.50, "list": [1, {"a": "b"}]}}'
CONVERSATIONS = [
    {"messages": [(U, "Hello"), (A, "Hi there!")]},
    {"messages": [(U, "你好"), (A, "你好！"), (U, "Second {{content}} 'question'?"), (A, "Second\nanswer.")], "system": "You are kind."},
    {"messages": [(U, ""), (A, "")]},
    {"messages": [(U, "  spaced \n"), (A, " lead"), (U, "b"), (A, "<think>\nhm\n</think>\n\nc"), (U, "d"), (A, "e")]},
    {"messages": [(U, "Weather in Köln?"), (F, CALL), (O, '{"t": 21.5}'), (A, "21.5 °C")], "tools": ONE, "system": "Use tools."},
    {"messages": [(U, "q"), (A, "<think>\nfirst\n</think>\n\na"), (U, "r"), (A, "<think>\nsecond\n</think>\n\nb")]},
    {"messages": [(U, "q"), (A, "<think>open"), (U, "r"), (A, "no thoughts</think> here")], "system": "S"},
    {"messages": [(U, "q"), (A, "<think>x</think>y"), (U, "r"), (A, "z")]},
    {"messages": [(U, "Both?"), (F, "[" + CALL + ", " + RICH + "]"), (O, "21\nand 22"), (A, "done")], "tools": TWO},
    {"messages": [(U, "now"), (F, '{"name": "time", "arguments": {}}'), (O, "12:00"), (F, RICH), (O, "ok"), (A, "noon")], "tools": TWO},
    {"messages": [(U, "w"), (F, "<think>\nneed it\n</think>\n\n" + CALL), (O, "r"), (A, "<think>\nok\n</think>\n\nfine")], "tools": ONE},
    {"messages": [(U, "w"), (F, "I look. <tool_call>" + CALL + "</tool_call>"), (O, "r"), (A, "fine")], "tools": ONE},
    {"messages": [(U, "only described"), (A, "no call")], "tools": TWO, "system": "Sys"},
    {"messages": [(U, "no tools"), (A, "ok")], "tools": "[]"},
    {"messages": [(U, "👩‍👩‍👧‍👦 é e\u0301 ﷺ עברית \u200b"), (A, "\t\u00a0\u3000ß ǆ 𝔘")]},
    {"messages": [(U, "<|im_end|> </s> [INST] <|eot_id|> <|user|> <eos>"), (A, "<|assistant|> <|end|>")]},
    {"messages": [(U, "\n\n"), (A, "\n"), (U, "\r\nx"), (A, "  ")], "system": "  "},
    {"messages": [(U, "a"), (A, "b"), (U, "c"), (A, "d"), (U, "e"), (A, "f"), (U, "g"), (A, "h"), (U, "i"), (A, "j")], "system": "多轮对话"},
    {"messages": [(U, "long " * 40), (A, "answer " * 30), (U, "q " * 9), (A, "a " * 50)]},
    {"messages": [(U, "code"), (A, "```swift\nlet a = [\"x\": {{content}}]\n```\n")], "system": "line one\nline two {{content}}"},
    {"messages": [(U, "{{content}} {{name}} {{ content }}"), (A, "{{content}}")]},
    {"messages": [(U, "seed"), (A, "<seed:think>t</seed:think>x"), (U, "oss"), (A, "<|channel|>analysis<|message|>t<|end|><|start|>assistant<|channel|>final<|message|>y")]},
    {"messages": [(O, "a tool speaks first"), (A, "then I")]},
    {"messages": [(U, "q"), (F, CALL)], "tools": ONE},
]
VARIANTS = (
    {}, {"enable_thinking": False}, {"enable_thinking": None}, {"preserve_thinking": True}, {"mask_history": True}, {"cutoff_len": 24},
    {"train_on_prompt": True}, {"cutoff_len": 24, "mask_history": True}, {"mask_history": True, "preserve_thinking": True},
)
FORMATTED = ("default", "qwen", "glm4", "llama2")


def fnv(data, state=0xCBF29CE484222325):
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) % 2**64
    return state


def tokens_by_name(templates):
    names = set()
    for t in templates:
        names.update(t.stop_words)
        for part in (t.format_user, t.format_assistant, t.format_system, t.format_function, t.format_observation, t.format_prefix):
            names.update(slot["token"] for slot in part.slots if isinstance(slot, dict))
    return sorted(names)


def tokenizer_file(names):
    with open(os.path.join(TOKENIZERS, "llama3", "tokenizer.json"), encoding="utf-8") as f:
        data = json.load(f)
    known = {t["content"] for t in data["added_tokens"]} | set(data["model"]["vocab"])
    following = max(list(data["model"]["vocab"].values()) + [t["id"] for t in data["added_tokens"]]) + 1
    for name in names:
        if name not in known:
            data["added_tokens"].append({"id": following, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True})
            following += 1
    path = os.path.join(tempfile.mkdtemp(), "tokenizer.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(data, f, ensure_ascii=False)
    return path


def main():
    wanted = sys.argv[4:]
    packages = [load_package(source) for source in SOURCES.split(":")]
    home = {}
    for package in reversed(packages):
        for name in package[0].TEMPLATES:
            home[name] = package
    names = tokens_by_name([home[name][0].TEMPLATES[name] for name in wanted])
    path = tokenizer_file(names)

    def tokenizer():
        made = PreTrainedTokenizerFast(tokenizer_file=path)
        made.add_special_tokens({"bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|end|>"})
        return made

    def digest(name, variant):
        import copy
        template, supervised, unsupervised = home[name]
        arguments = Arguments(name, **variant)
        kept = template.TEMPLATES[name]
        template.TEMPLATES[name] = copy.deepcopy(kept)
        try:
            t = template.get_template_and_fix_tokenizer(tokenizer(), arguments)
        except ValueError:
            return None
        finally:
            template.TEMPLATES[name] = kept
        # An end token that the template replaces is compared elsewhere: samples are made with the plain one.
        made = tokenizer()
        has_date = type(t.format_tools).__name__ == "ToolFormatter" and t.format_tools.tool_format == "llama3"
        rows = []
        for conversation in CONVERSATIONS:
            tools = conversation.get("tools", "")
            if tools and has_date:
                rows.append("date")
                continue
            messages = [{"role": r, "content": c} for r, c in conversation["messages"]]
            processor = supervised.SupervisedDatasetProcessor(template=t, tokenizer=made, processor=None, data_args=arguments)
            one = unsupervised.UnsupervisedDatasetProcessor(template=t, tokenizer=made, processor=None, data_args=arguments)
            try:
                ids, labels = processor._encode_data_example(messages[:-1], messages[-1:], conversation.get("system"), tools, [], [], [])
                source, target = one._encode_data_example(messages[:-1], messages[-1:], conversation.get("system"), tools, [], [], [])
            except Exception:
                rows.append("error")
                continue
            if not ids:
                rows.append("error")
                continue
            values = ids + labels + [len(ids), len(source)] + source + target
            rows.append("%016x" % fnv(b"".join(int(v).to_bytes(4, "little", signed=True) for v in values)))
        if os.environ.get("DETAIL"):
            return rows
        return "%016x" % fnv(" ".join(rows).encode())

    formats = packages[0][0].ToolFormatter.__post_init__.__globals__["get_tool_utils"].__globals__["TOOLS"]
    result = {}
    for name in wanted:
        t = home[name][0].TEMPLATES[name]
        try:
            jinja = t._get_jinja_template(tokenizer())
        except ValueError:
            jinja = None
        result[name] = {"cases": [digest(name, variant) for variant in VARIANTS], "jinja": jinja, "stop_words": t.stop_words}
        if name in FORMATTED:
            result[name]["tool_formats"] = {f: digest(name, {"tool_format": f}) for f in formats}
    fixture = {"tokens": names, "conversations": CONVERSATIONS, "templates": result}
    with open(OUT, "w") as f:
        json.dump(fixture, f, ensure_ascii=False, separators=(",", ":"))
    print(len(result), "templates,", len(CONVERSATIONS), "conversations,", len(VARIANTS), "variants")


main()
