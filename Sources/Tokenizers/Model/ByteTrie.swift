import Glibc
import Platform

/// All tokens of a vocabulary as a trie of bytes, to find those that a text begins with.
///
///     edges[hash(node, byte)] = (node << 8 | byte, child, token that ends there or -1)     open addressing, at most half full
///     firstWide[16 bits of a three-byte character] = node after that character, 0 when no token begins with it
///
/// Node 0 is the root. A child's top bit says that nothing continues it, which saves a failing look-up at most ends.
final class ByteTrie: @unchecked Sendable {
    private struct Edge {
        var key: UInt32
        var child: UInt32
        var token: Int32
    }

    private let edges: UnsafeMutablePointer<Edge>
    private let mask: Int
    private let shift: UInt32
    private let firstWide: UnsafeMutablePointer<UInt32>
    private static let free = UInt32.max
    private static let leaf: UInt32 = 1 << 31
    /// Keys hold 24 bits of node; beyond that a vocabulary is refused.
    static let largestNodeCount = 1 << 24

    /// - Parameter includes: whether a token is to be found.
    init(_ vocabulary: Vocabulary, includes: (Int32) -> Bool) {
        // Distinct beginnings are at most the bytes of all tokens. Half full at most: every search ends with an edge that is not there.
        var bits: UInt32 = 8
        while (1 << bits) < min(vocabulary.arena.count * 2 + 256, ByteTrie.largestNodeCount), bits < 24 { bits += 1 }
        edges = ByteTrie.allocate(count: 1 << bits)
        edges.initialize(repeating: Edge(key: ByteTrie.free, child: 0, token: -1), count: 1 << bits)
        mask = 1 << bits - 1
        shift = 32 - bits
        firstWide = .allocate(capacity: 1 << 16)
        firstWide.initialize(repeating: 0, count: 1 << 16)
        var nodeCount: UInt32 = 1
        vocabulary.arena.withUnsafeBufferPointer { arena in
            guard let base = arena.baseAddress else { return }
            for id in 0..<Int32(vocabulary.limit) where includes(id) {
                guard let span = vocabulary.span(of: id), span.length > 0 else { continue }
                // A table three quarters full takes no more; such a vocabulary is not of this world.
                if Int(nodeCount) + span.length > (mask + 1) / 4 * 3 { break }
                insert(base + span.offset, span.length, id, &nodeCount)
            }
        }
    }

    /// Searches jump about in the table, so that small pages would cost as much as the memory itself.
    private static func allocate(count: Int) -> UnsafeMutablePointer<Edge> {
        let page = 2 << 20, bytes = (count * MemoryLayout<Edge>.stride + page - 1) / page * page
        let start = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: page)
        if bytes >= 2 * page { madvise(start, bytes, 14 /* MADV_HUGEPAGE */) }
        return start.bindMemory(to: Edge.self, capacity: count)
    }

    deinit {
        edges.deallocate()
        firstWide.deallocate()
    }

    private func insert(_ bytes: UnsafePointer<UInt8>, _ length: Int, _ id: Int32, _ nodeCount: inout UInt32) {
        var node: UInt32 = 0
        var slot = 0
        var parent = -1
        for index in 0..<length {
            let key = node << 8 | UInt32(bytes[index])
            slot = home(key)
            while edges[slot].key != ByteTrie.free, edges[slot].key != key { slot = (slot + 1) & mask }
            if edges[slot].key == ByteTrie.free {
                edges[slot] = Edge(key: key, child: nodeCount | ByteTrie.leaf, token: -1)
                nodeCount += 1
                if parent >= 0 { edges[parent].child &= ~ByteTrie.leaf }
            }
            node = edges[slot].child & ~ByteTrie.leaf
            parent = slot
            // Tokens of a byte-level vocabulary need not be whole characters.
            if index == 2, bytes[0] & 0xF0 == 0xE0, bytes[1] & 0xC0 == 0x80, bytes[2] & 0xC0 == 0x80 {
                firstWide[ByteTrie.wideIndex(bytes)] = UInt32(slot)
            }
        }
        edges[slot].token = id
    }

    @inline(__always)
    private static func wideIndex(_ bytes: UnsafePointer<UInt8>) -> Int {
        Int(bytes[0] & 0x0F) << 12 | Int(bytes[1] & 0x3F) << 6 | Int(bytes[2] & 0x3F)
    }

    @inline(__always)
    private func home(_ key: UInt32) -> Int { Int((key &* 0x9E37_79B1) >> shift) }

    /// Calls `body` with the length and id of every token that the text at `start` begins with, shortest first.
    @inline(__always)
    func prefixes(_ start: UnsafePointer<UInt8>, _ count: Int, from node: UInt32 = 0, _ body: (Int, Int32) -> Void) {
        var node = node
        var index = 0
        while index < count {
            let key = node << 8 | UInt32(start[index])
            var slot = home(key)
            while edges[slot].key != key {
                if edges[slot].key == ByteTrie.free { return }
                slot = (slot + 1) & mask
            }
            index += 1
            if edges[slot].token >= 0 { body(index, edges[slot].token) }
            let child = edges[slot].child
            if child & ByteTrie.leaf != 0 { return }
            node = child
        }
    }

    /// The longest token that the text at `start` begins with and its length; token -1 when none.
    @inline(__always)
    func longest(_ start: UnsafePointer<UInt8>, _ count: Int, from node: UInt32 = 0) -> (token: Int32, length: Int) {
        var found: (token: Int32, length: Int) = (-1, 0)
        if node == 0, count >= 3, start[0] & 0xF0 == 0xE0 {
            // The first character of most Chinese, Japanese and Korean tokens in one step.
            let slot = Int(firstWide[ByteTrie.wideIndex(start)])
            if slot != 0, edges[slot].token >= 0 {
                found = (edges[slot].token, 3)
                let child = edges[slot].child
                if child & ByteTrie.leaf != 0 { return found }
                prefixes(start + 3, count - 3, from: child) { found = ($1, $0 + 3) }
                return found
            }
        }
        prefixes(start, count, from: node) { found = ($1, $0) }
        return found
    }

    /// The node after `bytes`; nil when no token begins with them or nothing follows.
    func node(after bytes: [UInt8]) -> UInt32? {
        var node: UInt32 = 0
        for byte in bytes {
            let key = node << 8 | UInt32(byte)
            var slot = home(key)
            while edges[slot].key != key {
                if edges[slot].key == ByteTrie.free { return nil }
                slot = (slot + 1) & mask
            }
            if edges[slot].child & ByteTrie.leaf != 0 { return nil }
            node = edges[slot].child
        }
        return node
    }
}

/// A trie that is made when it is first needed.
final class LazyTrie: @unchecked Sendable {
    private let made = Mutex<ByteTrie?>(nil)
    private let make: @Sendable () -> ByteTrie

    init(_ make: @escaping @Sendable () -> ByteTrie) { self.make = make }

    var trie: ByteTrie {
        made.withLock { made in
            if let made { return made }
            let trie = make()
            made = trie
            return trie
        }
    }
}
