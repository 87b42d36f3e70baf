import Platform
import Tensors

/// More rows for the embedding and the head, and what the new ones begin as.
///
/// As LLaMA-Factory's `resize_embedding_layer`: the row count is a multiple of 64; a new row is the mean of all rows that there
/// were, with normal noise of deviation 1/sqrt(hidden) where that is asked for; or the mean of the rows of the words that describe it.
public struct VocabularyGrowth: Sendable, Equatable {
    /// Rows that are needed at least. A model that has as many keeps its shape.
    public var tokenCount: Int
    /// Adds noise to means of all rows.
    public var addsNoise: Bool
    /// Rows that begin as what describes them. They are set even where the model had such a row already, unused.
    public var descriptions: [Description]
    /// Adds noise to described rows.
    public var addsNoiseToDescriptions: Bool
    public var seed: UInt64

    public struct Description: Sendable, Equatable {
        public var row: Int
        public var tokens: [Int32]

        public init(row: Int, tokens: [Int32]) {
            self.row = row
            self.tokens = tokens
        }
    }

    public init(
        tokenCount: Int, addsNoise: Bool = true, descriptions: [Description] = [], addsNoiseToDescriptions: Bool = false, seed: UInt64 = 42
    ) {
        self.tokenCount = tokenCount
        self.addsNoise = addsNoise
        self.descriptions = descriptions
        self.addsNoiseToDescriptions = addsNoiseToDescriptions
        self.seed = seed
    }

    /// Rows of a model that has `stored` of them.
    public func rows(stored: Int) -> Int { tokenCount > stored ? (tokenCount + 63) / 64 * 64 : stored }

    /// The table with its new rows.
    /// - Parameters:
    ///   - table: [stored, hidden] in any floating type; it is left alone.
    ///   - stream: keeps embedding and head from getting the same noise.
    func applied(to table: Tensor, stream: UInt64) -> Tensor {
        let stored = table.shape[0], width = table.shape[1]
        let count = rows(stored: stored)
        let grown = Tensor.zeros([count, width], table.dtype)
        grown.address.copyMemory(from: table.address, byteCount: table.byteCount)
        var random = RandomGenerator(seed: seed, stream: 0x564F_4341 &+ stream)
        let deviation = 1 / Double(width).squareRoot()
        func noisy(_ row: [Double], _ adds: Bool) -> [Float] { row.map { Float(adds ? $0 + random.normal() * deviation : $0) } }
        // Once for all rows: it reads the whole table.
        let isWanted = count > stored || descriptions.contains { $0.row < count }
        let meanOfAll = isWanted ? Self.mean(of: table) : []
        for row in stored..<count { grown.slice(rows: row..<row + 1).write(noisy(meanOfAll, addsNoise)) }
        let new = Set(descriptions.map(\.row))
        for description in descriptions where description.row < count {
            let known = description.tokens.map { Int($0) }.filter { $0 >= 0 && $0 < stored && !new.contains($0) }
            let mean = known.isEmpty ? meanOfAll : Self.mean(of: table, rows: known)
            grown.slice(rows: description.row..<description.row + 1).write(noisy(mean, addsNoiseToDescriptions))
        }
        return grown
    }

    /// Some thousand rows are widened at a time; columns are added up in order, whatever that number is.
    private static func mean(of table: Tensor) -> [Double] {
        let stored = table.shape[0], width = table.shape[1]
        var sum = [Double](repeating: 0, count: width)
        for start in stride(from: 0, to: stored, by: 2048) {
            let rows = min(2048, stored - start)
            let values = table.slice(rows: start..<start + rows).floats()
            sum.withUnsafeMutableBufferPointer { sum in
                values.withUnsafeBufferPointer { values in
                    for row in 0..<rows {
                        for column in 0..<width { sum[column] += Double(values[row * width + column]) }
                    }
                }
            }
        }
        return sum.map { $0 / Double(max(1, stored)) }
    }

    private static func mean(of table: Tensor, rows: [Int]) -> [Double] {
        var sum = [Double](repeating: 0, count: table.shape[1])
        for row in rows { for (index, value) in table.slice(rows: row..<row + 1).floats().enumerated() { sum[index] += Double(value) } }
        return sum.map { $0 / Double(max(1, rows.count)) }
    }
}

extension ModelFolder {
    /// Gives the model another number of tokens, in the spec and in the configuration that is written with it.
    public mutating func setVocabulary(_ count: Int) {
        spec.vocabularySize = count
        var object = fields.object
        for key in ["vocab_size", "padded_vocab_size"] where object.contains(key) { object.set(key, .integer(Int64(count))) }
        replace(fields: object)
    }
}
