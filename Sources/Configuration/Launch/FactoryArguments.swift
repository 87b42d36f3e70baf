/// A configuration in LLaMA-Factory's words.

import Formats
import Platform

/// What `llamafactory-cli` is told to do the same: its command, the arguments that it knows, and what had to be left out.
struct FactoryArguments {
    /// `train`, `chat` or `export`: evaluating is a kind of training run there.
    let command: String
    private(set) var values: [(name: String, value: ArgumentValue)] = []
    /// Variables to set for the command: `CUDA_VISIBLE_DEVICES=1`.
    private(set) var environment: [String] = []
    private(set) var notes: [String] = []

    /// Arguments that LLaMA-Factory 0.9.5 does not take, beside those of this program's own group.
    static let foreign: Set<String> = [
        "batch_size", "chunk_size", "cpu_infer", "download_mode", "export_gguf", "export_gguf_adapter", "hyper_parallel_cp_size",
        "kt_force_think", "kt_maxlen", "kt_mode", "kt_optimize_rule", "lang", "mode", "n_shot", "placement_strategy", "ray_run_name",
        "ray_storage_filesystem", "ray_storage_path", "resources_per_worker", "save_dir", "task", "task_dir", "use_megatron_bridge",
    ]

    /// Groups whose arguments are the Trainer's: `chat` and `export` refuse them there.
    private static let trainerGroups: Set<ArgumentGroup> = [
        .basic, .optimizer, .schedule, .precision, .saving, .evaluation, .distributed, .hub,
    ]

    /// Which jobs a training command does is said by these; they follow from our own command.
    private static let jobs: Set<String> = ["do_train", "do_eval", "do_predict", "predict_with_generate"]

    init(_ configuration: Configuration, _ command: Command) {
        switch command {
        case .chat: self.command = "chat"
        case .export: self.command = "export"
        case .train, .evaluate, .api, .data, .tokenizer, .runs, .env, .version, .help: self.command = "train"
        }
        addJobs(configuration, command)
        // Written out even where they are the defaults: a reader looks for them first.
        for name in self.command == "train" ? ["stage", "finetuning_type"] : ["finetuning_type"] where !configuration.isChanged(name) {
            values.append((name, configuration.value(name)))
        }
        var leftOut: [String] = []
        for argument in ArgumentTable.all where configuration.isChanged(argument.name) && !Self.jobs.contains(argument.name) {
            if argument.isSecret {
                notes.append("\(argument.name) is a secret and was left out; set it where the command runs.")
            } else if argument.group == .tuneboard {
                translate(argument, configuration)
            } else if Self.foreign.contains(argument.name) {
                leftOut.append(argument.name)
            } else if self.command != "train", Self.trainerGroups.contains(argument.group) {
                leftOut.append(argument.name)
            } else {
                let value = configuration.value(argument.name)
                if value != .null { values.append((argument.name, value)) }
            }
        }
        if !leftOut.isEmpty { notes.append("LLaMA-Factory has no \(leftOut.joined(separator: ", ")): left out.") }
        noteFiles(configuration)
    }

    private mutating func addJobs(_ configuration: Configuration, _ command: Command) {
        func add(_ name: String) { values.append((name, .flag(true))) }
        switch command {
        case .train:
            add("do_train")
            for name in ["do_eval", "do_predict", "predict_with_generate"] where configuration.value(name) == .flag(true) { add(name) }
        case .evaluate:
            let generates = ["do_predict", "predict_with_generate"].contains { configuration.value($0) == .flag(true) }
            for name in generates ? ["do_predict", "predict_with_generate"] : ["do_eval"] { add(name) }
        case .chat, .export, .api, .data, .tokenizer, .runs, .env, .version, .help: break
        }
    }

    /// This program's own arguments: the device has a counterpart, the number of threads a variable.
    private mutating func translate(_ argument: Argument, _ configuration: Configuration) {
        let text = configuration.text(argument.name)
        switch argument.name {
        case "device":
            if text == "cpu", command == "train", !configuration.isChanged("use_cpu") {
                values.append(("use_cpu", .flag(true)))
            } else if text.hasPrefix("cuda:") {
                environment.append("CUDA_VISIBLE_DEVICES=" + text.dropFirst("cuda:".count))
            }
        case "threads":
            if text != "0" { environment.append("OMP_NUM_THREADS=" + text) }
        default: notes.append("\(argument.name) is this program's own: left out.")
        }
    }

    private mutating func noteFiles(_ configuration: Configuration) {
        let datasets = configuration[.dataset] + configuration[.evalDataset]
        for name in datasets where name.contains("/") || ["json", "jsonl", "csv", "txt", "parquet"].contains(Path.extension(name)) {
            notes.append("LLaMA-Factory takes datasets by their names in dataset_info.json: register \(name) there.")
        }
    }

    /// The words of the command line, without the variables.
    var words: [String] {
        ["llamafactory-cli", command] + values.flatMap { ["--" + $0.name, Self.pythonText($0.value)] }
    }

    /// The file for `llamafactory-cli train FILE`, with further lines at its end.
    func yaml(_ further: [(String, JSONValue)] = []) -> String {
        var lines = ""
        for (name, value) in values { lines += "\(name): \(Self.yamlText(value))\n" }
        for (name, value) in further { lines += "\(name): \(YAML.inline(value))\n" }
        return lines
    }

    static func pythonText(_ value: ArgumentValue) -> String {
        switch value {
        case .flag(let flag): flag ? "True" : "False"
        case .number(let number): plain(number)
        case .null, .integer, .text, .list, .numbers, .mapping: value.text
        }
    }

    /// `3` for 3.0: whole numbers are taken for either kind there.
    private static func plain(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? NumberText.fixed(number, digits: 0) : NumberText.pythonFloat(number)
    }

    /// Lists are one string with commas there. PyYAML takes a number for one only with a point in front of its exponent.
    private static func yamlText(_ value: ArgumentValue) -> String {
        switch value {
        case .list, .numbers: return YAML.inline(.string(value.text))
        case .number(let number):
            let text = plain(number)
            guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
            return text[..<exponent] + ".0" + text[exponent...]
        case .null, .flag, .integer, .text, .mapping: return YAML.inline(value.json)
        }
    }
}
