/// Turning text and YAML values into argument values, checked against the table.

import Formats
import Platform

extension Argument {
    /// Reads a value as it is typed on a command line or into a form.
    public func read(_ text: String) throws(ArgumentError) -> ArgumentValue {
        let trimmed = Self.trimmed(text)
        if isNullable, isNullWord(trimmed) { return emptyValue }
        switch kind {
        case .text: return .text(text)
        case .flag:
            guard let flag = Self.flag(trimmed) else { throw wrong(text) }
            return .flag(flag)
        case .integer:
            guard let value = Self.integer(trimmed) else { throw wrong(text) }
            try check(Double(value), text)
            guard bounds?.maximum != nil || value.magnitude <= Self.largestInteger else {
                throw ArgumentError(argument: name, fault: .outOfBounds(found: text, bounds: "at most \(Self.largestInteger)"))
            }
            return .integer(value)
        case .number:
            guard let value = Self.number(trimmed) else { throw wrong(text) }
            try check(value, text)
            return .number(value)
        case .choice: return .text(try choice(trimmed))
        case .list: return .list(Self.items(trimmed))
        case .numbers:
            var values: [Double] = []
            for item in Self.items(trimmed) {
                guard let value = Self.number(item) else { throw wrong(text) }
                try check(value, item)
                values.append(value)
            }
            return .numbers(values)
        case .mapping:
            guard let object = (try? YAML.parse(trimmed, name: name))?.objectValue else { throw wrong(text) }
            return .mapping(object)
        }
    }

    /// Reads a value out of a file. Null means the default.
    func read(_ node: YAMLNode) throws(ArgumentError) -> ArgumentValue {
        switch node.content {
        case .scalar(let text, let isPlain):
            if node.isNull { return isNullable ? emptyValue : defaultValue }
            guard isPlain, kind == .integer || kind == .number else { return try read(text) }
            // Plain numbers as YAML understands them: 1_000, 0x10.
            switch YAML.resolve(text) {
            case .integer(let value): return try read(String(value))
            case .number(let value): return try read(NumberText.pythonFloat(value))
            case .null, .bool, .string, .array, .object: return try read(text)
            }
        case .sequence(let nodes):
            guard kind == .list || kind == .numbers else { throw wrong(node.json.text()) }
            var items: [String] = []
            for node in nodes {
                guard let item = node.scalarText else { throw wrong(node.json.text()) }
                items.append(item)
            }
            return try read(items.joined(separator: ","))
        case .mapping(let pairs):
            // `dataset: {name: fraction}`
            if kind == .list, Self.takesShares.contains(name) {
                return .list(
                    try pairs.map { pair throws(ArgumentError) in
                        guard let item = pair.key.scalarText, let share = pair.value.scalarText else { throw wrong(node.json.text()) }
                        return "\(item)@\(share)"
                    })
            }
            if kind == .mapping, case .object(let object) = node.json { return .mapping(object) }
            guard kind == .text, Self.namesFileOrMapping.contains(name) else { throw wrong(node.json.text()) }
            return .text(node.json.text(style: .python))
        }
    }

    /// Lists whose entries may say how much of each is used.
    private static let takesShares: Set<String> = ["dataset", "eval_dataset"]

    /// Settings of other programs, given as a file or written out.
    private static let namesFileOrMapping: Set<String> = [
        "deepspeed", "fsdp_config", "accelerator_config", "parallelism_config", "hyper_parallel_args", "resources_per_worker",
        "ray_init_kwargs", "vllm_config", "sglang_config",
    ]

    /// What null is for this argument.
    private var emptyValue: ArgumentValue {
        switch kind {
        case .list: .list([])
        case .numbers: .numbers([])
        case .mapping: .mapping(JSONObject())
        case .flag, .integer, .number, .text, .choice: .null
        }
    }

    private func isNullWord(_ text: String) -> Bool {
        switch text {
        case "", "null", "Null", "NULL", "~": true
        // A list may hold the word: report_to=none.
        case "none", "None": kind != .list
        default: false
        }
    }

    private func choice(_ text: String) throws(ArgumentError) -> String {
        let word = text.lowercased()
        let known = FormerNames.values[name]?[word] ?? word
        if choices.contains(known) { return known }
        // `eval_strategy: no` is a truth value to YAML.
        if let flag = Self.flag(word), choices.contains("no") {
            if !flag { return "no" }
            if choices.contains("all") { return "all" }
        }
        throw ArgumentError(
            argument: name, fault: .wrongChoice(found: text, choices: choices, nearest: Spelling.nearest(known, among: choices)))
    }

    private func check(_ value: Double, _ text: String) throws(ArgumentError) {
        if !value.isFinite { throw wrong(text) }
        guard let bounds, !bounds.contains(value) else { return }
        throw ArgumentError(argument: name, fault: .outOfBounds(found: text, bounds: bounds.text))
    }

    private func wrong(_ text: String) -> ArgumentError {
        ArgumentError(argument: name, fault: .wrongValue(found: text, allowed: allowed))
    }

    // MARK: Words

    static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "t", "y", "1": true
        case "false", "no", "off", "f", "n", "0": false
        default: nil
        }
    }

    /// No count comes near it, and the product of two of them still fits 64 bits. Arguments with a maximum of their own have that.
    private static let largestInteger: UInt = 0x7FFF_FFFF

    /// 1000, 1_000, 1e3 and 1000.0.
    private static func integer(_ text: String) -> Int? {
        let plain = text.replacing("_", with: "")
        if let value = Int(plain) { return value }
        guard let value = Double(plain) else { return nil }
        return Int(exactly: value)
    }

    private static func number(_ text: String) -> Double? { Double(text.replacing("_", with: "")) }

    /// "a, b" and "[a, b]" are the items a and b; empty ones are left out.
    private static func items(_ text: String) -> [String] {
        var inner = text[...]
        if inner.first == "[", inner.last == "]" { inner = inner.dropFirst().dropLast() }
        return inner.split(separator: ",").map { item in
            let word = trimmed(String(item))
            let isQuoted = word.count >= 2 && word.first == word.last && (word.first == "\"" || word.first == "'")
            return isQuoted ? String(word.dropFirst().dropLast()) : word
        }.filter { !$0.isEmpty }
    }

    private static func trimmed(_ text: String) -> String {
        let isSpace = { (byte: UInt8) in byte == 32 || (byte >= 9 && byte <= 13) }
        let bytes = text.utf8
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(text[first...last])
    }
}
