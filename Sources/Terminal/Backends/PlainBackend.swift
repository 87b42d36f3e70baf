import Glibc

/// A conversation by lines, for dumb terminals, pipes and screen readers: no boxes, no colours, no cursor movement.
public final class PlainBackend {
    /// What it says of its own accord; English unless told otherwise.
    public struct Words: Sendable {
        public var number = "number"
        public var noSuchNumber: @Sendable (_ count: Int) -> String = { "Please type a number from 1 to \($0), or nothing to go back." }
        public var yesOrNo = "(yes or no)"
        public var notYesOrNo = "Please answer yes or no."

        public init() {}
    }

    private let words: Words
    private let columns: Int?
    private let input: Int32
    private let output: Int32
    private var pending: [UInt8] = []
    private var isAtEnd = false

    /// - Parameter columns: how wide the terminal is; nil where lines are not to be broken, as in a pipe.
    public init(input: Int32 = 0, output: Int32 = 1, words: Words = Words(), columns: Int? = nil) {
        self.words = words
        self.columns = columns.map { max(30, $0) }
        self.input = input
        self.output = output
    }

    /// Whether a person is at the other end.
    public var isInteractive: Bool { isatty(input) != 0 }

    /// Prints one line or several; whatever came from a model or a file is made harmless.
    public func say(_ text: String) {
        let clean = TextWidth.sanitize(text)
        guard let columns else { return write(clean + "\n") }
        for line in clean.split(separator: "\n", omittingEmptySubsequences: false) { write(Self.wrapped(String(line), to: columns) + "\n") }
    }

    /// Prints what is to be copied as it is: its lines are not broken.
    public func show(_ text: String) { write(TextWidth.sanitize(text) + "\n") }

    /// A line broken between words; what follows the first line stands a little further in than it.
    public static func wrapped(_ line: String, to columns: Int) -> String {
        guard TextWidth.width(of: line) > columns else { return line }
        let indent = line.prefix { $0 == " " }.count
        let lines = TextWidth.wrap(String(line.dropFirst(indent)), to: max(8, columns - indent - 2))
        return lines.enumerated().map { String(repeating: " ", count: indent + ($0 == 0 ? 0 : 2)) + $1 }.joined(separator: "\n")
    }

    /// Prints a piece of a line, for an answer that streams.
    public func stream(_ piece: String) { write(TextWidth.sanitize(piece)) }

    /// Asks and waits for a line. An empty answer takes the preset.
    ///
    /// - Returns: `nil` at the end of the input.
    public func ask(_ question: String, preset: String = "") -> String? {
        write(TextWidth.sanitize(preset.isEmpty ? "\(question): " : "\(question) [\(preset)]: "))
        guard let answer = readLine() else { return nil }
        let trimmed = answer.drop { $0 == " " }
        return trimmed.isEmpty ? preset : String(trimmed)
    }

    /// Asks until it is yes or no; the end of the input counts as no.
    public func confirm(_ question: String) -> Bool {
        while let answer = ask("\(question) \(words.yesOrNo)") {
            switch answer.lowercased() {
            case "y", "yes": return true
            case "n", "no": return false
            default: say(words.notYesOrNo)
            }
        }
        return false
    }

    /// Offers numbered choices.
    ///
    /// - Returns: the index of the chosen one; `nil` at the end of the input or for an empty answer.
    public func choose(_ question: String, from choices: [String]) -> Int? {
        say(question)
        for (index, choice) in choices.enumerated() { say("  \(index + 1). \(choice)") }
        while let answer = ask(words.number), !answer.isEmpty {
            if let number = Int(answer), choices.indices.contains(number - 1) { return number - 1 }
            say(words.noSuchNumber(choices.count))
        }
        return nil
    }

    /// The next line without its end; `nil` when there are no more.
    public func readLine() -> String? {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                defer { pending.removeFirst(end + 1) }
                return TextWidth.sanitize(bytes: pending[..<end])
            }
            if isAtEnd {
                defer { pending = [] }
                return pending.isEmpty ? nil : TextWidth.sanitize(bytes: pending)
            }
            let count = Glibc.read(input, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count > 0 { pending += chunk[..<count] } else { isAtEnd = true }
        }
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(output, $0.baseAddress.map { $0 + sent }, bytes.count - sent) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }
}
