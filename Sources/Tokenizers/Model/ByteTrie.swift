import Glibc
import Platform

/// All tokens of a vocabulary as a trie of bytes, to find those that a text begins with.
///
///     edges[hash(node, byte)] = (node << 8 | byte, token that ends there, flags)     open addressing, at most half full
///     wide                    the same by whole characters of three bytes, from the root on
///
/// A node is the place of the edge that leads to it; the root has a number of its own. An edge knows whether anything continues it,
/// which saves a failing look-up at most ends.
final class ByteTrie: @unchecked Sendable {
    private struct Edge {
        var key: UInt32
        /// The token that ends there, plus 1, in the low 24 bits; `continued` above.
        var tokenAndFlags: UInt32

        var token: Int32 { Int32(tokenAndFlags & 0xFF_FFFF) - 1 }
    }

    private let edges: UnsafeMutablePointer<Edge>
    private let mask: UInt32
    private let shift: UInt32
    private var wide = WideEdges()
    /// No token nor node goes beyond 24 bits, and the last of them is the root.
    private static let largest = 0xFF_FFFE
    static let root = WideEdges.root
    private static let free = UInt32.max
    private static let continued: UInt32 = 1 << 24

    /// - Parameter includes: whether a token is to be found.
    init(_ vocabulary: Vocabulary, includes: (Int32) -> Bool) {
        var growing = GrowingTrie(byteCount: vocabulary.arena.count)
        vocabulary.arena.withUnsafeBufferPointer { arena in
            guard let base = arena.baseAddress else { return }
            for id in 0..<Int32(min(vocabulary.limit, ByteTrie.largest)) where includes(id) {
                guard let span = vocabulary.span(of: id), span.length > 0 else { continue }
                // A table of 2^23 nodes takes no more; such a vocabulary is not of this world.
                guard growing.nodes.count + span.length < 1 << 23 else { break }
                growing.insert(base + span.offset, span.length, id)
            }
        }
        var bits: UInt32 = 8
        while 1 << bits < growing.nodes.count * 2 { bits += 1 }
        edges = SearchTable.allocate(count: 1 << bits)
        edges.initialize(repeating: Edge(key: ByteTrie.free, tokenAndFlags: 0), count: 1 << bits)
        mask = 1 << bits - 1
        shift = 32 - bits
        take(growing.nodes)
        vocabulary.arena.withUnsafeBufferPointer { arena in
            guard let base = arena.baseAddress else { return }
            for id in 0..<Int32(min(vocabulary.limit, ByteTrie.largest)) where includes(id) {
                if let span = vocabulary.span(of: id) { insertWide(base + span.offset, span.length, id) }
            }
        }
    }

    deinit {
        edges.deallocate()
        wide.deallocate()
    }

    /// Parents come before their children.
    private func take(_ nodes: [GrowingTrie.Node]) {
        var places = [UInt32](repeating: ByteTrie.root, count: nodes.count)
        for (index, node) in nodes.enumerated().dropFirst() {
            let key = places[Int(node.parent)] << 8 | UInt32(node.byte)
            var slot = home(key)
            while edges[Int(slot)].key != ByteTrie.free { slot = (slot + 1) & mask }
            edges[Int(slot)] = Edge(key: key, tokenAndFlags: UInt32(node.token + 1) | (node.isContinued ? ByteTrie.continued : 0))
            places[index] = slot
        }
    }

    /// Marks the whole characters of three bytes that a token begins with.
    private func insertWide(_ bytes: UnsafePointer<UInt8>, _ length: Int, _ id: Int32) {
        var position = 0
        var node = ByteTrie.root
        var parent = ByteTrie.root
        while WideEdges.begins(bytes + position, length - position) {
            guard let next = find(node, bytes + position, 3) else { return }
            position += 3
            wide.update(from: node, bytes + position - 3) { edge in
                edge.node = next
                if position < length { edge.tokenAndFlags |= WideEdges.Edge.continued } else { edge.setToken(id) }
            }
            (parent, node) = (node, next)
        }
        // Tokens of a byte-level vocabulary need not be whole characters.
        if position > 0, position < length, bytes[position] & 0xF0 == 0xE0 {
            wide.update(from: parent, bytes + position - 3) { $0.tokenAndFlags |= WideEdges.Edge.split }
        }
    }

