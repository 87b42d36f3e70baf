import Platform

/// A regular expression over UTF-8, run by backtracking with an explicit stack: the general path for split patterns
/// that have no hand-written scanner. Memory and steps are bounded; a match that would exceed them ends as no match.
final class Pattern: Sendable {
    /// As it was written.
    let text: String
    private let program: [Instruction]
    private let sets: [CompiledSet]
    private let beginnings: [Int]?
    private let exhaustion = Mutex(false)

    /// Whether some search was given up because it took too many steps: what it found is then not what the pattern means.
    var wasExhausted: Bool { exhaustion.withLock { $0 } }

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

    /// A set with its answers worked out: for ASCII by character, beyond by class where the set names no single characters there.
    private struct CompiledSet: @unchecked Sendable {
        let low: UInt64
        let high: UInt64
        /// Bit for each class byte of `UnicodeClasses`; nil when the set must be asked.
        let classBits: (UInt64, UInt64)?
        let set: ScalarSet

        init(_ set: ScalarSet, _ classes: UnicodeClasses) {
            self.set = set
            var bits: (UInt64, UInt64) = (0, 0)
            for scalar in UInt32(0)..<64 where set.contains(scalar, classes) { bits.0 |= 1 << UInt64(scalar) }
            for scalar in UInt32(64)..<128 where set.contains(scalar, classes) { bits.1 |= 1 << UInt64(scalar - 64) }
            low = bits.0
            high = bits.1
            classBits = set.bitsByClass
        }

        @inline(__always)
        func contains(_ scalar: UInt32, _ classes: UnicodeClasses) -> Bool {
            if scalar < 64 { return low >> UInt64(scalar) & 1 == 1 }
            if scalar < 128 { return high >> UInt64(scalar - 64) & 1 == 1 }
            if let classBits {
                let value = classes.value(scalar)
                return (value < 64 ? classBits.0 >> UInt64(value) : classBits.1 >> UInt64(value & 63)) & 1 == 1
            }
            return set.contains(scalar, classes)
        }
    }

    init(_ text: String) throws(PatternSyntaxError) {
        self.text = text
        let node = try PatternParser.parse(text)
        var compiler = Compiler()
        try compiler.compile(node)
        compiler.program.append(.match)
        program = compiler.program
        let classes = UnicodeClasses.shared
        sets = compiler.sets.map { CompiledSet($0, classes) }
        beginnings = Pattern.beginnings(program)
    }

    private struct Compiler {
        var program: [Instruction] = []
        var sets: [ScalarSet] = []
        private var visits = 0
        private var depth = 0

