/// Watches a streamed text for stop strings. Text that may turn out to be the beginning of one is held back until it is clear.
///
///     stop "###":   "Hello #" -> "Hello ", holds "#"    "#x" -> "##x"    "###" -> stopped
struct StopWatcher {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    private(set) var isStopped = false

    init(_ strings: [String]) {
        stops = strings.map { Array($0.utf8) }.filter { !$0.isEmpty }
    }

    /// Takes new text and returns what may be shown.
    mutating func push(_ text: String) -> String {
        guard !stops.isEmpty, !isStopped else { return isStopped ? "" : text }
        held.append(contentsOf: text.utf8)
        if let place = firstStop() {
            isStopped = true
            let shown = String(decoding: held[..<place], as: UTF8.self)
            held = []
            return shown
        }
        let kept = stops.map { longestBeginning(of: $0) }.max() ?? 0
        let shown = String(decoding: held.dropLast(kept), as: UTF8.self)
        held = Array(held.suffix(kept))
        return shown
    }

    /// What was held back, when no more text comes.
    mutating func finish() -> String {
        let shown = isStopped ? "" : String(decoding: held, as: UTF8.self)
        held = []
        return shown
    }

    private func firstStop() -> Int? {
        for place in held.indices where stops.contains(where: { held[place...].starts(with: $0) }) { return place }
        return nil
    }

    /// How many of the last held bytes are the beginning of `stop`.
    private func longestBeginning(of stop: [UInt8]) -> Int {
        var length = min(stop.count - 1, held.count)
        while length > 0 && !held.suffix(length).elementsEqual(stop.prefix(length)) { length -= 1 }
        return length
    }
}
