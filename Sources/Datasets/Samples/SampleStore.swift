import Platform

/// Finished samples, in memory or mapped from the cache on disk, and how they are packed.
///
///     data:   tokens of sample 0 | its labels, unless they equal the tokens | tokens of sample 1 | ...     Int32 each
///     index:  per sample: offset into data (Int64, in Int32 units), length (Int32),
///             flags (Int32, bit 0: labels equal the tokens, bit 1: an unwanted answer)
public final class SampleStore: @unchecked Sendable {
    /// What the sequences are to each other.
    public enum Arrangement: Sendable, Equatable {
        /// Each stands for itself.
        case single
        /// Better answer, worse answer, better answer, worse answer, ...
        case pairs
        /// Judged answer, an answer to another question, judged answer, ...
        case feedback

        /// Sequences of one sample.
        var sequences: Int { self == .single ? 1 : 2 }
    }

    struct Entry {
        var offset: Int64
        var length: Int32
        var flags: Int32
        static let labelsEqualTokens: Int32 = 1
        static let unwanted: Int32 = 2
    }

    private let entries: [Entry]
    private let memory: [Int32]
    private let mapping: MappedFile?
    /// Samples that share a sequence of the batch, by number; nil when each stands alone.
    public let packs: [[Int]]?
    public let arrangement: Arrangement

    /// Number of sequences.
    public var count: Int { entries.count }
    /// Number of things that a batch counts: packs, pairs, or samples.
    public var unitCount: Int { packs?.count ?? entries.count / arrangement.sequences }

    init(entries: [Entry], memory: [Int32], mapping: MappedFile?, packs: [[Int]]? = nil, arrangement: Arrangement = .single) {
        self.arrangement = arrangement
        self.entries = entries
        self.memory = memory
        self.mapping = mapping
        self.packs = packs
    }

    /// Samples that are in memory.
    public convenience init(_ samples: [TrainingSample], packs: [[Int]]? = nil) {
        var builder = SampleData()
        for sample in samples { builder.append(sample) }
        self.init(entries: builder.entries, memory: builder.values, mapping: nil, packs: packs)
    }

    /// Tokens of a sample.
    public func length(of index: Int) -> Int { Int(entries[index].length) }

    /// Tokens of all samples of a pack, or of a sample.
    public func unitLength(_ unit: Int) -> Int { samples(inUnit: unit).reduce(0) { $0 + length(of: $1) } }

    /// Sequences of a pack or a pair, or the one sample.
    public func samples(inUnit unit: Int) -> [Int] {
        if let packs { return packs[unit] }
        return arrangement.sequences == 1 ? [unit] : [2 * unit, 2 * unit + 1]
    }

    /// Whether a judged answer was wanted.
    public func isDesirable(_ unit: Int) -> Bool { entries[samples(inUnit: unit)[0]].flags & Entry.unwanted == 0 }

    /// These units side by side: of pairs all better answers, then all worse ones; of feedback all judged answers, then the others.
    public func batch(units: [Int]) -> Batch {
        var batch = Batch()
        for place in 0..<arrangement.sequences {
            for unit in units {
                let sequences = samples(inUnit: unit)
                for sequence in arrangement == .single ? sequences[...] : sequences[place...place] { batch.append(self[sequence]) }
            }
        }
        batch.sampleCount = units.count
        batch.arrangement = arrangement
        if arrangement == .feedback { batch.isDesirable = units.map { isDesirable($0) } }
        return batch
    }

    public subscript(_ index: Int) -> TrainingSample {
        let entry = entries[index]
        let length = Int(entry.length)
        let tokens = values(from: Int(entry.offset), count: length)
        if entry.flags & Entry.labelsEqualTokens != 0 { return TrainingSample(tokens: tokens, labels: tokens) }
        return TrainingSample(tokens: tokens, labels: values(from: Int(entry.offset) + length, count: length))
    }

    private func values(from start: Int, count: Int) -> [Int32] {
        guard let mapping else { return Array(memory[start..<start + count]) }
        guard (start + count) * 4 <= mapping.count else { return [] }
        return Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            let source = UnsafeRawBufferPointer(rebasing: mapping.bytes[start * 4..<(start + count) * 4])
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: source)
            initialized = count
        }
    }

    /// The same samples packed by length: each pack is filled greedily with the longest sample that still fits.
    func packed(capacity: Int) -> SampleStore {
        SampleStore(
            entries: entries, memory: memory, mapping: mapping,
            packs: Packing.greedy(lengths: entries.map { Int($0.length) }, capacity: capacity))
    }

    /// A part of the samples, in the given order.
    func selecting(_ indices: [Int]) -> SampleStore {
        SampleStore(entries: indices.map { entries[$0] }, memory: memory, mapping: mapping, arrangement: arrangement)
    }
}

/// Samples in the layout of a store, on their way there.
struct SampleData {
    var entries: [SampleStore.Entry] = []
    var values: [Int32] = []

    mutating func append(_ sample: TrainingSample, isDesirable: Bool = true) {
        let same = sample.labels == sample.tokens
        let flags = (same ? SampleStore.Entry.labelsEqualTokens : 0) | (isDesirable ? 0 : SampleStore.Entry.unwanted)
        entries.append(SampleStore.Entry(offset: Int64(values.count), length: Int32(sample.tokens.count), flags: flags))
        values += sample.tokens
        if !same { values += sample.labels }
    }
}

/// Filling sequences with samples.
enum Packing {
    /// Packs of sample numbers; a sample longer than the capacity gets a pack of its own.
    static func greedy(lengths: [Int], capacity: Int) -> [[Int]] {
        // Tables for the lengths that there are: the capacity may be any number.
        let longest = lengths.lazy.filter { $0 <= capacity }.max() ?? 0
        var byLength: [[Int]] = Array(repeating: [], count: longest + 1)
        var packs: [[Int]] = []
        for (index, length) in lengths.enumerated() {
            if length > capacity { packs.append([index]) } else { byLength[length].append(index) }
        }
        // largest[n]: the longest length up to n that has samples left, found by following links that only ever shrink.
        var largest = Array(0...longest)
        func find(_ limit: Int) -> Int? {
            var place = limit
            while place >= 0, byLength[place].isEmpty {
                let next = largest[place] == place ? place - 1 : largest[place]
                largest[place] = next
                if next < 0 { return nil }
                place = next
            }
            return place >= 0 ? place : nil
        }
        var left = lengths.count - packs.count
        while left > 0 {
            var pack: [Int] = []
            var room = capacity
            while let length = find(min(room, longest)), let index = byLength[length].popLast() {
                pack.append(index)
                left -= 1
                room -= length
            }
            if pack.isEmpty { break }
            packs.append(pack)
        }
        return packs
    }
}
