/// Memory that one encoding call uses and gives back: padded text, merge work space, and what was learnt about words so far.
final class EncoderScratch {
    let cache = WordCache()
    let longCache = LongWordCache()
    let work = MergeWork()
    /// Encodes long words; nil when the model's merges do not allow it.
    private(set) lazy var chain: ChainEncoder? = makeChain()
    /// The trie of a unigram or WordPiece model.
    let trie: ByteTrie?
    /// The best path of a unigram model, from its end.
    var path: [(end: Int, id: Int32)] = []

    private let model: TokenModel
    private var nodeStorage: UnsafeMutablePointer<UnigramModel.Node>?
    private var nodeCapacity = 0
    private var continuing: UInt32??
    private var storage: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// Bytes of text; at least 32 zero bytes follow them.
    private(set) var count = 0
    private static let padding = 32

    init(model: TokenModel) {
        self.model = model
        switch model {
        case .unigram(let model): trie = model.trie.trie
        case .wordPiece(let model): trie = model.trie.trie
        case .bytePair, .wordLevel: trie = nil
        }
        capacity = 1 << 12
        storage = .allocate(capacity: capacity + EncoderScratch.padding)
    }

    deinit {
        storage.deallocate()
        nodeStorage?.deallocate()
    }

    private func makeChain() -> ChainEncoder? {
        guard case .bytePair(let model) = model, model.canChain else { return nil }
        return ChainEncoder(model: model, trie: model.trie.trie)
    }

    var base: UnsafePointer<UInt8> { UnsafePointer(storage) }
    var plainBytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: storage, count: count) }

    /// Takes over a text (which may not be this scratch's own).
    func fill(_ text: UnsafeBufferPointer<UInt8>) {
        if text.count > capacity {
            storage.deallocate()
            capacity = max(text.count, capacity * 2)
            storage = .allocate(capacity: capacity + EncoderScratch.padding)
        }
        if let source = text.baseAddress { storage.update(from: source, count: text.count) }
        count = text.count
        (storage + count).update(repeating: 0, count: EncoderScratch.padding)
    }

    /// Room for the nodes of a unigram lattice.
    func nodes(_ count: Int) -> UnsafeMutablePointer<UnigramModel.Node> {
        if let nodeStorage, count <= nodeCapacity { return nodeStorage }
        nodeStorage?.deallocate()
        nodeCapacity = max(count, 256)
        let made = UnsafeMutablePointer<UnigramModel.Node>.allocate(capacity: nodeCapacity)
        made.initialize(repeating: UnigramModel.Node(), count: nodeCapacity)
        nodeStorage = made
        return made
    }

    /// Where continuing pieces of a WordPiece vocabulary begin in its trie.
    func continuingNode(_ prefix: [UInt8], _ trie: ByteTrie) -> UInt32? {
        if let known = continuing { return known }
        let node = prefix.isEmpty ? ByteTrie.root : trie.node(after: prefix)
        continuing = .some(node)
        return node
    }
}
