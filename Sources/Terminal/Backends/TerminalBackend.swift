import Glibc

/// The seam between the program and the screen. One thread owns a back end; only its wake handle may be used by others.
public protocol TerminalBackend: AnyObject {
    var size: Size { get }
    /// How many colours to resolve the theme for.
    var depth: ColorDepth { get }

    /// Shows a frame. Only what differs from the last frame reaches the terminal.
    func present(_ grid: CellGrid, cursor: Point?)

    /// Waits for input, signals, captured output or a wake-up, and returns all that is there.
    ///
    /// - Parameter timeoutMilliseconds: 0 to look without waiting, `nil` to wait for ever. Empty when the time is over.
    func nextInputs(timeoutMilliseconds: Int32?) -> [Input]

    /// Offers text to the clipboard of the terminal (OSC 52).
    ///
    /// - Returns: `false` when the text is too long for that or there is no terminal.
    func copyToClipboard(_ text: String) -> Bool

    func bell()

    /// The next frame is drawn from nothing: for Ctrl+L.
    func repaint()

    /// Gives the terminal back to the shell and stops the process until it is continued.
    func suspend()

    /// Gives the terminal back while `body` runs: for $EDITOR.
    func withTerminalReleased<Result>(_ body: () throws -> Result) rethrows -> Result

    /// Restores the terminal. Later calls do nothing.
    func close()

    var wakeHandle: WakeHandle { get }
}

/// Wakes the thread that waits in `nextInputs`; may be called from any thread and any number of times.
public struct WakeHandle: Sendable {
    private let action: @Sendable () -> Void

    public init(_ action: @escaping @Sendable () -> Void) { self.action = action }

    public func wake() { action() }
}
