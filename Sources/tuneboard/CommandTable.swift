/// Every command: its name, what it does, what it takes, and who runs it. Help and completion read this table.

import Configuration

/// An option of a command that is not an argument of a job.
struct OptionRow: Sendable {
    let name: String
    /// How the value is called in help; nil for a switch.
    let value: String?
    let help: String

    init(_ name: String, _ value: String? = nil, _ help: String) {
        self.name = name
        self.value = value
        self.help = help
    }
}

struct CommandEntry: Sendable {
    let name: String
    let summary: String
    /// Lines after `tuneboard NAME`.
    let usage: [String]
    let details: String
    let options: [OptionRow]
    /// Whose arguments of the argument table the command takes; nil for none.
    let arguments: Command?
    let run: @Sendable (Invocation) throws -> Int32

    init(
        _ name: String, _ summary: String, usage: [String], details: String = "", options: [OptionRow] = [], arguments: Command? = nil,
        run: @escaping @Sendable (Invocation) throws -> Int32
    ) {
        self.name = name
        self.summary = summary
        self.usage = usage
        self.details = details
        self.options = options
        self.arguments = arguments
        self.run = run
    }
}

enum CommandTable {
    private static let json = OptionRow("json", nil, "print one JSON object per line instead of text")

    static let all: [CommandEntry] = [
        CommandEntry(
            "train", "fine-tune a model", usage: ["[RECIPE] [KEY=VALUE | --KEY VALUE]..."],
            details: """
                RECIPE is a YAML or JSON file with the names and meanings of LLaMA-Factory's; what follows overrides it.
                Ctrl+C stops after the step at work and saves (exit code 130); a second Ctrl+C ends at once.
                A closed terminal does not end the run: `tuneboard` or `tuneboard runs` finds it again.
                """,
            options: [
                json, OptionRow("plan", nil, "print the estimate of steps, memory, time and disk, and do not train"),
                OptionRow("measure", nil, "the same, with two steps on the loaded model to tell the time"),
                OptionRow("detach", nil, "train in the background and return the shell"),
            ] + PreviewCommand.options + [
            ], arguments: .train, run: JobCommand.train),
        CommandEntry(
            "eval", "measure loss and perplexity, or generate and score answers", usage: ["[RECIPE] [KEY=VALUE | --KEY VALUE]..."],
            details: """
                Measures loss, perplexity and token accuracy on eval_dataset (or on the val_size share of dataset).
                With do_predict or predict_with_generate it generates answers and scores BLEU-4 and ROUGE.
                """,
            options: [json] + PreviewCommand.options, arguments: .evaluate, run: JobCommand.evaluate),
        CommandEntry(
            "chat", "talk to a model", usage: ["[RECIPE] [--question TEXT]... [KEY=VALUE | --KEY VALUE]..."],
            details: """
                In a terminal: a conversation, answers stream; /help shows what else can be typed.
                With --question each question is asked by itself and the answers are printed.
                With standard input from a file or pipe every line is the next message of one conversation. With --json a line
                is a JSON string, {"content": "..."} (the next message) or {"messages": [...]} (a conversation of its own).
                """,
            options: [json, OptionRow("question", "TEXT", "ask this and print the answer; may be repeated")], arguments: .chat,
            run: ChatCommand.run),
        CommandEntry(
            "export", "merge adapters and write a model folder", usage: ["[RECIPE] [KEY=VALUE | --KEY VALUE]..."],
            details: "Merges the adapters into the base in fp32, writes safetensors with tokenizer and template, and verifies the result.",
            options: [json] + PreviewCommand.options, arguments: .export, run: JobCommand.export),
        CommandEntry(
            "api", "serve a model to other programs", usage: [""],
            run: { _ in
                Output.message("error: `tuneboard api` comes in a later version. Until then, `tuneboard chat RECIPE --json` answers one JSON "
                    + "message per line, and an exported model can be served by other programs.")
                return ExitCode.usage
            }),
        CommandEntry(
            "data", "list, preview, clean, deduplicate, convert and split datasets, make preferences", usage: [
                "list [--dataset_dir DIR]", "preview NAME [--rows N] [RECIPE] [KEY=VALUE]...", "prefer FILE --output PAIRS.jsonl [--margin X]",
                "answer RECIPE --reward_model DIR --output SCORED.jsonl [--answers N] [--best_output BEST.jsonl]",
            ] + DataCleaning.usage,
            details: """
                `list` shows the datasets of dataset_info.json. `preview` shows rows as the model gets them: the prompt as text, the
                token ids, and which tokens carry loss. NAME may be a file.
                `prefer` makes pairs for dpo and rm out of {"prompt": ..., "answers": [{"text": ..., "score": ...}, ...]}: the best
                answer against one drawn from those that score less. `answer` makes such rows: the recipe's model answers each question
                of its dataset N times, and reward_model (given as for stage ppo) scores the answers.

                """ + DataCleaning.details,
            options: [
                json, OptionRow("rows", "N", "rows to preview (1)"), OptionRow("from", "N", "the first row to preview, counted from 1 (1)"),
                OptionRow("output", "FILE", "where the rows go; a new file"),
                OptionRow("answers", "N", "answer: how many answers to each question (4)"),
                OptionRow("best_output", "FILE", "answer: where rows with the best answer alone go, to fine-tune on"),
                OptionRow("margin", "X", "prefer: how much lower the other answer must score (0)"),
                OptionRow("pair_seed", "N", "prefer: which of the lower answers is drawn (42)"),
                OptionRow("prompt_column", "NAME", "prefer: column of the question (prompt)"),
                OptionRow("answers_column", "NAME", "prefer: column of the list of answers (answers)"),
                OptionRow("text_key", "NAME", "prefer: key of an answer's text (text)"),
                OptionRow("score_key", "NAME", "prefer: key of an answer's score (score)"),
            ] + DataCleaning.options,
            arguments: .train, run: DataCommand.run),
        CommandEntry(
            "tokenizer", "encode, decode and render with a model's tokenizer, train one, or extend one",
            usage: [
                "encode --model_name_or_path DIR [--add_special_tokens]", "decode --model_name_or_path DIR [--skip_special_tokens]",
                "render --model_name_or_path DIR [--template NAME] [--add_generation_prompt] [--compare]",
                "train FILE... --output_dir DIR [--vocab_size N] [--min_frequency N]",
                "merge BASE NEW --output_dir DIR [--max_new_tokens N]",
            ],
            details: """
                One JSON value per line in, one out. `encode` takes strings and gives {"ids": [...]}; `decode` takes {"ids": [...]} or
                a list and gives a string; `render` takes {"messages": [...], "tools": [...], "enable_thinking": ...} and gives
                {"text": ..., "ids": [...]} or {"error": ...}. Without --template the model's own template is used.
                `train` learns a byte-level BPE vocabulary from text files, or from all texts in .json and .jsonl rows.
                `merge` writes the tokenizer of folder BASE with the tokens and merges of NEW behind its own: old ids stay, new ones
                follow the largest. Both are BPE of one style, byte-level or SentencePiece's. Then let the model grow to the new size.
                """,
            options: [
                OptionRow("model_name_or_path", "DIR", "the model folder"),
                OptionRow("template", "NAME", "a named template instead of the model's own"),
                OptionRow("add_special_tokens", nil, "add what the tokenizer puts around a text"),
                OptionRow("skip_special_tokens", nil, "leave special tokens out of decoded text"),
                OptionRow("add_generation_prompt", nil, "end with the opening of an answer"),
                OptionRow("compare", nil, "render: what the model's own template writes as well, and whether it is the same"),
                OptionRow("output_dir", "DIR", "train, merge: where tokenizer.json goes"),
                OptionRow("max_new_tokens", "N", "merge: take the first N tokens of NEW (all)"),
                OptionRow("vocab_size", "N", "train: tokens in all (32000)"),
                OptionRow("min_frequency", "N", "train: pairs seen less often are not merged (2)"),
                OptionRow("special_tokens", "A,B,...", "train: the first ids (<|endoftext|>,<|im_start|>,<|im_end|>)"),
                OptionRow("eos_token", "TOKEN", "train: what ends a text (the last special token)"),
                OptionRow("pad_token", "TOKEN", "train: what fills up (the first special token)"),
                OptionRow("pattern", "NAME", "train: how text is cut into words: gpt2, llama3, qwen2 (qwen2)"),
            ], run: TokenizerCommand.run),
        CommandEntry(
            "inspect", "show a model's size and needs, or its numbers for given tokens",
            usage: [
                "model DIR [--cutoff_len N]", "forward --model_name_or_path DIR [--adapter_name_or_path A] --input FILE --output OUT.safetensors",
            ],
            details: """
                `model` says whether the model can be used and why not, and what each method needs of memory for one sequence of N
                tokens (2048). `forward` reads {"input_ids": [[...]], "labels": [[...]]} and writes logits.I for each row, the loss over all labels, and
                on request hidden.L.I and gradients under the checkpoint's names, or the adapter's. Everything is computed in f32.
                """,
            options: [
                json, OptionRow("cutoff_len", "N", "model: tokens of the sequence that memory is estimated for (2048)"),
                OptionRow("model_name_or_path", "DIR", "forward: the model folder"),
                OptionRow("adapter_name_or_path", "DIR", "forward: an adapter to put on it"),
                OptionRow("input", "FILE", "forward: token ids and labels, in JSON"),
                OptionRow("output", "FILE", "forward: where the tensors go, in safetensors"),
                OptionRow("gradients", nil, "forward: write gradients of the loss as well"),
                OptionRow("hidden_states", nil, "forward: write the stream before each layer and after the last norm"),
            ], run: InspectCommand.run),
        CommandEntry(
            "prepare", "make a model ready for a method: block expansion, PiSSA, LoftQ",
            usage: [
                "blocks --model_name_or_path DIR --output_dir DIR --num_expand N",
                "pissa --model_name_or_path DIR --output_dir DIR [--lora_rank N] [--lora_alpha N] [--lora_target NAMES] [--pissa_iter N]",
                "loftq --model_name_or_path DIR --output_dir DIR [--lora_rank N] [--lora_alpha N] [--lora_target NAMES] [--loftq_iter N]",
            ],
            details: """
                `blocks` writes the model with N more layers that change nothing until they are trained (LLaMA-Pro, use_llama_pro).
                `pissa` splits each weight into an adapter of its principal components and a base of the rest, which may be quantised.
                `loftq` finds the 4-bit base and the adapter that together are nearest to each weight.
                """,
            options: [
                OptionRow("model_name_or_path", "DIR", "the model folder"), OptionRow("output_dir", "DIR", "where the new model goes"),
                OptionRow("num_expand", "N", "blocks: how many layers are added; a divisor of their number"),
                OptionRow("lora_rank", "N", "pissa, loftq: rank of the adapter, 16 when missing"),
                OptionRow("lora_alpha", "N", "pissa, loftq: twice the rank when missing"),
                OptionRow("lora_target", "NAMES", "pissa, loftq: the layers, all when missing"),
                OptionRow("pissa_iter", "N", "pissa: rounds of the fast decomposition, 16 when missing; -1 for the exact one"),
                OptionRow("loftq_bits", "4", "loftq: bits of the base"),
                OptionRow("loftq_iter", "N", "loftq: rounds of quantisation and decomposition, 4 when missing"),
            ], run: PrepareCommand.run),
        CommandEntry(
            "runs", "list, show and steer runs",
            usage: ["[list] [DIR]", "show RUN", "follow RUN", "stop|save|pause|resume|abort RUN", "delete RUN --yes"],
            details: """
                Runs are found under saves/ (or DIR), LLaMA-Factory's too. `stop` saves first; `abort` does not. RUN is a run
                directory or its name.
                """,
            options: [json, OptionRow("yes", nil, "delete without asking")], run: RunsCommand.run),
        CommandEntry("env", "show versions, processors, memory and libraries", usage: [""], options: [json], run: EnvironmentCommand.run),
        CommandEntry("version", "show the version", usage: [""], run: { _ in VersionCommand.run() }),
        CommandEntry(
            "completion", "print a completion script for bash, zsh or fish", usage: ["bash|zsh|fish"],
            details: "For bash: eval \"$(tuneboard completion bash)\". For zsh: tuneboard completion zsh > ~/.zfunc/_tuneboard",
            run: CompletionCommand.run),
        CommandEntry("help", "show help", usage: ["[COMMAND | ARGUMENT]"], run: { HelpCommand.run($0.words) }),
    ]

    static func entry(_ name: String) -> CommandEntry? {
        all.first { $0.name == (name == "evaluate" ? "eval" : name) }
    }

    /// The command whose name is closest to the word, when it is close at all.
    static func nearest(_ word: String) -> String? { Spelling.nearest(word, among: all.lazy.map(\.name)) }
}
