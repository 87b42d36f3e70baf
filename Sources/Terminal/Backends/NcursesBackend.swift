import CNcurses
import Glibc
import Platform

/// Why no full-screen terminal could be opened.
public enum TerminalError: Error, Equatable, CustomStringConvertible {
    case noTerminal
    case unknownType(String)

    public var description: String {
        switch self {
        case .noTerminal:
            "there is no terminal here (neither /dev/tty nor stdin and stdout); use the commands: tuneboard --help"
        case .unknownType(let name) where name.isEmpty:
            "TERM is not set, so the screen cannot be drawn; set it (for example TERM=xterm-256color) or use --plain"
        case .unknownType(let name):
            "TERM=\(name) is unknown here or cannot place the cursor; set another (for example TERM=xterm-256color) or use --plain"
        }
    }
}

/// The real screen, by ncurses. There can be one at a time, and one thread uses it.
public final class NcursesBackend: TerminalBackend {
    public struct Options: Sendable {
        public var usesMouse = true
        /// No colours whatever the terminal can do; set from NO_COLOR.
        public var isMonochrome = false
        /// At most so many colours; `nil` for what the terminal has.
        public var maximumDepth: ColorDepth?
        /// stdout and stderr of the process become `Input.captured`.
        public var capturesOutput = true
        /// Captured output is copied to this open file as well; -1 for none.
        public var logDescriptor: Int32 = -1
        /// Descriptors instead of the controlling terminal, and a terminal type: for tests.
        public var descriptors: (input: Int32, output: Int32)?
        public var terminalType: String?

        public init() {}

        /// Options as the environment asks for them.
        public static func fromEnvironment() -> Options {
            var options = Options()
            options.isMonochrome = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
            return options
        }
    }

    public private(set) var size: Size
    public let depth: ColorDepth
    /// Whether the terminal shows more than ASCII; frames are transliterated if not.
    public let showsUnicode: Bool

    private var shown: CellGrid
    private var isFresh = true
    private var isGone = false
    private var isClosed = false
    private var decoder = InputDecoder()
    private var output = OutputLines()
    private var buffer: [terminal_cell] = []

    /// Blocks the signals that the event loop reads. The first call in `main`, before any thread starts.
    public static func blockSignals() { terminal_block_signals() }

    /// Undoes `blockSignals` for commands that open no screen.
    public static func unblockSignals() { terminal_unblock_signals() }

    public init(options: Options = .fromEnvironment()) throws(TerminalError) {
        SignalStack.install()
        let type = options.terminalType ?? NcursesBackend.directType(options)
        var result = NcursesBackend.open(options, type)
        if result == -2, type != nil, options.terminalType == nil { result = NcursesBackend.open(options, nil) }
        switch result {
        case 0: break
        case -2: throw .unknownType(type ?? Theme.environment("TERM") ?? "")
        default: throw .noTerminal
        }
        size = NcursesBackend.currentSize()
        shown = CellGrid(size: size)
        showsUnicode = terminal_is_utf8() != 0
        let colors = terminal_color_count()
        let found: ColorDepth = colors < 8 ? .mono : colors < 256 ? .ansi16 : colors > 1 << 16 ? .direct : .indexed256
        depth = min(found, options.maximumDepth ?? found)
        if options.capturesOutput { terminal_capture_output(options.logDescriptor) }
    }

    deinit { close() }

    private static func open(_ options: Options, _ type: String?) -> Int32 {
        let (input, output) = options.descriptors ?? (-1, -1)
        let mouse: Int32 = options.usesMouse ? 1 : 0
        let mono: Int32 = options.isMonochrome ? 1 : 0
        guard let type else { return terminal_open(input, output, nil, mouse, mono) }
        return terminal_open(input, output, type, mouse, mono)
    }

