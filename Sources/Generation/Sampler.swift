import Glibc
import Platform
import Tensors

/// A token that may come next.
public struct Candidate: Sendable, Equatable {
    public let token: Int32
    /// Logit divided by the temperature, or probability once the chain is through.
    public var score: Float
}

/// Turns logits into the next token: repetition penalty, temperature, top-k, top-p and min-p, in transformers' order.
///
/// The vocabulary is never sorted. Temperature keeps the order of logits, so the k largest are found on the raw ones with a heap
/// of k entries; without top-k, the nucleus is looked for among the tokens near the maximum, and the band is widened only when
/// their probabilities do not add up to `topP`.
public struct Sampler: Sendable {
    public let options: SamplingOptions
    public var random: RandomGenerator

    public init(_ options: SamplingOptions) {
        self.options = options
        let seed = options.seed ?? UInt64(bitPattern: Int64(Clock.unixTime() * 1e6))
        random = RandomGenerator(seed: seed)
    }

    /// The next token.
    /// - Parameters:
    ///   - logits: [vocabulary]; changed when there is a repetition penalty.
    ///   - history: tokens of prompt and answer so far.
    public mutating func next(_ logits: inout [Float], history: [Int32]) -> Int32 {
        Self.penalise(&logits, history: history, penalty: Float(options.repetitionPenalty))
        guard options.doSample else { return Self.largest(logits) }
        var candidates = distribution(logits)
        // In the order of the vocabulary, as a card draws: one seed gives the same tokens wherever it is sampled.
        if options.topP < 1 { candidates.sort { $0.token < $1.token } }
        var remaining = Float(random.uniform())
        for candidate in candidates {
            remaining -= candidate.score
            if remaining < 0 { return candidate.token }
        }
        return candidates.last?.token ?? Self.largest(logits)
    }

    /// The candidates with their probabilities, after the penalty has been applied.
    public func distribution(_ logits: [Float]) -> [Candidate] {
        var candidates = warped(logits, keepingAtLeast: 1)
        Self.normalise(&candidates)
        return candidates
    }

    /// The candidates that temperature, top-k, top-p and min-p leave, with their warped scores.
    /// - Parameter keepingAtLeast: how many must stay whatever top-p and min-p say; more than one when beams sample.
    func warped(_ logits: [Float], keepingAtLeast minimum: Int) -> [Candidate] {
        let inverseTemperature = 1 / Float(options.temperature)
        let usesTopK = options.topK > 0 && options.topK < logits.count
        let usesTopP = options.topP < 1
        var candidates: [Candidate]
        if usesTopK {
            let threshold = Self.threshold(logits, rank: max(options.topK, minimum))
            candidates = Self.collect(logits, from: threshold, scale: inverseTemperature)
        } else if usesTopP {
            candidates = nucleusBand(logits, scale: inverseTemperature, minimum: minimum)
        } else {
            candidates = Self.collect(logits, from: -.infinity, scale: inverseTemperature)
        }
        if usesTopP { applyTopP(&candidates, total: usesTopK ? nil : Self.mass(logits, scale: inverseTemperature), minimum: minimum) }
        if options.minP > 0 { applyMinP(&candidates, minimum: minimum) }
        return candidates
    }

    /// Keeps a candidate while the probabilities of those above it add up to less than `topP`.
    /// - Parameter total: the sum of `exp(score - largest)` over all tokens; nil when the candidates are all there is.
    private func applyTopP(_ candidates: inout [Candidate], total: Float?, minimum: Int) {
        candidates.sort { $0.score > $1.score }
        guard let largest = candidates.first?.score else { return }
        let whole = total ?? candidates.reduce(0) { $0 + expf($1.score - largest) }
        var above: Float = 0
        var kept = 0
        for candidate in candidates {
            if kept >= minimum && above / whole >= Float(options.topP) { break }
            above += expf(candidate.score - largest)
            kept += 1
        }
        candidates.removeLast(candidates.count - kept)
    }

