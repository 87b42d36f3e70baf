/// A regular expression over code points, run by backtracking with an explicit stack: the general path for split patterns
/// that have no hand-written scanner. Memory and steps are bounded; a match that would exceed them ends as no match.
final class Pattern: Sendable {
    private let program: [Instruction]
    private let sets: [CompiledSet]

    private enum Instruction: Sendable {
        case match
        case set(Int)
        /// Try `first`, later `second`.
        case split(Int, Int)
        case jump(Int)
        /// One set, minimum...maximum times.
        case run(Int, minimum: Int, maximum: Int, mode: Mode)
        case look(end: Int, ahead: Bool, negative: Bool)
        case atomic(end: Int)
        case assertion(Mark)
    }
    private enum Mode: Sendable { case greedy, lazy, possessive }
    private enum Mark: Sendable { case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary }

    /// A set with its answers for ASCII worked out.
    private struct CompiledSet: @unchecked Sendable {
        let low: UInt64
        let high: UInt64
        let set: ScalarSet

        init(_ set: ScalarSet, _ classes: UnicodeClasses) {
            self.set = set
            var bits: (UInt64, UInt64) = (0, 0)
            for scalar in UInt32(0)..<64 where set.contains(scalar, classes) { bits.0 |= 1 << UInt64(scalar) }
            for scalar in UInt32(64)..<128 where set.contains(scalar, classes) { bits.1 |= 1 << UInt64(scalar - 64) }
            low = bits.0
            high = bits.1
        }

        @inline(__always)
        func contains(_ scalar: UInt32, _ classes: UnicodeClasses) -> Bool {
            if scalar < 64 { return low >> UInt64(scalar) & 1 == 1 }
            if scalar < 128 { return high >> UInt64(scalar - 64) & 1 == 1 }
            return set.contains(scalar, classes)
        }
    }

    init(_ text: String) throws(PatternSyntaxError) {
        let node = try PatternParser.parse(text)
        var compiler = Compiler()
        try compiler.compile(node)
        compiler.program.append(.match)
        program = compiler.program
        let classes = UnicodeClasses.shared
        sets = compiler.sets.map { CompiledSet($0, classes) }
    }

    private struct Compiler {
        var program: [Instruction] = []
        var sets: [ScalarSet] = []

        mutating func compile(_ node: PatternNode) throws(PatternSyntaxError) {
            if program.count > 20_000 { throw PatternSyntaxError(reason: "it is too large") }
            switch node {
            case .empty: break
            case .set(let set):
                sets.append(set)
                program.append(.set(sets.count - 1))
            case .sequence(let parts):
                for part in parts { try compile(part) }
            case .choice(let branches):
                var exits: [Int] = []
                for (index, branch) in branches.enumerated() {
                    if index == branches.count - 1 {
                        try compile(branch)
                    } else {
                        let fork = program.count
                        program.append(.jump(0))
                        try compile(branch)
                        exits.append(program.count)
                        program.append(.jump(0))
                        program[fork] = .split(fork + 1, program.count)
                    }
                }
                for exit in exits { program[exit] = .jump(program.count) }
            case .repetition(let inner, let minimum, let maximum, let mode):
                try compileRepetition(inner, minimum, maximum, mode)
            case .look(let inner, let ahead, let negative):
                let start = program.count
                program.append(.jump(0))
                try compile(inner)
                program.append(.match)
                program[start] = .look(end: program.count, ahead: ahead, negative: negative)
            case .atomic(let inner):
                let start = program.count
                program.append(.jump(0))
                try compile(inner)
                program.append(.match)
                program[start] = .atomic(end: program.count)
            case .assertion(let kind):
                let mark: Mark
                switch kind {
                case .textStart: mark = .textStart
                case .textEnd: mark = .textEnd
                case .lineStart: mark = .lineStart
                case .lineEnd: mark = .lineEnd
                case .wordBoundary: mark = .wordBoundary
                case .notWordBoundary: mark = .notWordBoundary
                }
                program.append(.assertion(mark))
            }
        }

        private mutating func compileRepetition(
            _ inner: PatternNode, _ minimum: Int, _ maximum: Int, _ mode: PatternNode.RepeatMode
        ) throws(PatternSyntaxError) {
            if case .set(let set) = inner {
                sets.append(set)
                let kind: Mode = mode == .greedy ? .greedy : mode == .lazy ? .lazy : .possessive
                program.append(.run(sets.count - 1, minimum: minimum, maximum: maximum, mode: kind))
                return
            }
            if mode == .possessive {
                try compile(.atomic(.repetition(inner, minimum: minimum, maximum: maximum, mode: .greedy)))
                return
            }
            for _ in 0..<minimum { try compile(inner) }
            if maximum == .max {
                let fork = program.count
                program.append(.jump(0))
                try compile(inner)
                program.append(.jump(fork))
                program[fork] = mode == .greedy ? .split(fork + 1, program.count) : .split(program.count, fork + 1)
                return
            }
            var forks: [Int] = []
            for _ in minimum..<max(minimum, maximum) {
                forks.append(program.count)
                program.append(.jump(0))
                try compile(inner)
            }
            for fork in forks {
                program[fork] = mode == .greedy ? .split(fork + 1, program.count) : .split(program.count, fork + 1)
            }
        }
    }