    /// Direct colour needs a terminal that says so and a terminfo entry for it; it is asked for by TUNEBOARD_COLORS=direct or an option,
    /// because such entries lose the terminal's own bright colours.
    private static func directType(_ options: Options) -> String? {
        guard options.maximumDepth == .direct || Theme.environment("TUNEBOARD_COLORS") == "direct", !options.isMonochrome else { return nil }
        let claims = Theme.environment("COLORTERM") ?? ""
        guard claims == "truecolor" || claims == "24bit" else { return nil }
        let term = Theme.environment("TERM") ?? ""
        if term.hasPrefix("xterm") { return "xterm-direct" }
        if term.hasPrefix("tmux") || term.hasPrefix("screen") { return "tmux-direct" }
        return nil
    }

    private static func currentSize() -> Size {
        var columns: Int32 = 0
        var rows: Int32 = 0
        terminal_size(&columns, &rows)
        return Size(columns: Int(columns), rows: Int(rows))
    }

    // MARK: Drawing

    public func present(_ grid: CellGrid, cursor: Point?) {
        guard !isGone, !isClosed else { return }
        let frame = showsUnicode ? grid : grid.transliterated()
        let old = shown.size == frame.size && !isFresh ? shown : CellGrid(size: frame.size)
        for y in 0..<min(frame.size.rows, size.rows) { drawChanges(old.row(y), frame.row(y), y) }
        shown = frame
        isFresh = false
        if let cursor, grid.bounds.contains(cursor) {
            terminal_flush(Int32(cursor.x), Int32(cursor.y))
        } else {
            terminal_flush(-1, -1)
        }
    }

    /// Draws the part of a row from the first to the last cell that changed, without cutting wide characters of either frame.
    private func drawChanges(_ old: ArraySlice<Cell>, _ new: ArraySlice<Cell>, _ y: Int) {
        guard old.count == new.count, old.startIndex == new.startIndex else { return }
        let base = new.startIndex
        guard var first = new.indices.first(where: { old[$0] != new[$0] }),
            var last = new.indices.last(where: { old[$0] != new[$0] })
        else { return }
        while first > base, old[first].width == 0 || new[first].width == 0 { first -= 1 }
        while last + 1 < new.endIndex, old[last + 1].width == 0 || new[last + 1].width == 0 { last += 1 }
        last = min(last, base + size.columns - 1)
        guard first <= last else { return }
        buffer.removeAll(keepingCapacity: true)
        for index in first...last { buffer.append(terminal_cell(new[index])) }
        terminal_draw(Int32(first - base), Int32(y), buffer, Int32(buffer.count))
    }

    public func repaint() {
        guard !isGone else { return }
        isFresh = true
        terminal_repaint()
        // ncurses is told every cell again as well.
        let empty = CellGrid(size: size)
        for y in 0..<size.rows {
            buffer = empty.row(y).map { terminal_cell($0) }
            terminal_draw(0, Int32(y), buffer, Int32(buffer.count))
        }
    }

    public func bell() {
        var bytes: [UInt8] = [7]
        terminal_send(&bytes, 1)
    }

    public func copyToClipboard(_ text: String) -> Bool {
        guard !isGone, !isClosed, let bytes = Clipboard.sequence(for: text, environment: Theme.environment) else { return false }
        return terminal_send(bytes, bytes.count) == 0
    }

    // MARK: Waiting

    public var wakeHandle: WakeHandle {
        let descriptor = terminal_wake_descriptor()
        return WakeHandle {
            var one: UInt64 = 1
            _ = write(descriptor, &one, 8)
        }
    }

    public func nextInputs(timeoutMilliseconds: Int32?) -> [Input] {
        let ready = terminal_wait(timeoutMilliseconds ?? -1)
        var inputs: [Input] = []
        if ready & Int32(TERMINAL_READY_SIGNAL) != 0 { readSignals(&inputs) }
        if ready & Int32(TERMINAL_READY_KEYS) != 0 { readKeys(&inputs) }
        if ready & Int32(TERMINAL_READY_HANG_UP) != 0 { hangUp(&inputs) }
        if ready & Int32(TERMINAL_READY_OUTPUT) != 0 { readOutput(&inputs) }
        if ready & Int32(TERMINAL_READY_WAKE) != 0 { inputs.append(.wake) }
        return inputs
    }

