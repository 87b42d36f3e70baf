import Terminal

extension BoardState {
    /// Where everything goes now.
    var layout: Layout { Layout(size: size, splits: splits, messageRows: messageRows, chatHeadRows: chatHeadRows) }

    /// The rows above the chat's form: why the model could not be loaded is read to its end.
    private var chatHeadRows: Int {
        guard tab == .chat, case .failed(let reason) = chat.engine else { return 1 }
        return min(3, TextWidth.wrap("✗ " + TextWidth.sanitize(reason), to: max(1, size.columns - 2)).count)
    }

    /// The message in lines; the last one ends in an ellipsis where there are more.
    var statusLines: [String] {
        guard let status else { return [] }
        let width = max(1, size.columns - 2)
        var lines = TextWidth.wrap(status.kind.mark + TextWidth.sanitize(status.text), to: width)
        guard lines.count > Self.statusRows else { return lines }
        lines = Array(lines.prefix(Self.statusRows))
        lines[Self.statusRows - 1] = TextWidth.prefix(of: lines[Self.statusRows - 1], cells: width - 1) + "…"
        return lines
    }

    private static let statusRows = 3

    /// The rows that the message takes from the page. Pages end in the lower edge of a box, over which one line of it may stand; the
    /// compact Monitor ends in numbers, and the Chat in the box that is typed in, which stays whole.
    private var messageRows: Int {
        guard status != nil else { return 0 }
        let isLastRowEmpty = tab == .chat ? chat.modelInfo == nil : tab != .monitor || monitoredRun == nil || !Layout(size: size).isCompact
        return max(0, statusLines.count - (isLastRowEmpty ? 1 : 0))
    }

    /// Runs `body` with the board's language and keys in place.
    func withSurroundings<Result>(_ body: () -> Result) -> Result {
        Wording.$current.withValue(wording) { KeyBindings.$current.withValue(keyBindings) { body() } }
    }
}
