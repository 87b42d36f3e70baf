/// A terminal in memory for tests: it is fed inputs and keeps the frames.
///
/// A script's inputs are handed out one at a time and only while `isBusy` says that nothing is under way, so a test waits for
/// idle and never sleeps. When the script is over and nothing is busy, `atEnd` is delivered once if it is set.
public final class MemoryBackend: TerminalBackend {
    public private(set) var size: Size
    public var depth: ColorDepth
    /// Whether work is under way; the next input of the script waits while it is.
    public var isBusy: () -> Bool = { false }
    /// What comes after the script.
    public var atEnd: Input?

    /// The newest frame, its cursor, and how many there were.
    public private(set) var frame: CellGrid?
    public private(set) var cursor: Point?
    public private(set) var frameCount = 0
    /// Called with every frame.
    public var onFrame: ((CellGrid) -> Void)?
    public private(set) var clipboard: String?
    public private(set) var bellCount = 0
    public private(set) var isClosed = false

    private var script: [Input]
    private let mailbox = Mailbox()

    public init(size: Size, depth: ColorDepth = .indexed256, script: [Input] = []) {
        self.size = size
        self.depth = depth
        self.script = script.reversed()
    }

    /// Adds to the end of the script.
    public func feed(_ inputs: [Input]) { script.insert(contentsOf: inputs.reversed(), at: 0) }

    /// Adds keys by name, as in `"down down enter"`; a word that is no key's name is typed letter by letter.
    public func feed(keys: String) {
        feed(keys.split(separator: " ").flatMap { word -> [Input] in
            if let key = Key(name: String(word)) { return [.key(key)] }
            return word.map { .key(Key($0)) }
        })
    }

    /// Types text, one key for each character.
    public func feed(typing text: String) { feed(text.map { $0 == "\n" ? .key(Key(.enter)) : .key(Key($0)) }) }

    /// The newest frame as text.
    public var lines: [String] { frame?.text() ?? [] }

    public func present(_ grid: CellGrid, cursor: Point?) {
        frame = grid
        self.cursor = cursor
        frameCount += 1
        onFrame?(grid)
    }

    public func nextInputs(timeoutMilliseconds: Int32?) -> [Input] {
        while true {
            if mailbox.takeWake() { return [.wake] }
            if !isBusy() {
                if let input = script.popLast() {
                    if case .resize(let newSize) = input { size = newSize }
                    return [input]
                }
                if let last = atEnd {
                    atEnd = nil
                    return [last]
                }
            }
            guard mailbox.wait(milliseconds: timeoutMilliseconds ?? 20) || timeoutMilliseconds == nil else { return [] }
        }
    }

    public func copyToClipboard(_ text: String) -> Bool {
        clipboard = text
        return true
    }

    public func bell() { bellCount += 1 }
    public func repaint() {}
    public func suspend() {}
    public func withTerminalReleased<Result>(_ body: () throws -> Result) rethrows -> Result { try body() }
    public func close() { isClosed = true }

    public var wakeHandle: WakeHandle {
        let mailbox = mailbox
        return WakeHandle { mailbox.wake() }
    }
}
