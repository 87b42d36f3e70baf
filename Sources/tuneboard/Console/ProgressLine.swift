/// The line at the bottom of the terminal that is drawn again and again, and the lines that scroll above it.

import Glibc
import Platform

/// Draws on standard error when that is a terminal; otherwise it only prints lines.
final class ProgressLine {
    private let isTerminal: Bool
    private var shown = ""
    private var lastDraw = 0.0
    private static let drawSeconds = 0.1

    init(isPlain: Bool = false) {
        isTerminal = !isPlain && Output.isMessageTerminal && Environment.value("TERM") ?? "dumb" != "dumb"
    }

    var isShown: Bool { isTerminal }

    /// Replaces the line. Drawn at most ten times a second.
    func show(_ text: String) {
        guard isTerminal, text != shown else { return }
        let now = Clock.monotonicSeconds()
        guard now - lastDraw >= Self.drawSeconds else { return }
        lastDraw = now
        shown = text
        Output.message("\r\u{1b}[K" + text, terminator: "")
    }

    /// Takes the line away until the next `show`.
    func clear() {
        guard isTerminal, !shown.isEmpty else { return }
        shown = ""
        lastDraw = 0
        Output.message("\r\u{1b}[K", terminator: "")
    }

    /// A result line, above the progress line.
    func print(_ text: String) {
        clear()
        Output.print(text)
    }

    /// A message line, above the progress line.
    func message(_ text: String) {
        clear()
        Output.message(text)
    }

    /// `▕████▌     ▏`, `width` cells between the ends.
    static func bar(_ fraction: Double, width: Int) -> String {
        guard width > 0 else { return "" }
        let eighths = Int((max(0, min(1, fraction)) * Double(width * 8)).rounded())
        let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        let full = String(repeating: "█", count: eighths / 8)
        let used = eighths / 8 + (partial.isEmpty ? 0 : 1)
        return "▕" + full + partial + String(repeating: " ", count: max(0, width - used)) + "▏"
    }
}
