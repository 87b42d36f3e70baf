/// Cuts what arrives from a pipe into lines fit to be shown.
struct OutputLines {
    private var pending: [UInt8] = []
    /// A longer line is cut into pieces of this many bytes.
    private static let limit = 1 << 16

    mutating func take(_ bytes: some Collection<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == 0x0A {
                lines.append(flush())
            } else {
                pending.append(byte)
                if pending.count >= OutputLines.limit { lines.append(flush()) }
            }
        }
        return lines
    }

    private mutating func flush() -> String {
        defer { pending.removeAll(keepingCapacity: true) }
        return TextWidth.sanitize(bytes: pending)
    }
}
