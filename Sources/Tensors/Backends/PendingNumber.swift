/// A number that a card may still be computing: whoever asks for it waits, and it is fetched once.
public final class PendingNumber: @unchecked Sendable {
    private var known: Double?
    private var fetch: (() -> Double)?

    public init(_ value: Double) { known = value }
    public init(_ fetch: @escaping () -> Double) { self.fetch = fetch }

    public var value: Double {
        if let known { return known }
        let value = fetch?() ?? 0
        known = value
        fetch = nil
        return value
    }

    /// Whether asking waits for nobody.
    public var isKnown: Bool { known != nil }
}
