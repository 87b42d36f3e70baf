/// Values quoted in messages.

extension String {
    /// The text as a message can quote it: whole when it is short, else its beginning and how long it is.
    public func excerpt(_ limit: Int = 200) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end > utf8.startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(decoding: utf8[..<end], as: UTF8.self) + "… (\(utf8.count) bytes)"
    }
}
