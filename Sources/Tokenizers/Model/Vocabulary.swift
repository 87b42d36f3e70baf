/// Token bytes <-> id. One arena of bytes, spans by id, and an open-addressing table from bytes to id.
///
/// Keys are bytes because Swift strings compare by canonical equivalence: as a `[String: Int]` a vocabulary loses entries.
///
///     arena:  h e l l o   w o ...            all token bytes, one after the other
///     spans[id] = (offset, length)           length -1: no such id
///     slots[hash & mask] = (hash bits, id)   id -1: free; linear probing, at most three quarters full
struct Vocabulary: Sendable {
    private(set) var arena: [UInt8] = []
    private var spans: [(offset: UInt32, length: Int32)] = []
    private var slots: [(hash: UInt32, id: Int32)] = []
    private var mask = 0
    /// Number of tokens.
    private(set) var count = 0
    /// One more than the largest id.
    var limit: Int { spans.count }

    init(capacity: Int) {
        var size = 16
        while size / 4 * 3 < capacity { size <<= 1 }
        slots = Array(repeating: (0, -1), count: size)
        mask = size - 1
        spans.reserveCapacity(capacity)
        arena.reserveCapacity(capacity * 8)
    }

    enum Insertion { case inserted, duplicateText, duplicateIdentifier }

    /// Adds a token. The id must be at least 0; gaps between ids are allowed.
    mutating func insert(_ bytes: UnsafeRawBufferPointer, id: Int32) -> Insertion {
        let hash = Vocabulary.hash(bytes)
        if find(bytes, hash: hash) != nil { return .duplicateText }
        while spans.count <= Int(id) { spans.append((0, -1)) }
        if spans[Int(id)].length >= 0 { return .duplicateIdentifier }
        spans[Int(id)] = (UInt32(arena.count), Int32(bytes.count))
        arena.append(contentsOf: bytes)
        count += 1
        if count > slots.count / 4 * 3 { grow() }
        place(hash: hash, id: id)
        return .inserted
    }

    /// The id of exactly these bytes.
    func id(of bytes: UnsafeRawBufferPointer) -> Int32? { find(bytes, hash: Vocabulary.hash(bytes)) }

    func id(of bytes: [UInt8]) -> Int32? { bytes.withUnsafeBytes { id(of: $0) } }

    /// The same, looking first whether it is `likely`.
    func id(of bytes: UnsafeRawBufferPointer, likely: Int32) -> Int32? {
        if let span = span(of: likely), span.length == bytes.count, equal(bytes, at: span.offset) { return likely }
        return id(of: bytes)
    }

    func contains(id: Int32) -> Bool { id >= 0 && Int(id) < spans.count && spans[Int(id)].length >= 0 }

    /// Where a token's bytes lie in `arena`; nil for an id that is not in use.
    @inline(__always)
    func span(of id: Int32) -> (offset: Int, length: Int)? {
        guard contains(id: id) else { return nil }
        let span = spans[Int(id)]
        return (Int(span.offset), Int(span.length))
    }

    /// Bytes of a token; nil for an id that is not in use.
    func bytes(of id: Int32) -> ArraySlice<UInt8>? {
        guard contains(id: id) else { return nil }
        let span = spans[Int(id)]
        return arena[Int(span.offset)..<Int(span.offset) + Int(span.length)]
    }

    private func find(_ bytes: UnsafeRawBufferPointer, hash: UInt32) -> Int32? {
        var slot = Int(hash) & mask
        while true {
            let entry = slots[slot]
            if entry.id < 0 { return nil }
            if entry.hash == hash {
                let span = spans[Int(entry.id)]
                if Int(span.length) == bytes.count, equal(bytes, at: Int(span.offset)) { return entry.id }
            }
            slot = (slot + 1) & mask
        }
    }

    private func equal(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        arena.withUnsafeBytes { stored in
            // Nearly all tokens are too short for a call to pay.
            for index in 0..<bytes.count where stored[offset + index] != bytes[index] { return false }
            return true
        }
    }

    private mutating func place(hash: UInt32, id: Int32) {
        var slot = Int(hash) & mask
        while slots[slot].id >= 0 { slot = (slot + 1) & mask }
        slots[slot] = (hash, id)
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: (0, -1), count: old.count * 2)
        mask = slots.count - 1
        for entry in old where entry.id >= 0 { place(hash: entry.hash, id: entry.id) }
    }

    /// Multiply-mix over eight bytes at a time; high bits folded into the 32 that are kept.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: bytes.count)
        var position = 0
        while position + 8 <= bytes.count {
            let product = (state ^ bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                .multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
            state = product.high ^ product.low
            position += 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count {
            tail |= UInt64(bytes[position]) << shift
            shift += 8
            position += 1
        }
        let product = (state ^ tail).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
        let mixed = product.high ^ product.low
        return UInt32(truncatingIfNeeded: mixed ^ mixed >> 32)
    }
}