    private func readKeys(_ inputs: inout [Input]) {
        var count = 0
        while count < 4096 {
            let token = terminal_next_token()
            switch UInt32(token.kind) {
            case TERMINAL_NONE.rawValue:
                // A paste comes in pieces: wait for the rest, but not for ever.
                if decoder.isPasting, terminal_wait_keys(300) != 0 { continue }
                inputs += decoder.finish()
                // The line was cut: readable, but nothing to read.
                if count == 0, inputs.isEmpty, terminal_wait(0) & Int32(TERMINAL_READY_KEYS) != 0 { hangUp(&inputs) }
                return
            case TERMINAL_CHARACTER.rawValue:
                inputs += decoder.take(.character(token.value))
            case TERMINAL_KEY.rawValue:
                inputs += decoder.take(.key(token.value, Key.Modifiers(rawValue: token.modifiers)))
            case TERMINAL_PASTE_START.rawValue:
                inputs += decoder.take(.pasteStart)
            case TERMINAL_PASTE_END.rawValue:
                inputs += decoder.take(.pasteEnd)
            case TERMINAL_MOUSE.rawValue:
                inputs += decoder.take(.mouse(button: token.value, x: Int(token.x), y: Int(token.y), isRelease: token.is_release != 0))
            default:
                break
            }
            count += decoder.isPasting ? 0 : 1
        }
    }

    private func readSignals(_ inputs: inout [Input]) {
        var isResized = false
        while true {
            let signal = terminal_next_signal()
            switch signal {
            case 0:
                if isResized { resize(&inputs) }
                return
            case SIGWINCH: isResized = true
            case SIGINT: inputs.append(.interrupt)
            case SIGTERM, SIGQUIT: inputs.append(.terminate)
            case SIGHUP: hangUp(&inputs)
            case SIGTSTP: inputs.append(.suspendRequested)
            case SIGCONT:
                guard !isGone else { continue }
                terminal_enter()
                isResized = true
                inputs.append(.resumed)
            default: break
            }
        }
    }

    private func resize(_ inputs: inout [Input]) {
        guard !isGone else { return }
        terminal_resize(0, 0)
        isFresh = true
        size = NcursesBackend.currentSize()
        inputs.append(.resize(size))
    }

    private func hangUp(_ inputs: inout [Input]) {
        guard !isGone else { return }
        isGone = true
        terminal_mark_gone()
        inputs.append(.hangUp)
    }

    private func readOutput(_ inputs: inout [Input]) {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        for _ in 0..<16 {
            let count = terminal_read_output(&bytes, bytes.count)
            guard count > 0 else { break }
            inputs += output.take(bytes[..<count]).map(Input.captured)
        }
    }

    // MARK: Life

    public func suspend() {
        guard !isGone, !isClosed else { return }
        terminal_leave()
        raise(SIGSTOP)
        // SIGCONT is waiting in the signal descriptor and brings `.resumed`.
    }

    public func withTerminalReleased<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard !isGone, !isClosed else { return try body() }
        terminal_leave()
        defer {
            terminal_enter()
            size = NcursesBackend.currentSize()
            isFresh = true
        }
        return try body()
    }

    public func close() {
        guard !isClosed else { return }
        isClosed = true
        terminal_close()
        terminal_release_output()
    }
}

extension terminal_cell {
    fileprivate init(_ cell: Cell) {
        self.init()
        glyph = (cell.base, cell.firstMark, cell.secondMark)
        foreground = cell.style.foreground.terminalNumber
        background = cell.style.background.terminalNumber
        attributes = cell.style.attributes.rawValue
        width = cell.width
    }
}

extension Color {
    /// The number that the C side takes.
    fileprivate var terminalNumber: Int32 {
        switch kind {
        case .default: -1
        case .ansi, .indexed: Int32(number)
        case .direct: Int32(bits & 0xFF_FFFF) | Int32(TERMINAL_DIRECT)
        }
    }
}