    private func find(_ node: UInt32, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt32? {
        var node = node
        for index in 0..<count {
            let slot = place(node << 8 | UInt32(bytes[index]))
            if edges[Int(slot)].key == ByteTrie.free { return nil }
            node = slot
        }
        return node
    }

    @inline(__always)
    private func home(_ key: UInt32) -> UInt32 { (key &* 0x9E37_79B1) >> shift }

    /// Where the edge with this key is, or where it would be.
    @inline(__always)
    private func place(_ key: UInt32) -> UInt32 {
        var slot = home(key)
        while edges[Int(slot)].key != key, edges[Int(slot)].key != ByteTrie.free { slot = (slot + 1) & mask }
        return slot
    }

    /// Calls `body` with the length and id of every token that the text at `start` begins with, shortest first.
    @inline(__always)
    func prefixes(_ start: UnsafePointer<UInt8>, _ count: Int, from node: UInt32 = ByteTrie.root, _ body: (Int, Int32) -> Void) {
        var node = node
        var index = 0
        while index < count {
            node = place(node << 8 | UInt32(start[index]))
            let edge = edges[Int(node)]
            if edge.key == ByteTrie.free { return }
            index += 1
            if edge.token >= 0 { body(index, edge.token) }
            if edge.tokenAndFlags & ByteTrie.continued == 0 { return }
        }
    }

    /// The longest token that the text at `start` begins with and its length; token -1 when none.
    @inline(__always)
    func longest(_ start: UnsafePointer<UInt8>, _ count: Int, from node: UInt32 = ByteTrie.root) -> (token: Int32, length: Int) {
        var found: (token: Int32, length: Int) = (-1, 0)
        var node = node
        var position = 0
        if node == ByteTrie.root {
            // By whole characters as far as nothing can be missed that way.
            var last = WideEdges.Edge()
            while WideEdges.begins(start + position, count - position) {
                let next = wide.edge(from: node, start + position)
                if next.token < 0, position == 0 || last.isSplit { break }
                if !next.isThere { return found }
                position += 3
                if next.token >= 0 { found = (next.token, position) }
                if !next.isContinued { return found }
                node = next.node
                last = next
            }
        }
        prefixes(start + position, count - position, from: node) { found = ($1, position + $0) }
        return found
    }

    /// Has the memory fetched that `longest` will look at for the second character of a text.
    /// - Returns: how much further a character may begin.
    @inline(__always)
    func prefetch(_ start: UnsafePointer<UInt8>, _ count: Int) -> Int {
        guard WideEdges.begins(start, count) else { return 1 }
        if WideEdges.begins(start + 3, count - 3) {
            let edge = wide.edge(from: ByteTrie.root, start)
            if edge.isContinued { wide.prefetch(from: edge.node, start + 3) }
        }
        return 3
    }

    /// The node after `bytes`; nil when no token begins with them or nothing follows.
    func node(after bytes: [UInt8]) -> UInt32? {
        let node = bytes.withUnsafeBufferPointer { bytes in bytes.baseAddress.flatMap { find(ByteTrie.root, $0, bytes.count) } ?? ByteTrie.root }
        return node != ByteTrie.root && edges[Int(node)].tokenAndFlags & ByteTrie.continued == 0 ? nil : node
    }
}

/// A trie whose number of nodes is not known yet. Nodes are numbered as they come; node 0 is the root.
private struct GrowingTrie {
    struct Node {
        var parent: UInt32
        /// -1 when no token ends there.
        var token: Int32
        var byte: UInt8
        var isContinued = false
    }

    private(set) var nodes = [Node(parent: 0, token: -1, byte: 0)]
    /// Open addressing: the node behind `parent << 8 | byte`, 0 where there is none.
    private var children: [UInt32]
    private let shift: UInt32

    /// - Parameter byteCount: of all tokens together; distinct beginnings are at most as many.
    init(byteCount: Int) {
        var bits: UInt32 = 8
        while bits < 24, 1 << bits < byteCount + byteCount / 2 + 256 { bits += 1 }
        children = [UInt32](repeating: 0, count: 1 << bits)
        shift = 32 - bits
    }

    mutating func insert(_ bytes: UnsafePointer<UInt8>, _ length: Int, _ id: Int32) {
        var node: UInt32 = 0
        for index in 0..<length {
            nodes[Int(node)].isContinued = true
            node = child(of: node, bytes[index])
        }
        nodes[Int(node)].token = id
    }

    private mutating func child(of parent: UInt32, _ byte: UInt8) -> UInt32 {
        var slot = Int(((parent << 8 | UInt32(byte)) &* 0x9E37_79B1) >> shift)
        while children[slot] != 0 {
            let known = nodes[Int(children[slot])]
            if known.parent == parent, known.byte == byte { return children[slot] }
            slot = (slot + 1) & (children.count - 1)
        }
        children[slot] = UInt32(nodes.count)
        nodes.append(Node(parent: parent, token: -1, byte: byte))
        return children[slot]
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
