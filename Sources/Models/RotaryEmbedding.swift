import Glibc
import Tensors

/// Makes the cosine and sine tables of a `RotarySpec` and keeps them until a longer sequence comes.
///
/// Frequencies are computed in f32 with the same steps as transformers' `modeling_rope_utils.py`, so that angles at large positions
/// round alike.
final class RotaryEmbedding {
    let spec: RotarySpec
    /// Dimensions that are rotated, of each head's.
    let dimension: Int
    private let maximumPositions: Int
    private var table: RotaryTable?
    private var tableLength = 0
    private var tableIsStretched = false

    init(spec: RotarySpec, headDimension: Int, maximumPositions: Int) {
        self.spec = spec
        self.dimension = spec.rotatedDimensions(of: headDimension)
        self.maximumPositions = maximumPositions
    }

    /// A table with at least `length` positions; one without values when it is only planned.
    func table(length: Int, isPlanned: Bool = false) -> RotaryTable {
        if isPlanned { return RotaryTable(plannedPositions: length, rotaryDimension: dimension, isInterleaved: spec.isInterleaved) }
        if let table, isUsable(for: length) { return table }
        let stretches = isStretched(length)
        let rows = stretches && isDynamic ? length : max(length, min(2 * length, maximumPositions))
        let made = makeTable(rows: rows, frequencies: Self.frequencies(spec, dimension: dimension, length: length))
        table = made
        tableLength = rows
        tableIsStretched = stretches
        return made
    }

    private func isUsable(for length: Int) -> Bool {
        guard isStretched(length) == tableIsStretched else { return false }
        return tableIsStretched && isDynamic ? length == tableLength : length <= tableLength
    }

    /// Whether frequencies change with every length, once the original positions are left behind.
    private var isDynamic: Bool {
        if case .dynamic = spec.scaling { return true }
        return false
    }

    /// Whether this length has other frequencies than short ones.
    func isStretched(_ length: Int) -> Bool {
        switch spec.scaling {
        case .dynamic(_, let originalPositions), .longrope(_, _, _, let originalPositions): length > originalPositions
        case .none, .linear, .llama3, .yarn: false
        }
    }

    private func makeTable(rows: Int, frequencies: [Float]) -> RotaryTable {
        var temperature: Float = 1
        switch spec.scaling {
        case .yarn(_, _, _, let attentionFactor, _, _), .longrope(_, _, let attentionFactor, _): temperature = Float(attentionFactor)
        case .none, .linear, .dynamic, .llama3: break
        }
        return RotaryTable(
            inverseFrequencies: frequencies, positionCount: rows, isInterleaved: spec.isInterleaved, attentionFactor: temperature)
    }

    /// One angle per pair of dimensions and position. `length` matters to dynamic scaling only.
    static func frequencies(_ spec: RotarySpec, dimension: Int, length: Int) -> [Float] {
        let pairs = dimension / 2
        switch spec.scaling {
        case .none: return plain(theta: spec.theta, dimension: dimension)
        case .linear(let factor): return plain(theta: spec.theta, dimension: dimension).map { $0 / Float(factor) }
        case .dynamic(let factor, let originalPositions):
            let stretch = factor * Double(max(length, originalPositions)) / Double(originalPositions) - (factor - 1)
            let exponent = dimension > 2 ? Double(dimension) / Double(dimension - 2) : 1
            return plain(theta: spec.theta * pow(stretch, exponent), dimension: dimension)
        case .llama3(let factor, let lowFactor, let highFactor, let originalPositions):
            return plain(theta: spec.theta, dimension: dimension).map { frequency in
                let turns = Double(originalPositions) * Double(frequency) / (2 * Double.pi)
                if turns > highFactor { return frequency }
                if turns < lowFactor { return frequency / Float(factor) }
                let share = Float((turns - lowFactor) / (highFactor - lowFactor))
                return (1 - share) * frequency / Float(factor) + share * frequency
            }
        case .longrope(let shortFactors, let longFactors, _, let originalPositions):
            let factors = length > originalPositions ? longFactors : shortFactors
            return zip(plain(theta: spec.theta, dimension: dimension), factors).map { $0 / Float($1) }
        case .yarn(let factor, let betaFast, let betaSlow, _, let originalPositions, let roundsRange):
            func turningDimension(_ turns: Double) -> Double {
                Double(dimension) * log(Double(originalPositions) / (turns * 2 * Double.pi)) / (2 * log(spec.theta))
            }
            var low = turningDimension(betaFast)
            var high = turningDimension(betaSlow)
            if roundsRange { (low, high) = (low.rounded(.down), high.rounded(.up)) }
            low = max(low, 0)
            high = min(high, Double(dimension - 1))
            if low == high { high += 0.001 }
            let kept = plain(theta: spec.theta, dimension: dimension)
            return (0..<pairs).map { pair in
                let ramp = Float(min(max((Double(pair) - low) / (high - low), 0), 1))
                return kept[pair] / Float(factor) * ramp + kept[pair] * (1 - ramp)
            }
        }
    }

    private static func plain(theta: Double, dimension: Int) -> [Float] {
        (0..<dimension / 2).map { pair in
            1 / powf(Float(theta), Float(2 * pair) / Float(dimension))
        }
    }
}

/// 2 to a power, for files that need no other function of Glibc.
func exponentOfTwo(_ power: Double) -> Float { Float(exp2(power)) }

/// Glibc's natural logarithm for files that need no other function of it.
func logarithm(_ value: Double) -> Double { log(value) }