        /// Repetitions of what is empty make no instructions, but take their time all the same: each visit of a node counts too.
        mutating func compile(_ node: PatternNode) throws(PatternSyntaxError) {
            visits += 1
            if program.count > 20_000 || visits > 200_000 { throw PatternSyntaxError(reason: "it is too large") }
            depth += 1
            defer { depth -= 1 }
            if depth > 400 { throw PatternSyntaxError(reason: "groups and quantifiers are nested too deeply") }
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

    /// A search may take so many steps, and so many more for each byte; then nothing matches any more.
    private static let freeSteps = 2_000_000
    private static let stepsPerByte = 200

    /// All matches from left to right, not overlapping, as ranges of byte offsets. `text` is UTF-8.
    func matches(in text: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
        var result: [Range<Int>] = []
        forEachMatch(in: text) { result.append($0..<$1) }
        return result
    }

    /// Calls `body` with the start and end of every match. Empty ones count, but for those that touch the end of the match before.
    func forEachMatch(in text: UnsafeBufferPointer<UInt8>, _ body: (Int, Int) -> Void) {
        guard let base = text.baseAddress else { return }
        let count = text.count
        let classes = UnicodeClasses.shared
        var state = Search(base: base, end: count, stepLimit: Pattern.freeSteps + count * Pattern.stepsPerByte)
        defer { noteExhaustion(of: state) }
        var position = 0
        var lastEnd = -1
        while position <= count {
            if let beginnings {
                // Where no match can begin, none is tried.
                while position < count {
                    let next = UTF8Text.scalar(base, position, count)
                    if beginnings.contains(where: { sets[$0].contains(next.value, classes) }) { break }
                    position += next.length
                }
                if position == count { return }
            }
            let end = run(at: 0, from: position, &state)
            if let end, end > position {
                body(position, end)
                position = end
                lastEnd = end
                continue
            }
            if end != nil, position != lastEnd {
                body(position, position)
                lastEnd = position
            }
            position += position < count ? UTF8Text.length(base[position]) : 1
        }
    }

    /// The sets one of which the first character of every match is in; nil when a match may be empty or begin otherwise.
    private static func beginnings(_ program: [Instruction]) -> [Int]? {
        var found: [Int] = []
        var open = [0]
        var seen = Set<Int>()
        while let counter = open.popLast() {
            guard seen.insert(counter).inserted, counter < program.count else { continue }
            switch program[counter] {
            case .set(let set): found.append(set)
            case .run(let set, let minimum, _, _):
                found.append(set)
                if minimum == 0 { open.append(counter + 1) }
            case .split(let first, let second): open += [first, second]
            case .jump(let target): open.append(target)
            case .match, .look, .atomic, .assertion: return nil
            }
            // Many sets take longer to ask than a match takes to fail.
            if found.count > 4 { return nil }
        }
        return found
    }

    /// Whether there is a match at the start of `text`; false when that is not settled within `steps`.
    func matchesStart(of text: UnsafeBufferPointer<UInt8>, steps: Int) -> Bool {
        // An empty text has no address of its own, and none is read.
        let nothing: [UInt8] = [0]
        return nothing.withUnsafeBufferPointer { nothing in
            guard let base = text.baseAddress ?? nothing.baseAddress else { return false }
            var search = Search(base: base, end: text.count, stepLimit: steps)
            defer { noteExhaustion(of: search) }
            return run(at: 0, from: 0, &search) != nil
        }
    }

    private func noteExhaustion(of search: Search) {
        if search.wasCut || search.steps > search.stepLimit { exhaustion.withLock { $0 = true } }
    }

    /// One search through one text: the stack of places to go back to, and how many steps it took so far.
    private struct Search {
        let base: UnsafePointer<UInt8>
        var end: Int
        var steps = 0
        let stepLimit: Int
        /// The stack grew too large, and places to go back to were given up.
        var wasCut = false
        var stack: [Backtrack] = []
    }

    private enum Backtrack {
        case state(program: Int, position: Int)
        /// A greedy run that can give back: positions from `position` down to `smallest`.
        case shrink(program: Int, position: Int, smallest: Int)
        /// A lazy run that can take more.
        case extend(program: Int, position: Int, set: Int, left: Int)
    }

    private func run(at start: Int, from begin: Int, _ search: inout Search) -> Int? {
        let floor = search.stack.count
        defer { search.stack.removeLast(search.stack.count - floor) }
        let classes = UnicodeClasses.shared
        let base = search.base
        let end = search.end
        var counter = start
        var position = begin
        while true {
            search.steps += 1
            if search.steps > search.stepLimit { return nil }
            var failed = false
            switch program[counter] {
            case .match: return position
            case .set(let index):
                if position < end {
                    let next = UTF8Text.scalar(base, position, end)
                    if sets[index].contains(next.value, classes) { position += next.length } else { failed = true }
                } else {
                    failed = true
                }
                counter += 1
            case .split(let first, let second):
                if canBegin(first, position, base, end, classes) {
                    search.stack.append(.state(program: second, position: position))
                    counter = first
                } else {
                    counter = second
                }
            case .jump(let target): counter = target
            case .run(let index, let minimum, let maximum, let mode):
                var taken = 0
                var stop = position
                var smallest = position
                let limit = mode == .lazy ? minimum : maximum
                while taken < limit, stop < end {
                    let next = UTF8Text.scalar(base, stop, end)
                    if !sets[index].contains(next.value, classes) { break }
                    stop += next.length
                    taken += 1
                    if taken == minimum { smallest = stop }
                }
                if taken < minimum {
                    failed = true
                } else {
                    if mode == .greedy, stop > smallest {
                        let back = UTF8Text.previous(base, stop)
                        search.stack.append(.shrink(program: counter + 1, position: back, smallest: smallest))
                    }
                    if mode == .lazy, maximum > minimum {
                        let left = maximum == .max ? Int.max : maximum - minimum
                        search.stack.append(.extend(program: counter + 1, position: stop, set: index, left: left))
                    }
                    position = stop
                    counter += 1
                }
            case .look(let after, let ahead, let negative):
                let holds = ahead ? run(at: counter + 1, from: position, &search) != nil : looksBehind(counter + 1, position, &search)
                if holds != negative { counter = after } else { failed = true }
            case .atomic(let after):
                if let stop = run(at: counter + 1, from: position, &search) {
                    position = stop
                    counter = after
                } else {
                    failed = true
                }
            case .assertion(let mark):
                if holds(mark, position, base, end, classes) { counter += 1 } else { failed = true }
            }
            if search.stack.count > 1_000_000 { (failed, search.wasCut) = (true, true) }
            if failed {
                guard let state = resume(&search, floor, classes) else { return nil }
                (counter, position) = state
            }
        }
    }

    /// False when the instruction at `counter` surely fails here, so that a choice need not remember its other branch.
    @inline(__always)
    private func canBegin(_ counter: Int, _ position: Int, _ base: UnsafePointer<UInt8>, _ end: Int, _ classes: UnicodeClasses) -> Bool {
        let index: Int
        switch program[counter] {
        case .set(let set): index = set
        case .run(let set, let minimum, _, _):
            if minimum == 0 { return true }
            index = set
        case .match, .split, .jump, .look, .atomic, .assertion: return true
        }
        return position < end && sets[index].contains(UTF8Text.scalar(base, position, end).value, classes)
    }

    private func resume(_ search: inout Search, _ floor: Int, _ classes: UnicodeClasses) -> (Int, Int)? {
        while search.stack.count > floor, let last = search.stack.popLast() {
            switch last {
            case .state(let program, let position): return (program, position)
            case .shrink(let program, let position, let smallest):
                if position > smallest {
                    let back = UTF8Text.previous(search.base, position)
                    search.stack.append(.shrink(program: program, position: back, smallest: smallest))
                }
                return (program, position)
            case .extend(let program, let position, let set, let left):
                guard left > 0, position < search.end else { continue }
                let next = UTF8Text.scalar(search.base, position, search.end)
                guard sets[set].contains(next.value, classes) else { continue }
                let further = position + next.length
                search.stack.append(.extend(program: program, position: further, set: set, left: left == .max ? left : left - 1))
                return (program, further)
            }
        }
        return nil
    }

    private func looksBehind(_ start: Int, _ position: Int, _ search: inout Search) -> Bool {
        let end = search.end
        search.end = position
        defer { search.end = end }
        var begin = position
        for _ in 0..<256 {
            if let stop = run(at: start, from: begin, &search), stop == position { return true }
            if begin == 0 { return false }
            begin = UTF8Text.previous(search.base, begin)
        }
        return false
    }

    private func holds(_ mark: Mark, _ position: Int, _ base: UnsafePointer<UInt8>, _ end: Int, _ classes: UnicodeClasses) -> Bool {
        switch mark {
        case .textStart: return position == 0
        case .textEnd: return position == end
        case .lineStart: return position == 0 || base[position - 1] == 0x0A
        case .lineEnd: return position == end || base[position] == 0x0A
        case .wordBoundary, .notWordBoundary:
            let before = position > 0 && classes.isWord(UTF8Text.scalar(base, UTF8Text.previous(base, position), end).value)
            let after = position < end && classes.isWord(UTF8Text.scalar(base, position, end).value)
            return (before != after) == (mark == .wordBoundary)
        }
    }
}
