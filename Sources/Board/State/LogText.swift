import Platform

/// Log lines as people read them: the Trainer's dictionaries as names and numbers, the names of source files left out.
enum LogText {
    private static let shortNames = ["learning_rate": "lr", "grad_norm": "grad norm"]

    /// `{'loss': 1.39012, 'learning_rate': 4.1100e-05}` is `loss 1.39012  lr 4.1100e-05`; other text stays as it is.
    static func readable(_ text: String) -> String {
        let words = plain(text)
        // The dictionaries of the Trainer are put into words already, and they are most of a log.
        return text.utf8.contains(UInt8(ascii: "{")) ? words : say(engine: words)
    }

    private static func plain(_ text: String) -> String {
        var text = Substring(text)
        if let mark = text.firstRange(of: " >> "), isPlace(text[..<mark.lowerBound]) { text = text[mark.upperBound...] }
        guard text.utf8.contains(UInt8(ascii: "{")), let open = text.firstRange(of: "{'"), let close = text[open.upperBound...].firstIndex(of: "}"),
            let words = words(text[text.index(after: open.lowerBound)..<close])
        else { return String(text) }
        return text[..<open.lowerBound] + words + text[text.index(after: close)...]
    }

    /// `llamafactory.train.callbacks:143`: where in a program a line was written.
    private static func isPlace(_ text: Substring) -> Bool {
        guard let colon = text.lastIndex(of: ":") else { return false }
        let number = text[text.index(after: colon)...]
        return !number.isEmpty && number.allSatisfy(\.isNumber) && !text.contains(" ")
    }

    /// The inside of a dictionary of numbers and words; nil for anything else.
    private static func words(_ inside: Substring) -> String? {
        var parts: [String] = []
        for pair in inside.split(separator: ",") {
            guard let colon = pair.firstIndex(of: ":") else { return nil }
            let key = unquoted(pair[..<colon])
            let value = unquoted(pair[pair.index(after: colon)...])
            guard !key.isEmpty, !value.isEmpty, !value.contains(where: { "{}[]()".contains($0) }) else { return nil }
            parts.append("\(say(key: shortNames[key] ?? key)) \(shortened(value))")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "  ")
    }

    private static func unquoted(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        if text.first == "'", text.last == "'", text.count > 1 { text = text.dropFirst().dropLast() }
        return String(text)
    }

    /// Sixteen digits of a loss say no more than six.
    private static func shortened(_ value: String) -> String {
        guard value.count > 9, value.contains("."), let number = Double(value) else { return value }
        return NumberText.significant(number, digits: 6)
    }
}
