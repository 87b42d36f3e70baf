/// A regular expression for short texts, such as the paths of modules, with the syntax that Python's `re` and tokenizer files share.
public struct RegularExpression: Sendable {
    /// Why a pattern cannot be read: "a group is not closed".
    public struct Unreadable: Error, Sendable, Equatable {
        public let reason: String
    }

    public let text: String
    private let pattern: Pattern

    /// Steps after which a text counts as not matching: a pattern from a file must not hold up the program.
    private static let stepLimit = 200_000

    public init(_ text: String) throws(Unreadable) {
        self.text = text
        do { pattern = try Pattern("(?:" + text + ")\\z") } catch { throw Unreadable(reason: error.reason) }
    }

    /// Python's `re.fullmatch`.
    public func matchesWhole(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBufferPointer { pattern.matchesStart(of: $0, steps: Self.stepLimit) }
    }
}
