import CPlatform

/// The edges of a byte trie that read a whole character of three bytes, as most Chinese, Japanese and Korean ones are: one step
/// instead of three. They begin at the root and at nodes that such edges lead to.
///
///     first[16 bits of the character]            edge from the root
///     slots[hash(node, 16 bits of the character)]  edge from any other node; open addressing, at most half full
struct WideEdges {
    /// Where an edge leads. All zeros: nowhere.
    struct Edge {
        /// The node of the byte trie.
        var node: UInt32 = 0
        /// The token that ends there, plus 1, in the low 24 bits; flags above.
        var tokenAndFlags: UInt32 = 0

        var isThere: Bool { tokenAndFlags != 0 }
        /// -1 when no token ends there.
        var token: Int32 { Int32(tokenAndFlags & 0xFF_FFFF) - 1 }
        /// Something follows.
        var isContinued: Bool { tokenAndFlags & Edge.continued != 0 }
        /// Some token goes on into a character of three bytes and ends inside it.
        var isSplit: Bool { tokenAndFlags & Edge.split != 0 }

        mutating func setToken(_ token: Int32) { tokenAndFlags = tokenAndFlags & ~0xFF_FFFF | UInt32(token + 1) }

        static let continued: UInt32 = 1 << 24
        static let split: UInt32 = 1 << 25
    }

    private struct Slot {
        /// The node, plus 1, and the character.
        var key: UInt64 = 0
        var edge = Edge()
    }

    private let first: UnsafeMutablePointer<Edge>
    private var slots: UnsafeMutablePointer<Slot>
    private var bits: UInt64
    private var count = 0
    static let root: UInt32 = 0xFF_FFFF

    init() {
        first = .allocate(capacity: 1 << 16)
        first.initialize(repeating: Edge(), count: 1 << 16)
        bits = 10
        slots = SearchTable.allocate(count: 1 << bits)
        slots.initialize(repeating: Slot(), count: 1 << bits)
    }

    func deallocate() {
        first.deallocate()
        slots.deallocate()
    }

    /// Whether a character of three bytes begins at `bytes`, of which there are `count`.
    @inline(__always)
    static func begins(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        count >= 3 && bytes[0] & 0xF0 == 0xE0 && bytes[1] & 0xC0 == 0x80 && bytes[2] & 0xC0 == 0x80
    }

    @inline(__always)
    private static func character(_ bytes: UnsafePointer<UInt8>) -> Int {
        Int(bytes[0] & 0x0F) << 12 | Int(bytes[1] & 0x3F) << 6 | Int(bytes[2] & 0x3F)
    }

    /// The edge from `node` over the character at `bytes`.
    @inline(__always)
    func edge(from node: UInt32, _ bytes: UnsafePointer<UInt8>) -> Edge {
        let character = WideEdges.character(bytes)
        if node == WideEdges.root { return first[character] }
        let key = UInt64(node + 1) << 16 | UInt64(character)
        var slot = Int(home(key))
        while slots[slot].key != key {
            if slots[slot].key == 0 { return Edge() }
            slot = (slot + 1) & (1 << bits - 1)
        }
        return slots[slot].edge
    }

    /// Has the memory fetched where the edge from `node` over the character at `bytes` is.
    @inline(__always)
    func prefetch(from node: UInt32, _ bytes: UnsafePointer<UInt8>) {
        platform_prefetch(slots + Int(home(UInt64(node + 1) << 16 | UInt64(WideEdges.character(bytes)))))
    }

    /// Changes the edge from `node` over the character at `bytes`, making it when it is not there.
    mutating func update(from node: UInt32, _ bytes: UnsafePointer<UInt8>, _ change: (inout Edge) -> Void) {
        let character = WideEdges.character(bytes)
        if node == WideEdges.root { return change(&first[character]) }
        if (count + 1) * 2 > 1 << bits { grow() }
        let slot = place(of: UInt64(node + 1) << 16 | UInt64(character))
        change(&slots[slot].edge)
    }

    private mutating func place(of key: UInt64) -> Int {
        var slot = Int(home(key))
        while slots[slot].key != key {
            if slots[slot].key == 0 {
                slots[slot].key = key
                count += 1
                break
            }
            slot = (slot + 1) & (1 << bits - 1)
        }
        return slot
    }

    private mutating func grow() {
        let (old, oldCount) = (slots, 1 << bits)
        bits += 1
        count = 0
        slots = SearchTable.allocate(count: 1 << bits)
        slots.initialize(repeating: Slot(), count: 1 << bits)
        for index in 0..<oldCount where old[index].key != 0 { slots[place(of: old[index].key)].edge = old[index].edge }
        old.deallocate()
    }

    @inline(__always)
    private func home(_ key: UInt64) -> UInt64 { (key &* 0x9E37_79B9_7F4A_7C15) >> (64 - bits) }
}