    private static let stepLimit = 20_000_000

    /// All matches from left to right, not overlapping, as ranges of scalar indices.
    func matches(in text: [UInt32]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var position = 0
        var steps = 0
        text.withUnsafeBufferPointer { text in
            while position <= text.count {
                guard let end = run(at: 0, from: position, in: text, steps: &steps) else {
                    position += 1
                    continue
                }
                if end > position {
                    result.append(position..<end)
                    position = end
                } else {
                    position += 1
                }
            }
        }
        return result
    }

    /// Whether there is a match at the start of `text`; false when that is not settled within `steps`.
    func matchesStart(of text: [UInt32], steps: Int) -> Bool {
        var taken = max(0, Pattern.stepLimit - steps)
        return text.withUnsafeBufferPointer { run(at: 0, from: 0, in: $0, steps: &taken) } != nil
    }

    private enum Backtrack {
        case state(program: Int, position: Int)
        /// A greedy run that can give back: positions from `from` down to `to`.
        case shrink(program: Int, position: Int, smallest: Int)
        /// A lazy run that can take more.
        case extend(program: Int, position: Int, set: Int, left: Int)
    }

    private func run(at start: Int, from begin: Int, in text: UnsafeBufferPointer<UInt32>, steps: inout Int) -> Int? {
        let classes = UnicodeClasses.shared
        var stack: [Backtrack] = []
        var counter = start
        var position = begin
        while true {
            steps += 1
            if steps > Pattern.stepLimit { return nil }
            var failed = false
            switch program[counter] {
            case .match: return position
            case .set(let index):
                if position < text.count, sets[index].contains(text[position], classes) {
                    position += 1
                    counter += 1
                } else {
                    failed = true
                }
            case .split(let first, let second):
                stack.append(.state(program: second, position: position))
                counter = first
            case .jump(let target): counter = target
            case .run(let index, let minimum, let maximum, let mode):
                var taken = 0
                let limit = mode == .lazy ? minimum : maximum
                while taken < limit, position + taken < text.count, sets[index].contains(text[position + taken], classes) { taken += 1 }
                if taken < minimum {
                    failed = true
                } else {
                    if mode == .greedy, taken > minimum {
                        stack.append(.shrink(program: counter + 1, position: position + taken - 1, smallest: position + minimum))
                    }
                    if mode == .lazy, maximum > minimum {
                        stack.append(.extend(program: counter + 1, position: position + taken, set: index, left: maximum - minimum))
                    }
                    position += taken
                    counter += 1
                }
            case .look(let end, let ahead, let negative):
                let holds: Bool
                if ahead {
                    holds = run(at: counter + 1, from: position, in: text, steps: &steps) != nil
                } else {
                    holds = looksBehind(counter + 1, position, text, &steps)
                }
                if holds != negative { counter = end } else { failed = true }
            case .atomic(let end):
                if let stop = run(at: counter + 1, from: position, in: text, steps: &steps) {
                    position = stop
                    counter = end
                } else {
                    failed = true
                }
            case .assertion(let mark):
                if holds(mark, position, text, classes) { counter += 1 } else { failed = true }
            }
            if failed || stack.count > 1_000_000 {
                guard let state = resume(&stack, text, classes) else { return nil }
                (counter, position) = state
            }
        }
    }

    private func resume(
        _ stack: inout [Backtrack], _ text: UnsafeBufferPointer<UInt32>, _ classes: UnicodeClasses
    ) -> (Int, Int)? {
        while let last = stack.popLast() {
            switch last {
            case .state(let program, let position): return (program, position)
            case .shrink(let program, let position, let smallest):
                if position > smallest { stack.append(.shrink(program: program, position: position - 1, smallest: smallest)) }
                return (program, position)
            case .extend(let program, let position, let set, let left):
                guard left > 0, position < text.count, sets[set].contains(text[position], classes) else { continue }
                stack.append(.extend(program: program, position: position + 1, set: set, left: left == .max ? left : left - 1))
                return (program, position + 1)
            }
        }
        return nil
    }

    private func looksBehind(_ start: Int, _ position: Int, _ text: UnsafeBufferPointer<UInt32>, _ steps: inout Int) -> Bool {
        let upTo = UnsafeBufferPointer(rebasing: text[0..<position])
        var begin = position
        while begin >= 0, position - begin <= 255 {
            if let end = run(at: start, from: begin, in: upTo, steps: &steps), end == position { return true }
            begin -= 1
        }
        return false
    }

    private func holds(_ mark: Mark, _ position: Int, _ text: UnsafeBufferPointer<UInt32>, _ classes: UnicodeClasses) -> Bool {
        switch mark {
        case .textStart: return position == 0
        case .textEnd: return position == text.count
        case .lineStart: return position == 0 || text[position - 1] == 0x0A
        case .lineEnd: return position == text.count || text[position] == 0x0A
        case .wordBoundary, .notWordBoundary:
            let before = position > 0 && classes.isWord(text[position - 1])
            let after = position < text.count && classes.isWord(text[position])
            return (before != after) == (mark == .wordBoundary)
        }
    }
}
