/// What a back end reports to the event loop.
public enum Input: Hashable, Sendable {
    case key(Key)
    /// Text pasted as one piece; its line breaks are text, not Enter.
    case paste(String)
    /// The paste before was longer than this many characters; the rest is lost.
    case pasteWasCut(limit: Int)
    case mouse(MouseEvent)
    case resize(Size)
    /// The terminal is gone (SIGHUP, or the line was cut). Nothing is drawn from here on.
    case hangUp
    /// SIGINT from outside; Ctrl+C arrives as a key.
    case interrupt
    /// SIGTERM or SIGQUIT: leave in good order.
    case terminate
    /// `WakeHandle.wake()` was called.
    case wake
    /// A line that some code printed on stdout or stderr, sanitized.
    case captured(String)
    /// SIGTSTP from outside: ask, then call `suspend()`.
    case suspendRequested
    /// The program runs again after a stop; the screen was repainted.
    case resumed
}

public struct MouseEvent: Hashable, Sendable {
    public enum Kind: Hashable, Sendable { case press, release, drag, wheelUp, wheelDown }
    public enum Button: Hashable, Sendable { case none, left, middle, right }

    public var point: Point
    public var kind: Kind
    public var button: Button
    public var modifiers: Key.Modifiers

    public init(point: Point, kind: Kind, button: Button = .left, modifiers: Key.Modifiers = []) {
        self.point = point
        self.kind = kind
        self.button = button
        self.modifiers = modifiers
    }
}
