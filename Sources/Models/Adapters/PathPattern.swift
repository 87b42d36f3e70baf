import Platform
import Tokenizers

/// A regular expression over module paths, as PEFT's configurations hold them.
struct PathPattern: Sendable, Equatable {
    /// What of a path must match.
    enum Reach {
        /// All of it: `target_modules` and `exclude_modules` that are one text.
        case whole
        /// Its end, from the start or from after a dot: the keys of `rank_pattern` and `alpha_pattern`.
        case end
        /// Whole parts of it, the rest following: `modules_to_save`.
        case part
        /// Up to what stands before a layer's number: `layers_pattern`.
        case beforeLayer
    }

    let text: String
    private let expression: RegularExpression

    /// - Parameters:
    ///   - file: and `key` are named when the expression cannot be read.
    init(_ text: String, _ reach: Reach, file: String, key: String) throws(ModelError) {
        self.text = text
        let whole =
            switch reach {
            case .whole: text
            case .end: "(?:.*\\.)?(?:\(text))"
            case .part: "(?:|.*\\.)(?:\(text))(?:|\\..*)"
            case .beforeLayer: ".*\\.(?:\(text))"
            }
        do { expression = try RegularExpression(whole) } catch {
            throw .invalidKey(file: file, key: key, expected: "a regular expression (\(error.reason))", found: "\"\(text)\"")
        }
    }

    func matches(_ path: String) -> Bool { expression.matchesWhole(path) }

    static func == (left: PathPattern, right: PathPattern) -> Bool { left.expression.text == right.expression.text }
}

/// `rank_pattern` or `alpha_pattern`: the first pattern that matches a path gives its value.
struct PathValues: Sendable, Equatable {
    private var entries: [(pattern: PathPattern, value: Double)] = []

    private static let bound = 16_777_216.0

    init() {}

    /// - Parameter allowsZero: alphas may be 0 or below, ranks not.
    init(_ fields: ConfigurationFields, _ key: String, allowsZero: Bool) throws(ModelError) {
        guard let object = try fields.fields(key) else { return }
        for (text, value) in object.object {
            guard let number = value.doubleValue, abs(number) < Self.bound, number > 0 || allowsZero else {
                let bound = NumberText.grouped(Int(Self.bound))
                throw object.invalid(text, allowsZero ? "a number between -\(bound) and \(bound)" : "a number above 0 and below \(bound)", value)
            }
            entries.append((try PathPattern(text, .end, file: fields.file, key: key), number))
        }
    }

    func value(_ path: String) -> Double? { entries.first { $0.pattern.matches(path) }?.value }

    static func == (left: PathValues, right: PathValues) -> Bool {
        left.entries.count == right.entries.count && zip(left.entries, right.entries).allSatisfy { $0.pattern == $1.pattern && $0.value == $1.value }
    }
}
