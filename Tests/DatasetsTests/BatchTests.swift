import Testing

@testable import Datasets

@Suite struct BatchTests {
    private func store(_ lengths: [Int]) -> SampleStore {
        SampleStore(
            lengths.enumerated().map { index, length in
                TrainingSample(tokens: (0..<length).map { Int32(index * 100 + $0) }, labels: (0..<length).map { $0 == 0 ? -100 : Int32(index * 100 + $0) })
            })
    }

    @Test("Targets are shifted inside each sequence and positions begin anew")
    func joinsSequences() {
        let batch = Batch([
            TrainingSample(tokens: [5, 6, 7], labels: [-100, 6, 7]), TrainingSample(tokens: [8, 9], labels: [8, 9]),
        ])
        #expect(batch.tokens == [5, 6, 7, 8, 9])
        #expect(batch.targets == [6, 7, -100, 9, -100])
        #expect(batch.positions == [0, 1, 2, 0, 1])
        #expect(batch.cumulativeLengths == [0, 3, 5])
        #expect(batch.sampleCount == 2 && batch.lossTokenCount == 3)
    }

    @Test("Each epoch has every sample once, in an order of its own that only seed and epoch decide")
    func shufflesReproducibly() {
        let planner = BatchPlanner(store: store(Array(repeating: 3, count: 23)), batchSize: 4, seed: 7)
        #expect(planner.batchesPerEpoch == 6)
        let first = (0..<6).flatMap { planner.units(epoch: 0, index: $0) }
        let second = (0..<6).flatMap { planner.units(epoch: 1, index: $0) }
        #expect(first.sorted() == Array(0..<23) && second.sorted() == Array(0..<23) && first != second)
        let other = BatchPlanner(store: planner.store, batchSize: 4, seed: 7)
        #expect(other.batch(epoch: 1, index: 5) == planner.batch(epoch: 1, index: 5))
        #expect(planner.batch(epoch: 0, index: 5).sampleCount == 3)
        #expect(planner.group(epoch: 0, step: 1, accumulation: 4).count == 2)
        #expect(BatchPlanner(store: planner.store, batchSize: 4, seed: 7, dropsLast: true).batchesPerEpoch == 5)
        #expect(BatchPlanner(store: planner.store, batchSize: 4, seed: 7, order: .sequential).units(epoch: 3, index: 0) == [0, 1, 2, 3])
    }

    @Test("Packs hold every sample once and never more than the capacity, longest first")
    func packs() {
        let lengths = [7, 3, 5, 2, 9, 4, 1, 12]
        let packs = Packing.greedy(lengths: lengths, capacity: 10)
        #expect(packs.flatMap { $0 }.sorted() == Array(0..<8))
        #expect(packs.allSatisfy { $0.count == 1 || $0.reduce(0) { $0 + lengths[$1] } <= 10 })
        #expect(packs == [[7], [4, 6], [0, 1], [2, 5], [3]])
        #expect(Packing.greedy(lengths: lengths, capacity: .max) == [[7, 4, 0, 2, 5, 1, 3, 6]])
        #expect(Packing.greedy(lengths: [], capacity: .max).isEmpty)
        let planner = BatchPlanner(store: store(lengths).packed(capacity: 10), batchSize: 2, seed: 1, order: .sequential)
        #expect(planner.batchesPerEpoch == 3)
        #expect(planner.batch(epoch: 0, index: 1).cumulativeLengths == [0, 7, 10, 15, 19])
    }

    @Test("Like lengths share a batch when asked, with the longest sample first of all")
    func groupsByLength() {
        let lengths = (0..<64).map { 1 + $0 * 37 % 64 }
        let planner = BatchPlanner(store: store(lengths), batchSize: 8, seed: 3, order: .groupedByLength)
        let units = (0..<8).map { planner.units(epoch: 0, index: $0) }
        #expect(lengths[units[0][0]] == 64)
        #expect(units.flatMap { $0 }.sorted() == Array(0..<64))
    }

    @Test("Truncation keeps a short side whole and shares the room between two long ones")
    func sharesTheCutoff() {
        #expect(SampleBuilder.lengths(source: 3000, target: 2000, cutoff: 1000) == (600, 400))
        #expect(SampleBuilder.lengths(source: 2000, target: 3000, cutoff: 1000) == (400, 600))
        #expect(SampleBuilder.lengths(source: 1000, target: 100, cutoff: 1000) == (900, 100))
        #expect(SampleBuilder.lengths(source: 100, target: 1000, cutoff: 1000) == (100, 900))
    }

    @Test("Mixing follows the strategies of interleave_datasets")
    func mixes() throws {
        let sets = [3, 1, 2].enumerated().map { index, count in (0..<count).map { RowReference(dataset: index, row: $0) } }
        func mixed(_ sets: [[RowReference]], _ strategy: RowSelection.Strategy, _ weights: [Double]? = nil) throws -> [String] {
            try RowSelection.mix(sets, strategy: strategy, probabilities: weights, seed: 1).map { "\($0.dataset)\($0.row)" }
        }
        #expect(try mixed(sets, .concat) == ["00", "01", "02", "10", "20", "21"])
        #expect(try mixed(sets, .under) == ["00", "10", "20"])
        #expect(try mixed(sets, .over) == ["00", "10", "20", "01", "10", "21", "02", "10", "20"])
        #expect(try mixed(sets, .once) == ["00", "10", "20", "01", "21", "02"])
        // An empty set ends the shortest-first mixture at once and is passed over by the others.
        #expect(try mixed(sets + [[]], .under) == [])
        #expect(try mixed(sets + [[]], .once) == ["00", "10", "20", "01", "21", "02"])
        // What is never drawn is not waited for.
        #expect(try Set(mixed(sets, .over, [0.5, 0.5, 0])) == ["00", "01", "02", "10"])
        #expect(try mixed(sets, .once, [0.2, 0.5, 0.3]).sorted() == ["00", "01", "02", "10", "20", "21"])
        let drawn = try RowSelection.mix(sets, strategy: .over, probabilities: [0.2, 0.5, 0.3], seed: 1)
        for set in sets { #expect(set.allSatisfy { drawn.contains($0) }) }
    }
}
