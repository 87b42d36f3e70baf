/// `tuneboard-bench keys --program PATH`: from a key to what it shows, while the program trains on every processor it has.
///
/// Run it in a folder with recipes/quickstart.yaml and the demo model: it starts that run and asks for the help again and again.

import Formats
import Glibc
import Platform
import Terminal

struct KeyBenchmark {
    private let program: String
    private let size: Size
    private let repetitions: Int

    /// Words of the help that stand nowhere in the Monitor.
    private static let helpWords = ["palette", "searchable", "Repaint", "Suspend", "Everywhere", "Cancel the", "language", "Next page", "Previous"]

    static let argumentNames = ["program", "columns", "rows", "repetitions"]

    init(_ arguments: BenchArguments) {
        program = Path.absolute(arguments.text("program", ".build/release/tuneboard"))
        size = Size(columns: max(60, arguments.integer("columns", 200)), rows: max(16, arguments.integer("rows", 60)))
        repetitions = max(1, arguments.integer("repetitions", 40))
    }

    func run() throws -> JSONObject {
        let terminal = try PseudoTerminal(size: size)
        defer { terminal.close() }
        let process = try terminal.spawn(program)
        defer { terminal.end(process) }
        guard terminal.await(["5 Monitor", "quit"], seconds: 10) else { throw BenchError.neverShown(program, "the board") }
        // F5 starts the run; the Monitor shows its first steps.
        terminal.type("\u{1B}[15~")
        guard terminal.await(["RSS"], seconds: 60) else { throw BenchError.neverShown(program, "the Monitor of a run") }
        terminal.settle(milliseconds: 1_500)
        // What is measured is the board, not this program's own wait for a processor.
        ThreadTurns.short()
        var seconds: [Double] = []
        for repetition in 0..<repetitions {
            // Another moment of the step each time.
            terminal.settle(milliseconds: 40 + Int32(repetition * 37 % 90))
            let start = Clock.monotonicSeconds()
            terminal.type("?")
            // Cells that show the right letter already are not written, which splits words: one of these is whole.
            guard terminal.await(anyOf: Self.helpWords, seconds: 5) else {
                throw BenchError.neverShown(program, "the help after \(repetition) times")
            }
            seconds.append(Clock.monotonicSeconds() - start)
            // F1, which closes the help as well: a lone Escape that waits together with the next key would be Alt with that key.
            terminal.type("\u{1B}OP")
            terminal.settle(milliseconds: 120)
        }
        let sorted = seconds.sorted()
        return JSONObject([
            ("case", "keys"), ("columns", .integer(size.columns)), ("rows", .integer(size.rows)), ("repetitions", .integer(repetitions)),
            ("key_milliseconds", .number(Statistics.median(seconds) * 1_000)),
            ("ninth_decile_milliseconds", .number(sorted[min(sorted.count - 1, sorted.count * 9 / 10)] * 1_000)),
            ("slowest_milliseconds", .number((sorted.last ?? 0) * 1_000)),
        ])
    }
}
