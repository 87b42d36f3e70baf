import CKernels
import Glibc

/// The forward pass of a few rows, one new token of one conversation each, as a fixed list of stages without a tape: no memory is
/// asked for, threads meet five times a block, and norms, rotations, activations and adapters ride along.
///
///     norm -> [query key value] | rotate, store, attend | [output] | add, norm -> [gate up, activation] | [down] | add ...
///
/// Every conversation's numbers are the same whoever shares the step. Built from the weights as they are; build it anew when
/// they, an adapter or its switch have changed.
public final class DecodeProgram {
    /// Conversations that one step can take.
    public static let maximumRows = 8

    public let vocabularySize: Int
    let backend: CPUBackend
    let memory: DecodeMemory
    /// The stages where threads read them: without counting references.
    let stages: UnsafePointer<DecodeStage>
    /// What comes before each stage, and nothing after the last.
    let preparations: UnsafePointer<DecodePreparation?>
    private let runners: [StageRunner]
    private let table: StoredMatrix
    private let positionTable: StoredMatrix?
    private let embeddingScale: Float
    private let embeddingNorm: DecodeNorm?
    private let hidden: Int
    let input: UnsafeMutablePointer<DecodeInput>

    /// Nil where the backend is another or the model has something that the program does not know.
    public init?(_ description: DecodeDescription, backend: any Backend) {
        guard let backend = backend as? CPUBackend, description.isSupported else { return nil }
        self.backend = backend
        let builder = DecodeBuilder(description, threadCount: backend.threadCount)
        let (stages, preparations, reading) = builder.build()
        memory = builder.memory
        input = memory.place(builder.input)
        self.stages = memory.copied(stages)
        self.preparations = memory.copied(preparations)
        hidden = builder.hidden
        vocabularySize = description.head.outputCount
        table = DecodeBuilder.stored(description.embedding)
        positionTable = description.positionEmbedding.map(DecodeBuilder.stored)
        embeddingScale = description.embeddingScale
        embeddingNorm = description.embeddingNorm.map(builder.norm)
        let upcoming = builder.upcoming(stages, preparations, reading)
        runners = (1...Self.maximumRows).map { rows in
            StageRunner(
                sizes: stages.map { $0.isPerRow ? $0.chunkCount * rows : $0.chunkCount }, threadCount: backend.threadCount, upcoming: upcoming)
        }
    }

    /// One new token of each conversation goes into its cache.
    /// - Parameters:
    ///   - tokens: at most `maximumRows`, each within the vocabulary
    ///   - tables: rotations of full and of sliding layers, reaching every cache's length; nil where nothing is rotated
    /// - Returns: logits [tokens, vocabulary], which the next step overwrites
    public func step(
        tokens: [Int32], caches: [KeyValueCache], tables: (full: RotaryTable, sliding: RotaryTable)?
    ) -> UnsafeMutableBufferPointer<Float> {
        let rows = tokens.count
        precondition(rows > 0 && rows <= Self.maximumRows && caches.count == rows, "\(rows) tokens for \(caches.count) caches")
        for cache in caches { precondition(cache.length < cache.capacity, "a cache of \(cache.capacity) tokens is full") }
        input.pointee.rows = rows
        for row in 0..<rows {
            memory.positions[row] = Int32(caches[row].length)
            embed(tokens[row], position: caches[row].length, into: memory.stream + row * hidden)
            for layer in 0..<memory.layerCount { memory.caches[row * memory.layerCount + layer] = caches[row].place(layer) }
        }
        let pass = DecodePass(self, tables)
        if let first = preparations[0] { pass.prepare(first) }
        runners[rows - 1].run(on: backend.threads, begin: pass.begin, perform: pass.perform, finish: pass.finish)
        withExtendedLifetime((caches, tables)) {}
        for cache in caches { cache.advance(by: 1) }
        return UnsafeMutableBufferPointer(start: memory.logits, count: rows * vocabularySize)
    }

    private func embed(_ token: Int32, position: Int, into to: UnsafeMutablePointer<Float>) {
        precondition(token >= 0 && Int(token) < table.rowCount, "token \(token) outside a vocabulary of \(table.rowCount)")
        table.widen(rows: Int(token)..<Int(token) + 1, columns: 0..<hidden, into: to)
        if embeddingScale != 1 { tb_scale(to, to, embeddingScale, hidden) }
        if let positionTable {
            precondition(position < positionTable.rowCount, "position \(position) of \(positionTable.rowCount)")
            positionTable.widen(rows: position..<position + 1, columns: 0..<hidden, into: memory.normalised)
            tb_add(to, memory.normalised, to, hidden)
        }
        embeddingNorm?.apply(to, rows: 1, into: to, statistics: memory.statistics)
    }
}

extension KeyValueCache {
    fileprivate func place(_ layer: Int) -> DecodeCache {
        let keys = keys(layer: layer), values = values(layer: layer)
        return DecodeCache(
            keys: keys.address, values: values.address, isHalf: dtype == .bfloat16, length: length, capacity: capacity)
    }
}
