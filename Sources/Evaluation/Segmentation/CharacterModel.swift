/// The hidden Markov model that finds words which the dictionary lacks. Every character begins (B), continues (M) or ends (E) a
/// word, or stands alone (S); Viterbi's algorithm picks the likeliest reading. Tables are jieba's `finalseg`, read where they are
/// installed.

import Glibc
import Platform

struct CharacterModel: Sendable {
    /// States in alphabetical order, the order in which jieba breaks ties.
    private enum State: Int, CaseIterable {
        case begin, end, middle, single

        init?(letter: UInt8) {
            switch letter {
            case UInt8(ascii: "B"): self = .begin
            case UInt8(ascii: "E"): self = .end
            case UInt8(ascii: "M"): self = .middle
            case UInt8(ascii: "S"): self = .single
            default: return nil
            }
        }

        /// What can stand before this state, in ascending alphabetical order.
        var predecessors: [State] {
            switch self {
            case .begin: [.end, .single]
            case .end: [.begin, .middle]
            case .middle: [.begin, .middle]
            case .single: [.end, .single]
            }
        }
    }

    private static let impossible = -3.14e100
    private var start = [Double](repeating: impossible, count: 4)
    private var transition = [[Double]](repeating: [Double](repeating: impossible, count: 4), count: 4)
    private var emission = [[UInt32: Double]](repeating: [:], count: 4)

    /// - Parameter directory: jieba's `finalseg` folder, with prob_start.py, prob_trans.py and prob_emit.py.
    static func load(directory: String) throws -> CharacterModel {
        var model = CharacterModel()
        let startPath = Path.join(directory, "prob_start.py")
        for (key, value) in try PythonTable.parse(path: startPath) {
            guard case .number(let probability) = value, key.count == 1,
                let state = State(letter: UInt8(truncatingIfNeeded: key[0]))
            else {
                throw SegmentationError.malformedTable(path: startPath, expected: "a probability for each of B, M, E and S")
            }
            model.start[state.rawValue] = probability
        }
        try forEachRow(Path.join(directory, "prob_trans.py")) { path, state, key, probability in
            guard let target = State(letter: UInt8(truncatingIfNeeded: key)) else {
                throw SegmentationError.malformedTable(path: path, expected: "transitions between B, M, E and S")
            }
            model.transition[state.rawValue][target.rawValue] = probability
        }
        try forEachRow(Path.join(directory, "prob_emit.py")) { _, state, key, probability in
            model.emission[state.rawValue][key] = probability
        }
        return model
    }

    private static func forEachRow(_ path: String, _ body: (String, State, UInt32, Double) throws -> Void) throws {
        for (key, value) in try PythonTable.parse(path: path) {
            guard case .table(let rows) = value, key.count == 1,
                let state = State(letter: UInt8(truncatingIfNeeded: key[0]))
            else {
                throw SegmentationError.malformedTable(path: path, expected: "a table for each of B, M, E and S")
            }
            for (inner, entry) in rows {
                guard case .number(let probability) = entry, inner.count == 1 else {
                    throw SegmentationError.malformedTable(path: path, expected: "one character and its log probability")
                }
                try body(path, state, inner[0], probability)
            }
        }
    }

    /// Cuts a run of Han characters into words.
    func cut(_ run: ArraySlice<Unicode.Scalar>) -> [ArraySlice<Unicode.Scalar>] {
        guard !run.isEmpty else { return [] }
        let states = likeliestStates(run)
        var words: [ArraySlice<Unicode.Scalar>] = []
        var begin = run.startIndex
        var next = run.startIndex
        for (offset, state) in states.enumerated() {
            let index = run.startIndex + offset
            switch state {
            case .begin: begin = index
            case .middle: break
            case .end:
                words.append(run[begin...index])
                next = index + 1
            case .single:
                words.append(run[index...index])
                next = index + 1
            }
        }
        if next < run.endIndex { words.append(run[next...]) }
        return words
    }

    private func likeliestStates(_ run: ArraySlice<Unicode.Scalar>) -> [State] {
        var scores = State.allCases.map { start[$0.rawValue] + emitted($0, run[run.startIndex]) }
        var origins: [[State]] = []
        for scalar in run.dropFirst() {
            var next = scores
            var from: [State] = []
            for state in State.allCases {
                let emission = emitted(state, scalar)
                var best = -Double.infinity
                var origin = state.predecessors[0]
                for previous in state.predecessors {
                    let score = scores[previous.rawValue] + transition[previous.rawValue][state.rawValue] + emission
                    if score >= best { (best, origin) = (score, previous) }
                }
                next[state.rawValue] = best
                from.append(origin)
            }
            scores = next
            origins.append(from)
        }
        var state: State = scores[State.single.rawValue] >= scores[State.end.rawValue] ? .single : .end
        var path = [state]
        for from in origins.reversed() {
            state = from[state.rawValue]
            path.append(state)
        }
        return path.reversed()
    }

    private func emitted(_ state: State, _ scalar: Unicode.Scalar) -> Double {
        emission[state.rawValue][scalar.value] ?? Self.impossible
    }
}
