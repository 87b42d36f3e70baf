import CKernels

/// The buffers of a program, and what its pointers look into.
final class DecodeMemory {
    private var kept: [AnyObject] = []
    private var blocks: [UnsafeMutableRawPointer] = []
    /// Where small things are laid side by side, in the order in which they are read, and what is taken of it.
    private var shelf: UnsafeMutableRawPointer?
    private(set) var taken = 0
    private static let shelfBytes = 256 << 10
    let stream, normalised, projected, attended, delta, inner, gate, up, logits, statistics: UnsafeMutablePointer<Float>
    let attentionScratch: UnsafeMutablePointer<Float>
    let attentionScratchCount: Int
    let positions: UnsafeMutablePointer<Int32>
    let projectedWidth: Int
    /// [rows, layers]
    let caches: UnsafeMutablePointer<DecodeCache>
    let layerCount: Int

    init(hidden: Int, projected width: Int, attended: Int, inner: Int, vocabulary: Int, group: Int, keyHeads: Int, layers: Int) {
        let rows = DecodeProgram.maximumRows
        var blocks: [UnsafeMutableRawPointer] = []
        func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
            let storage = UnsafeMutableRawPointer.allocate(byteCount: max(64, (count * 4 + 63) / 64 * 64), alignment: 64)
            storage.initializeMemory(as: UInt8.self, repeating: 0, count: max(64, (count * 4 + 63) / 64 * 64))
            blocks.append(storage)
            return storage.assumingMemoryBound(to: Float.self)
        }
        projectedWidth = width
        attentionScratchCount = (tb_attend_scratch(group) + 15) / 16 * 16
        stream = floats(rows * hidden)
        normalised = floats(rows * hidden)
        projected = floats(rows * width)
        self.attended = floats(rows * attended)
        delta = floats(rows * hidden)
        self.inner = floats(rows * inner)
        gate = floats(rows * inner)
        up = floats(rows * inner)
        logits = floats(rows * vocabulary)
        statistics = floats(2)
        attentionScratch = floats(rows * keyHeads * attentionScratchCount)
        positions = UnsafeMutableRawPointer(floats(rows)).assumingMemoryBound(to: Int32.self)
        layerCount = layers
        caches = .allocate(capacity: max(1, rows * layers))
        self.blocks = blocks
    }

    deinit {
        for block in blocks { block.deallocate() }
        caches.deallocate()
    }

    /// Memory that lives as long as the program.
    func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        guard byteCount <= 4096 else { return block(byteCount) }
        let needed = max(64, (byteCount + 63) / 64 * 64)
        if let shelf, taken + needed <= Self.shelfBytes {
            defer { taken += needed }
            return shelf + taken
        }
        let fresh = block(Self.shelfBytes)
        (shelf, taken) = (fresh, needed)
        return fresh
    }

    /// What was allocated since `mark`, a former value of `taken`; nil where it lies apart.
    func since(_ mark: Int) -> UnsafeRawBufferPointer? {
        guard let shelf, mark < taken else { return nil }
        return UnsafeRawBufferPointer(start: shelf + mark, count: taken - mark)
    }

    private func block(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let block = UnsafeMutableRawPointer.allocate(byteCount: max(64, byteCount), alignment: 64)
        block.initializeMemory(as: UInt8.self, repeating: 0, count: max(64, byteCount))
        blocks.append(block)
        return block
    }

    /// A value that stays where it is as long as the program.
    func place<Element: BitwiseCopyable>(_ element: Element) -> UnsafeMutablePointer<Element> {
        UnsafeMutablePointer(mutating: copied([element]))
    }

    /// Elements without references that stay where they are as long as the program.
    func copied<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafePointer<Element> {
        let memory = allocate(byteCount: MemoryLayout<Element>.stride * elements.count)
        let pointer = memory.bindMemory(to: Element.self, capacity: max(1, elements.count))
        pointer.initialize(from: elements, count: elements.count)
        return UnsafePointer(pointer)
    }

    func keep(_ tensor: Tensor) { kept.append(tensor.storage) }
    func keep(_ matrix: QuantizedMatrix) { kept.append(matrix) }
}
