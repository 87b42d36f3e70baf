/// What one argument is: its name, what it may hold, where it belongs, and how far it is supported.

import Formats

/// The commands of the program. The raw value is what one types.
public enum Command: String, Sendable, CaseIterable {
    case train
    case evaluate = "eval"
    case chat, export, api, data, tokenizer, runs, env, version, help
}

/// How arguments are grouped in forms and help, in this order. LLaMA Board's own sections keep their names.
public enum ArgumentGroup: String, Sendable, CaseIterable {
    case model, quantization, data, basic, extra, optimizer, schedule, precision, saving, evaluation, freeze, lora, oft, rlhf, galore, apollo
    case badam, swanlab, multimodal, generation, benchmark, export, hub, distributed, tuneboard

    public var title: String {
        switch self {
        case .model: "Model"
        case .quantization: "Quantization"
        case .data: "Data"
        case .basic: "Training"
        case .extra: "Extra"
        case .optimizer: "Optimizer"
        case .schedule: "Learning rate schedule"
        case .precision: "Precision and memory"
        case .saving: "Logging and checkpoints"
        case .evaluation: "Evaluation during training"
        case .freeze: "Partial-parameter (freeze)"
        case .lora: "LoRA"
        case .oft: "OFT"
        case .rlhf: "RLHF"
        case .galore: "GaLore"
        case .apollo: "APOLLO"
        case .badam: "BAdam"
        case .swanlab: "SwanLab"
        case .multimodal: "Multimodal"
        case .generation: "Generation"
        case .benchmark: "Multiple-choice benchmarks"
        case .export: "Export"
        case .hub: "Hubs"
        case .distributed: "Launch and other engines"
        case .tuneboard: "Tuneboard"
        }
    }
}

/// What an argument's value is.
public enum ArgumentKind: Sendable, Equatable {
    case flag
    case integer
    case number
    case text
    /// One of `Argument.choices`.
    case choice
    /// Names with commas between them.
    case list
    /// Numbers with commas between them.
    case numbers
    /// A JSON object, such as keyword arguments of a schedule.
    case mapping

    /// "a whole number": what to call such a value in a sentence.
    public var phrase: String {
        switch self {
        case .flag: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .text: "text"
        case .choice: "one of its choices"
        case .list: "a list of names with commas between them"
        case .numbers: "a list of numbers with commas between them"
        case .mapping: "a mapping, such as {\"num_cycles\": 2}"
        }
    }
}

/// The numbers an argument may hold. Either end may be open.
public struct ArgumentBounds: Sendable, Equatable {
    public var minimum: Double?
    public var maximum: Double?
    /// True when the minimum itself is not allowed.
    public var isAboveMinimum: Bool
    /// True when the maximum itself is not allowed.
    public var isBelowMaximum: Bool

    public init(minimum: Double? = nil, maximum: Double? = nil, isAboveMinimum: Bool = false, isBelowMaximum: Bool = false) {
        self.minimum = minimum
        self.maximum = maximum
        self.isAboveMinimum = isAboveMinimum
        self.isBelowMaximum = isBelowMaximum
    }

    public func contains(_ value: Double) -> Bool {
        if !value.isFinite { return false }
        if let minimum, value < minimum || (isAboveMinimum && value == minimum) { return false }
        if let maximum, value > maximum || (isBelowMaximum && value == maximum) { return false }
        return true
    }

    /// "at least 1", "above 0 and at most 1"
    public var text: String {
        let low = minimum.map { (isAboveMinimum ? "above " : "at least ") + ArgumentValue.short($0) }
        let high = maximum.map { (isBelowMaximum ? "below " : "at most ") + ArgumentValue.short($0) }
        return [low, high].compactMap { $0 }.joined(separator: " and ")
    }
}

/// How far an argument works here.
public enum ArgumentSupport: Sendable, Equatable {
    case full
    /// Accepted and without effect; the reason is shown when it is set.
    case notice(String)
    /// Checked like every other, but a job that sets it does not start: another program does it, and the reason says which.
    case elsewhere(String)
}

/// One row of the argument table.
public struct Argument: Sendable {
    public let name: String
    public let kind: ArgumentKind
    public let isNullable: Bool
    public let defaultValue: ArgumentValue
    /// One line that says what the argument does.
    public let help: String
    public internal(set) var group: ArgumentGroup = .basic
    public internal(set) var commands: Set<Command> = []
    /// What a `.choice` may be; suggestions for others.
    public internal(set) var choices: [String] = []
    public internal(set) var bounds: ArgumentBounds?
    public internal(set) var support: ArgumentSupport = .full
    /// Where single values are supported less than the argument itself.
    public internal(set) var valueSupport: [String: ArgumentSupport] = [:]
    /// Why the argument has no effect in this configuration (forms fold it away), or nil when it has.
    public internal(set) var applies: @Sendable (Configuration) -> String? = { _ in nil }
    /// Holds a secret: never written to logs, previews and saved arguments.
    public internal(set) var isSecret = false

    /// The default as text; empty for none.
    public var defaultText: String { defaultValue.text }

    /// "a whole number, at least 1": what may be written here.
    public var allowed: String {
        if kind == .flag { return isNullable ? "true, false or null" : "true or false" }
        var text = kind == .choice ? "one of " + choices.joined(separator: ", ") : kind.phrase
        if let bounds, !bounds.text.isEmpty { text += ", " + bounds.text }
        return isNullable ? text + ", or null" : text
    }
}
