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

    static func flag(_ name: String, _ value: Bool?, _ help: String, nullable: Bool? = nil) -> Argument {
        Argument(name, .flag, value.map { .flag($0) } ?? .null, help, nullable: nullable ?? (value == nil))
    }

    static func integer(_ name: String, _ value: Int?, _ help: String, nullable: Bool? = nil) -> Argument {
        Argument(name, .integer, value.map { .integer($0) } ?? .null, help, nullable: nullable ?? (value == nil))
    }

    static func number(_ name: String, _ value: Double?, _ help: String, nullable: Bool? = nil) -> Argument {
        Argument(name, .number, value.map { .number($0) } ?? .null, help, nullable: nullable ?? (value == nil))
    }

    static func text(_ name: String, _ value: String?, _ help: String, nullable: Bool? = nil) -> Argument {
        Argument(name, .text, value.map { .text($0) } ?? .null, help, nullable: nullable ?? (value == nil))
    }

    static func choice(_ name: String, _ value: String?, _ choices: [String], _ help: String, nullable: Bool? = nil) -> Argument {
        Argument(name, .choice, value.map { .text($0) } ?? .null, help, nullable: nullable ?? (value == nil), choices: choices)
    }

    static func list(_ name: String, _ values: [String], _ help: String, nullable: Bool = true) -> Argument {
        Argument(name, .list, .list(values), help, nullable: true)
    }

    static func numbers(_ name: String, _ values: [Double], _ help: String, nullable: Bool = true) -> Argument {
        Argument(name, .numbers, .numbers(values), help, nullable: true)
    }

    static func mapping(_ name: String, _ help: String) -> Argument {
        Argument(name, .mapping, .mapping(JSONObject()), help, nullable: true)
    }
}
