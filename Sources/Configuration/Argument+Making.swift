/// How the rows of the table are written: one call per argument, refined by what follows it.

import Formats

extension Argument {
    private init(_ name: String, _ kind: ArgumentKind, _ value: ArgumentValue, _ help: String, nullable: Bool, choices: [String] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        isNullable = nullable
        defaultValue = value
        self.choices = choices
    }

    static func flag(_ name: String, _ value: Bool, _ help: String) -> Argument {
        Argument(name, .flag, .flag(value), help, nullable: false)
    }

    /// A flag that may be left open.
    static func optionalFlag(_ name: String, _ value: Bool?, _ help: String) -> Argument {
        Argument(name, .flag, value.map { .flag($0) } ?? .null, help, nullable: true)
    }

    static func integer(_ name: String, _ value: Int, _ help: String) -> Argument {
        Argument(name, .integer, .integer(value), help, nullable: false)
    }

    static func optionalInteger(_ name: String, _ value: Int?, _ help: String) -> Argument {
        Argument(name, .integer, value.map { .integer($0) } ?? .null, help, nullable: true)
    }

    static func number(_ name: String, _ value: Double, _ help: String) -> Argument {
        Argument(name, .number, .number(value), help, nullable: false)
    }

    static func optionalNumber(_ name: String, _ help: String) -> Argument {
        Argument(name, .number, .null, help, nullable: true)
    }

    static func text(_ name: String, _ value: String, _ help: String) -> Argument {
        Argument(name, .text, .text(value), help, nullable: false)
    }

    static func optionalText(_ name: String, _ help: String, default value: String? = nil) -> Argument {
        Argument(name, .text, value.map { .text($0) } ?? .null, help, nullable: true)
    }

    static func choice(_ name: String, _ value: String, _ choices: [String], _ help: String) -> Argument {
        Argument(name, .choice, .text(value), help, nullable: false, choices: choices)
    }

    static func optionalChoice(_ name: String, _ value: String?, _ choices: [String], _ help: String) -> Argument {
        Argument(name, .choice, value.map { .text($0) } ?? .null, help, nullable: true, choices: choices)
    }

    static func list(_ name: String, _ help: String, default values: [String] = []) -> Argument {
        Argument(name, .list, .list(values), help, nullable: true)
    }

    static func numbers(_ name: String, _ help: String) -> Argument {
        Argument(name, .numbers, .numbers([]), help, nullable: true)
    }

    static func mapping(_ name: String, _ help: String) -> Argument {
        Argument(name, .mapping, .mapping(JSONObject()), help, nullable: true)
    }
}

extension Argument {
    func atLeast(_ minimum: Double) -> Argument { with { $0.bounds = ArgumentBounds(minimum: minimum) } }
    func above(_ minimum: Double) -> Argument { with { $0.bounds = ArgumentBounds(minimum: minimum, isAboveMinimum: true) } }
    func between(_ minimum: Double, _ maximum: Double) -> Argument {
        with { $0.bounds = ArgumentBounds(minimum: minimum, maximum: maximum) }
    }
    /// At least the first, below the second.
    func between(_ minimum: Double, andBelow maximum: Double) -> Argument {
        with { $0.bounds = ArgumentBounds(minimum: minimum, maximum: maximum, isBelowMaximum: true) }
    }

    /// Accepted without effect; the reason is a sentence.
    func noEffect(_ reason: String) -> Argument { with { $0.support = .notice(reason) } }
    /// Not done here, but by another program; the reason is a sentence that names it.
    func elsewhere(_ reason: String) -> Argument { with { $0.support = .elsewhere(reason) } }
    func elsewhere(_ values: [String], _ reason: String) -> Argument {
        with { argument in
            for value in values { argument.valueSupport[value] = .elsewhere(reason) }
        }
    }
    func noEffect(_ values: [String], _ reason: String) -> Argument {
        with { argument in
            for value in values { argument.valueSupport[value] = .notice(reason) }
        }
    }

    /// Suggestions for an argument that may be anything.
    func suggesting(_ values: [String]) -> Argument { with { $0.choices = values } }
    func secret() -> Argument { with { $0.isSecret = true } }

    /// Has an effect only while `name` has one of these values.
    func only(with name: String, _ values: String...) -> Argument {
        with { argument in
            argument.applies = { configuration in
                values.contains(configuration.text(name)) ? nil : "Only with \(name) \(values.joined(separator: " or "))."
            }
        }
    }

    /// Has an effect only while the flag `name` is on.
    func only(withFlag name: String) -> Argument {
        with { argument in argument.applies = { $0.text(name) == "true" ? nil : "Only with \(name)." } }
    }

    /// Has an effect only while `name` has any value but its default.
    func only(withSet name: String) -> Argument {
        with { argument in
            argument.applies = { $0.value(name) == ArgumentTable.argument(named: name)?.defaultValue ? "Only with \(name)." : nil }
        }
    }

    /// Has an effect only where a GPU may be used.
    func onlyOnCard() -> Argument {
        with { argument in
            argument.applies = { configuration in
                configuration[.device] == "cpu" || configuration[.useCpu] ? "Only on an NVIDIA card." : nil
            }
        }
    }

    /// As `onlyOnCard`, but an export takes it everywhere.
    func onlyOnCardOrForExport() -> Argument {
        let card = onlyOnCard().applies
        return with { $0.applies = { configuration in configuration.isSet("export_dir") ? nil : card(configuration) } }
    }

    func with(_ change: (inout Argument) -> Void) -> Argument {
        var copy = self
        change(&copy)
        return copy
    }
}
