/// What can be wrong with arguments, told with the place, what is allowed and the nearest name.

import Formats
import Platform

/// One thing wrong with one argument.
public struct ArgumentError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Fault: Sendable, Equatable {
        /// `lora_rnak`
        case unknown(nearest: String?)
        /// `learning_rate: abc`
        case wrongValue(found: String, allowed: String)
        /// `stage: sfft`
        case wrongChoice(found: String, choices: [String], nearest: String?)
        /// `cutoff_len: 0`
        case outOfBounds(found: String, bounds: String)
        /// `--learning_rate` at the end of the command line
        case missingValue(allowed: String)
        /// a word on the command line that belongs to nothing
        case stray
    }

    public var argument: String
    /// "recipe.yaml, line 12" or "command line"; nil for a value from a form.
    public var place: String?
    public var fault: Fault

    public init(argument: String, place: String? = nil, fault: Fault) {
        self.argument = argument
        self.place = place
        self.fault = fault
    }

    /// The sentence without the place, for a form that stands beside the field.
    public var message: String {
        switch fault {
        case .unknown(let nearest):
            "there is no argument \(argument)." + (nearest.map { " Did you mean \($0)?" } ?? " `tuneboard help train` lists all.")
        case .wrongValue(let found, let allowed): "\(argument) is \(quote(found)); it must be \(allowed)."
        case .wrongChoice(let found, let choices, let nearest):
            "\(argument) is \(quote(found)); it must be one of \(choices.joined(separator: ", "))."
                + (nearest.map { " Did you mean \($0)?" } ?? "")
        case .outOfBounds(let found, let bounds): "\(argument) is \(found); it must be \(bounds)."
        case .missingValue(let allowed): "\(argument) has no value; it must be \(allowed)."
        case .stray: "\(quote(argument)) belongs to no argument; write name=value or --name value."
        }
    }

    public var description: String { (place.map { "\($0): " } ?? "") + message }

    private func quote(_ text: String) -> String {
        let short = text.count > 60 ? text.prefix(57) + "..." : text[...]
        return "\"\(short)\""
    }
}

/// Everything wrong with a recipe and its overrides, at once.
public struct ConfigurationErrors: Error, Sendable, CustomStringConvertible {
    public enum Failure: Sendable, CustomStringConvertible {
        case argument(ArgumentError)
        case yaml(YAMLError)
        case json(JSONError)
        case platform(PlatformError)
        /// The file holds something other than a mapping of names to values.
        case notAMapping(file: String)

        public var description: String {
            switch self {
            case .argument(let error): error.description
            case .yaml(let error): error.description
            case .json(let error): error.description
            case .platform(let error): error.description
            case .notAMapping(let file): "\(file): a mapping of argument names to values is expected, such as \"stage: sft\"."
            }
        }
    }

    public var failures: [Failure]

    /// One line for each.
    public var description: String { failures.map(\.description).joined(separator: "\n") }
}

/// Something a person should know about a configuration.
public struct Problem: Sendable, Equatable, CustomStringConvertible {
    public enum Severity: Int, Sendable, Comparable {
        /// The run goes on, and does what was meant or nothing less.
        case notice
        /// The run goes on, but perhaps not as meant.
        case warning
        /// The run does not start.
        case error

        public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    }

    /// The argument it is mostly about.
    public var argument: String?
    public var severity: Severity
    /// A sentence.
    public var message: String
    /// Where the argument was set: "recipe.yaml, line 12".
    public var place: String?

    public init(argument: String? = nil, severity: Severity, message: String, place: String? = nil) {
        self.argument = argument
        self.severity = severity
        self.message = message
        self.place = place
    }

    public var description: String { (place.map { "\($0): " } ?? "") + message }
}

/// A note that a value was accepted in another way than it was written.
public struct Notice: Sendable, Equatable, CustomStringConvertible {
    public var argument: String
    public var text: String
    public var place: String?

    public init(argument: String, text: String, place: String? = nil) {
        self.argument = argument
        self.text = text
        self.place = place
    }

    public var description: String { (place.map { "\($0): " } ?? "") + text }
}