    private func applyMinP(_ candidates: inout [Candidate], minimum: Int) {
        guard let largest = candidates.map(\.score).max() else { return }
        let limit = largest + logf(Float(options.minP))
        let kept = candidates.filter { $0.score >= limit }
        if kept.count >= minimum {
            candidates = kept
        } else {
            candidates.sort { $0.score > $1.score }
            candidates.removeLast(max(0, candidates.count - minimum))
        }
    }

    /// The tokens that are near enough to the largest logit to hold `topP` of the probability.
    private func nucleusBand(_ logits: [Float], scale: Float, minimum: Int) -> [Candidate] {
        let largest = logits.isEmpty ? 0 : logits[Int(Self.largest(logits))]
        let whole = Self.mass(logits, scale: scale)
        var width: Float = 8
        while width < 64 {
            let band = Self.collect(logits, from: largest - width / scale, scale: scale)
            let held = band.reduce(0) { $0 + expf($1.score - largest * scale) }
            if band.count >= minimum && held / whole >= Float(options.topP) { return band }
            width *= 2
        }
        return Self.collect(logits, from: -.infinity, scale: scale)
    }
}

extension Sampler {
    /// Positive logits of tokens that have been used are divided by the penalty, negative ones multiplied; each token once.
    static func penalise(_ logits: inout [Float], history: [Int32], penalty: Float) {
        guard penalty != 1 else { return }
        for token in Set(history) where token >= 0 && Int(token) < logits.count {
            let score = logits[Int(token)]
            logits[Int(token)] = score < 0 ? score * penalty : score / penalty
        }
    }

    /// The first of the largest logits.
    static func largest(_ logits: [Float]) -> Int32 { logits.withUnsafeBufferPointer { Int32(LogitScan.largest($0)) } }

    /// The `rank`-th largest value, by a heap of the `rank` largest seen so far whose root is the smallest of them.
    static func threshold(_ logits: [Float], rank: Int) -> Float {
        guard rank < logits.count else { return -.infinity }
        var heap = Array(logits[0..<rank])
        heap.withUnsafeMutableBufferPointer { heap in
            for start in stride(from: rank / 2 - 1, through: 0, by: -1) { sink(heap, start) }
            logits.withUnsafeBufferPointer { logits in
                LogitScan.forEachStretch(of: logits, from: rank, above: { heap[0] }) { index in
                    guard logits[index] > heap[0] else { return }
                    heap[0] = logits[index]
                    sink(heap, 0)
                }
            }
        }
        return heap[0]
    }

    private static func sink(_ heap: UnsafeMutableBufferPointer<Float>, _ start: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            if child >= heap.count { return }
            if child + 1 < heap.count && heap[child + 1] < heap[child] { child += 1 }
            if heap[parent] <= heap[child] { return }
            heap.swapAt(parent, child)
            parent = child
        }
    }

    static func collect(_ logits: [Float], from threshold: Float, scale: Float) -> [Candidate] {
        var candidates: [Candidate] = []
        if threshold == -.infinity { candidates.reserveCapacity(logits.count) }
        logits.withUnsafeBufferPointer { logits in
            LogitScan.forEachStretch(of: logits, from: 0, above: { threshold }) { index in
                if logits[index] >= threshold { candidates.append(Candidate(token: Int32(index), score: logits[index] * scale)) }
            }
        }
        return candidates
    }

    /// The sum of `exp(scale * (logit - largest))`.
    static func mass(_ logits: [Float], scale: Float) -> Float { logits.withUnsafeBufferPointer { LogitScan.mass($0, scale: scale) } }

    /// Scores to probabilities.
    static func normalise(_ candidates: inout [Candidate]) {
        guard let largest = candidates.map(\.score).max() else { return }
        var sum: Float = 0
        for index in candidates.indices {
            candidates[index].score = expf(candidates[index].score - largest)
            sum += candidates[index].score
        }
        for index in candidates.indices { candidates[index].score /= sum }
    }
}
