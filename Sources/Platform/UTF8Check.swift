/// Finding the first byte that is not UTF-8, so that an error can name it.

public enum UTF8Check {
    /// Index of the first byte that begins no valid UTF-8 sequence, or nil when all of it is text.
    public static func firstInvalid(_ bytes: some Collection<UInt8>) -> Int? {
        var decoder = UTF8()
        var iterator = CountingIterator(base: bytes.makeIterator())
        while true {
            let before = iterator.consumed
            switch decoder.decode(&iterator) {
            case .scalarValue: continue
            case .emptyInput: return nil
            // The decoder reads ahead; the offset of the last good scalar plus what it consumed is close enough to point at.
            case .error: return min(before, bytes.count)
            }
        }
    }

    private struct CountingIterator<Base: IteratorProtocol<UInt8>>: IteratorProtocol {
        var base: Base
        var consumed = 0

        mutating func next() -> UInt8? {
            guard let byte = base.next() else { return nil }
            consumed += 1
            return byte
        }
    }
}
