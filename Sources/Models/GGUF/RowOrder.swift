/// The rows of a weight in the order that a GGUF file has them in.
///
/// A rule instead of a list: the number of rows comes from metadata that nobody has checked yet, and a list would take as much memory
/// as they claim.
struct RowOrder: Sendable, Equatable {
    /// Runs of rows at even distances, one after the other.
    private struct Part: Sendable, Equatable {
        let start: Int
        let runLength: Int
        let distance: Int
        let count: Int
        /// Where pairs of rotated rows lie side by side.
        var heads: Heads?

        func row(_ place: Int) -> Int {
            let place = heads?.split(place) ?? place
            return start + place / runLength * distance + place % runLength
        }
    }

    private struct Heads: Sendable, Equatable {
        let width: Int
        /// Half of the rows that are rotated.
        let half: Int

        /// (0, half, 1, half + 1, ...) within a head.
        func split(_ place: Int) -> Int {
            let own = place % width
            return own < 2 * half ? place - own + own % 2 * half + own / 2 : place
        }
    }

    private let parts: [Part]

    /// - Parameter runs: of the same length and at even distances.
    init(_ runs: [Range<Int>]) {
        guard let first = runs.first, !first.isEmpty else {
            parts = []
            return
        }
        let distance = runs.count > 1 ? runs[1].lowerBound - first.lowerBound : first.count
        parts = [Part(start: first.lowerBound, runLength: first.count, distance: distance, count: runs.count * first.count)]
    }

    private init(parts: [Part]) { self.parts = parts }

    var count: Int { parts.reduce(0) { $0 + $1.count } }

    /// The row that lies at a place of the file.
    subscript(place: Int) -> Int {
        var place = place
        for part in parts {
            if place < part.count { return part.row(place) }
            place -= part.count
        }
        preconditionFailure("place beyond the last of \(count) rows")
    }

    /// With the two halves of what is rotated of each head taken in turns, as llama.cpp rotates them.
    func interleaved(headDimension: Int, rotated: Int) -> RowOrder {
        RowOrder(parts: parts.map { part in
            var part = part
            part.heads = Heads(width: headDimension, half: rotated / 2)
            return part
        })
    }

    static func + (left: RowOrder, right: RowOrder) -> RowOrder { RowOrder(parts: left.parts + right.parts) }
}
