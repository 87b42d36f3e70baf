/// Random numbers that are the same on every machine and can be saved and restored.

import Glibc

/// xoshiro256++ (Blackman and Vigna, 2019) seeded through SplitMix64. Its whole state is saved with a checkpoint, so that a
/// resumed run draws what the uninterrupted one would have drawn.
public struct RandomGenerator: RandomNumberGenerator, Sendable, Equatable {
    private var words: (UInt64, UInt64, UInt64, UInt64)
    /// The second number of the last Box-Muller pair, as bits, when `hasSpare`.
    private var spareBits: UInt64 = 0
    private var hasSpare = false

    public init(seed: UInt64) {
        var mixer = SplitMix64(state: seed)
        words = (mixer.next(), mixer.next(), mixer.next(), mixer.next())
    }

    /// An independent stream for part `stream` of a run seeded with `seed`.
    public init(seed: UInt64, stream: UInt64) {
        var mixer = SplitMix64(state: seed)
        let first = mixer.next()
        self.init(seed: first ^ (stream &* 0x9E37_79B9_7F4A_7C15))
    }

    public static func == (left: RandomGenerator, right: RandomGenerator) -> Bool { left.state == right.state }

    public mutating func next() -> UInt64 {
        let result = rotated(words.0 &+ words.3, 23) &+ words.0
        let shifted = words.1 << 17
        words.2 ^= words.0
        words.3 ^= words.1
        words.1 ^= words.2
        words.0 ^= words.3
        words.2 ^= shifted
        words.3 = rotated(words.3, 45)
        return result
    }

    /// Uniform in [0, 1), 53 bits.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Uniform in [low, high).
    public mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

    /// Standard normal, by Box and Muller.
    public mutating func normal() -> Double {
        if hasSpare {
            hasSpare = false
            return Double(bitPattern: spareBits)
        }
        let radius = (-2 * log(1 - uniform())).squareRoot()
        let angle = 2 * Double.pi * uniform()
        spareBits = (radius * sin(angle)).bitPattern
        hasSpare = true
        return radius * cos(angle)
    }

    /// Uniform in 0 ..< bound without bias (Lemire). A bound below 1 gives 0.
    public mutating func index(below bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        let range = UInt64(bound)
        var product = next().multipliedFullWidth(by: range)
        if product.low < range {
            let threshold = (0 &- range) % range
            while product.low < threshold { product = next().multipliedFullWidth(by: range) }
        }
        return Int(product.high)
    }

    /// 0 ..< count in random order (Fisher and Yates).
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<max(count, 0))
        shuffle(&order)
        return order
    }

    public mutating func shuffle<Element>(_ values: inout [Element]) {
        guard values.count > 1 else { return }
        for last in stride(from: values.count - 1, to: 0, by: -1) {
            values.swapAt(last, index(below: last + 1))
        }
    }

    /// Six words that restore the generator exactly. Anything but six words is ignored.
    public var state: [UInt64] {
        get { [words.0, words.1, words.2, words.3, spareBits, hasSpare ? 1 : 0] }
        set {
            guard newValue.count == 6 else { return }
            words = (newValue[0], newValue[1], newValue[2], newValue[3])
            spareBits = newValue[4]
            hasSpare = newValue[5] != 0
        }
    }

    private func rotated(_ value: UInt64, _ by: UInt64) -> UInt64 { (value << by) | (value >> (64 - by)) }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): spreads a small seed over 64 bits.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(state: UInt64) { self.state = state }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
