import Platform

/// Rows of one data set, one after the other.
protocol RowSupply {
    associatedtype Row
    mutating func next() throws(DatasetError) -> Row?
    /// Begins again with the first row.
    mutating func restart() throws(DatasetError)
}

/// Joins the rows of several data sets after the rules of Hugging Face's `interleave_datasets`, knowing one row ahead of each, so that
/// it works on lists and on streams whose ends nobody knows.
struct RowMixer<Supply: RowSupply> {
    private var supplies: [Supply]
    private var heads: [Supply.Row?]
    private let strategy: RowSelection.Strategy
    private let weights: [Double]?
    private var random: RandomGenerator
    /// Which have come to their end at least once.
    private var isExhausted: [Bool]
    private var turn = 0

    init(_ supplies: [Supply], strategy: RowSelection.Strategy, weights: [Double]?, seed: UInt64) throws(DatasetError) {
        self.supplies = supplies
        self.strategy = supplies.count < 2 ? .concat : strategy
        self.weights = weights
        random = RandomGenerator(seed: seed, stream: 0x4D_4958)
        var firsts: [Supply.Row?] = []
        for index in supplies.indices { firsts.append(try self.supplies[index].next()) }
        heads = firsts
        // What is never drawn needs not be waited for.
        isExhausted = firsts.indices.map { firsts[$0] == nil || strategy != .under && weights?[$0] == 0 }
    }

    mutating func next() throws(DatasetError) -> Supply.Row? {
        switch strategy {
        case .concat: return try nextInSequence()
        case .under, .over, .once:
            if let weights { return try draw(weights) }
            return try nextInTurn()
        }
    }

    private mutating func nextInSequence() throws(DatasetError) -> Supply.Row? {
        while turn < supplies.count {
            if heads[turn] != nil { return try take(turn, repeating: false) }
            turn += 1
        }
        return nil
    }

    private mutating func nextInTurn() throws(DatasetError) -> Supply.Row? {
        while true {
            if turn == 0, strategy == .under ? isExhausted.contains(true) : !isExhausted.contains(false) { return nil }
            let place = turn
            turn = (turn + 1) % supplies.count
            if heads[place] == nil { continue }
            return try take(place, repeating: strategy == .over)
        }
    }

    private mutating func draw(_ weights: [Double]) throws(DatasetError) -> Supply.Row? {
        guard strategy == .under ? !isExhausted.contains(true) : isExhausted.contains(false) else { return nil }
        let usable = weights.indices.map { heads[$0] == nil || strategy == .once && isExhausted[$0] ? 0 : weights[$0] }
        let total = usable.reduce(0, +)
        if total <= 0 { return nil }
        var point = random.uniform() * total
        var chosen = 0
        for (index, weight) in usable.enumerated() where weight > 0 {
            chosen = index
            if point < weight { break }
            point -= weight
        }
        return try take(chosen, repeating: true)
    }

    private mutating func take(_ place: Int, repeating: Bool) throws(DatasetError) -> Supply.Row? {
        let row = heads[place]
        heads[place] = try supplies[place].next()
        guard heads[place] == nil else { return row }
        isExhausted[place] = true
        if repeating {
            try supplies[place].restart()
            heads[place] = try supplies[place].next()
        }
        return row
    }
}

/// The rows of a list.
struct ListSupply: RowSupply {
    let rows: [RowReference]
    private var place = 0

    init(_ rows: [RowReference]) { self.rows = rows }

    mutating func next() -> RowReference? {
        guard place < rows.count else { return nil }
        place += 1
        return rows[place - 1]
    }

    mutating func restart() { place = 0 }
}
