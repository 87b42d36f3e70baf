/// The words after a command, sorted into the command's own options, a recipe, arguments of the job, and the rest.

import Configuration
import Platform

/// `tuneboard train lora.yaml --json learning_rate=1e-4` becomes: recipe lora.yaml, option json, override learning_rate=1e-4.
struct Invocation {
    let entry: CommandEntry
    /// YAML or JSON file; nil when none was given.
    private(set) var recipe: String?
    /// What is left for the argument table, as it was typed: `--key value`, `--key=value`, `key=value`.
    private(set) var overrides: [String] = []
    /// Words that are neither options nor arguments: subcommands and names.
    private(set) var words: [String] = []
    private var options: [String: [String]] = [:]

    init(entry: CommandEntry, arguments: [String]) throws {
        self.entry = entry
        var index = 0
        while index < arguments.count {
            let word = arguments[index]
            index += 1
            if word == "-h" {
                options["help"] = [""]
            } else if word.hasPrefix("--") {
                try takeOption(word, arguments, &index)
            } else if entry.arguments != nil, isRecipe(word), recipe == nil {
                recipe = word
            } else if entry.arguments != nil, let equals = word.firstIndex(of: "="), isName(word[..<equals]) {
                overrides.append(word)
            } else if word.hasPrefix("-"), word.count > 1, Double(word) == nil {
                throw UsageError("`\(word)` is not an option of `tuneboard \(entry.name)`.")
            } else {
                words.append(word)
            }
        }
    }

    func has(_ option: String) -> Bool { options[option] != nil }
    func values(_ option: String) -> [String] { options[option] ?? [] }
    func value(_ option: String) -> String? { options[option]?.last }
    var isJSON: Bool { has("json") }

    /// A whole number given to an option.
    func integer(_ option: String, default fallback: Int) throws -> Int {
        guard let text = value(option) else { return fallback }
        guard let number = Int(text), number >= 0 else { throw UsageError("--\(option) takes a whole number of at least 0, not `\(text)`.") }
        return number
    }

    /// Refuses words that the command has no use for.
    func expectNoWords() throws {
        guard let word = words.first else { return }
        if FileSystem.exists(word) { throw UsageError("`\(word)` is neither a YAML nor a JSON file.") }
        throw UsageError("`\(word)` is neither a recipe (.yaml, .yml, .json) nor an argument (KEY=VALUE or --KEY VALUE).")
    }

    private mutating func takeOption(_ word: String, _ arguments: [String], _ index: inout Int) throws {
        let body = word.dropFirst(2)
        let equals = body.firstIndex(of: "=")
        let name = String(body[..<(equals ?? body.endIndex)])
        if name == "help" {
            options[name] = [""]
            return
        }
        if let row = entry.options.first(where: { $0.name == name }) {
            if let equals {
                options[name, default: []].append(String(body[body.index(after: equals)...]))
            } else if let value = row.value {
                guard index < arguments.count else { throw UsageError("--\(name) needs a value: --\(name) \(value)") }
                options[name, default: []].append(arguments[index])
                index += 1
            } else {
                options[name, default: []].append("")
            }
            return
        }
        guard entry.arguments != nil else { throw UsageError("`--\(name)` is not an option of `tuneboard \(entry.name)`.") }
        overrides.append(word)
        if equals == nil, index < arguments.count, takesValue(name, arguments[index]) {
            overrides.append(arguments[index])
            index += 1
        }
    }

    /// Whether the word after `--name` belongs to it. A flag alone means true, so what follows one is its value only when it says
    /// true or false; every other argument takes the next word, also one that begins with a minus sign and a digit.
    private func takesValue(_ name: String, _ next: String) -> Bool {
        if next.hasPrefix("--") { return false }
        if name.hasPrefix("no_"), ArgumentTable.argument(named: String(name.dropFirst(3)))?.kind == .flag { return false }
        guard let argument = ArgumentTable.argument(named: name.replacing("-", with: "_")), argument.kind == .flag else { return true }
        return ["true", "false", "1", "0", "yes", "no", "on", "off", "null", "none"].contains(next.lowercased())
    }

    /// `tuneboard data` is given data files, and those may be JSON: there only YAML is a recipe.
    private func isRecipe(_ word: String) -> Bool {
        let extensions = entry.name == "data" ? ["yaml", "yml"] : ["yaml", "yml", "json"]
        return extensions.contains(Path.extension(word)) && !(word.contains("=") && !FileSystem.exists(word))
    }

    private func isName(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy {
            $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") || $0 >= 48 && $0 < 58 || $0 | 32 >= 97 && $0 | 32 <= 122
        }
    }
}
