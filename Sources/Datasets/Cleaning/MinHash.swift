import CKernels
import Glibc
import Platform

/// Signatures whose agreement estimates how much of their stretches of words two texts share (Jaccard's measure), and bands of them by
/// which likely pairs are found without comparing all (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3).
struct MinHash: Sendable {
    static let permutations = 128
    /// Words of a stretch.
    static let stretch = 5

    struct Signature: Sendable {
        /// Eight bits of each permutation's smallest hash.
        var bytes: [UInt8]
        /// One key for each band.
        var bands: [UInt64]
    }

    let bandCount: Int
    let rowsPerBand: Int
    private let factors: [UInt32]
    private let offsets: [UInt32]

    /// - Parameter threshold: pairs that share so much should be found, others not.
    init(threshold: Double) {
        var random = RandomGenerator(seed: 0x4D_494E_4841_5348)
        factors = (0..<Self.permutations).map { _ in UInt32(truncatingIfNeeded: random.next()) | 1 }
        offsets = (0..<Self.permutations).map { _ in UInt32(truncatingIfNeeded: random.next()) }
        (bandCount, rowsPerBand) = Self.bands(threshold)
    }

    /// The bands whose false alarms below the threshold and missed pairs above it are together fewest, a missed pair counting four times
    /// as much: alarms are checked, misses are not.
    static func bands(_ threshold: Double) -> (count: Int, rows: Int) {
        var best = (count: 1, rows: permutations, error: Double.infinity)
        for rows in 1...permutations {
            for count in 1...permutations / rows {
                var error = 0.0
                for step in 0..<100 {
                    let similarity = (Double(step) + 0.5) / 100
                    let found = 1 - pow(1 - pow(similarity, Double(rows)), Double(count))
                    error += similarity < threshold ? found : 4 * (1 - found)
                }
                if error < best.error { best = (count, rows, error) }
            }
        }
        return (best.count, best.rows)
    }

    /// Nil for a text without words.
    /// - Parameter media: of `RowText.media`; texts about other pictures are not compared.
    func signature(_ measure: TextMeasure, media: UInt64 = 0) -> Signature? {
        let items = measure.stretches(Self.stretch).map { UInt32(truncatingIfNeeded: $0 >> 17) }
        if items.isEmpty { return nil }
        var minima = [UInt32](repeating: 0, count: Self.permutations)
        tb_minhash(items, items.count, factors, offsets, Self.permutations, &minima)
        var bands: [UInt64] = []
        for band in 0..<bandCount {
            let rows = minima[band * rowsPerBand..<(band + 1) * rowsPerBand]
            bands.append(WordHash.mixed(rows.reduce((UInt64(band) + 1) ^ media) { ($0 ^ UInt64($1)) &* 0x9FB2_1C65_1E98_DF25 &+ $0 >> 29 }))
        }
        // The lowest bits of the smallest hashes depend on the items' lowest bits alone, so they are mixed first.
        return Signature(bytes: minima.map { UInt8(truncatingIfNeeded: ($0 &* 0x9E37_79B1) >> 24) }, bands: bands)
    }

    /// The estimate of what two texts share: agreement by chance, once in 256, is taken out.
    static func similarity(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Double {
        var equal = 0
        for (x, y) in zip(a, b) where x == y { equal += 1 }
        let share = Double(equal) / Double(permutations)
        return max(0, (share - 1.0 / 256) / (1 - 1.0 / 256))
    }
}

/// The signatures of the rows that were kept, found again by their bands. A row takes 128 bytes for its signature, 4 for its name, and for
/// each band 4 for the link and 16 to 32 in a hash table that is between three eighths and three quarters full: with the 12 bands of
/// threshold 0.8 that is 370 to 570 bytes, and half as much again at the moments when an array or a table grows.
struct NearDuplicateIndex {
    private let threshold: Double
    private var heads: [[UInt64: Int32]]
    /// For each band and row the earlier row of the same band.
    private var links: [[Int32]]
    private var bytes: [UInt8] = []
    private var names: [Int32] = []

    /// Rows of one band that are compared at most.
    private static let longestChain = 64

    init(_ hash: MinHash, threshold: Double) {
        self.threshold = threshold
        heads = Array(repeating: [:], count: hash.bandCount)
        links = Array(repeating: [], count: hash.bandCount)
    }

    /// The most similar of the rows so far, if it is similar enough: its number and the estimate.
    func match(_ signature: MinHash.Signature) -> (row: Int, similarity: Double)? {
        var best: (row: Int, similarity: Double)?
        for (band, key) in signature.bands.enumerated() {
            var next = heads[band][key] ?? -1
            for _ in 0..<Self.longestChain where next >= 0 {
                let place = Int(next) * MinHash.permutations
                let found = MinHash.similarity(bytes[place..<place + MinHash.permutations], signature.bytes[...])
                if found >= threshold, found > best?.similarity ?? 0 { best = (Int(names[Int(next)]), found) }
                next = links[band][Int(next)]
            }
        }
        return best
    }

    /// - Parameter row: the number by which `match` names it.
    mutating func insert(_ signature: MinHash.Signature, row: Int) {
        let place = Int32(truncatingIfNeeded: names.count)
        names.append(Int32(truncatingIfNeeded: row))
        bytes += signature.bytes
        for (band, key) in signature.bands.enumerated() {
            links[band].append(heads[band].updateValue(place, forKey: key) ?? -1)
        }
    }
}
