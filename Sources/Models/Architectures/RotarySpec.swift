import Formats

/// How positions turn into angles: the base, the share of each head that is rotated, and the scaling that stretches the context.
public struct RotarySpec: Sendable, Equatable {
    /// The base of the geometric series of wavelengths (`rope_theta`).
    public var theta: Double
    public var scaling: RotaryScaling
    /// The leading share of each head's dimensions that is rotated (`partial_rotary_factor`).
    public var rotatedShare: Double
    /// Pairs are (2i, 2i + 1) when true, (i, i + half) when false.
    public var isInterleaved: Bool

    public init(theta: Double, scaling: RotaryScaling = .none, rotatedShare: Double = 1, isInterleaved: Bool = false) {
        self.theta = theta
        self.scaling = scaling
        self.rotatedShare = rotatedShare
        self.isInterleaved = isInterleaved
    }

    /// Dimensions of a head of so many that are rotated: an even number.
    func rotatedDimensions(of headDimension: Int) -> Int { Int(Double(headDimension) * rotatedShare) / 2 * 2 }
}

/// The scalings of transformers' `rope_type`.
public enum RotaryScaling: Sendable, Equatable {
    case none
    /// Every angle is divided by the factor (position interpolation).
    case linear(factor: Double)
    /// The base grows with the sequence once it is longer than `originalPositions` (dynamic NTK).
    case dynamic(factor: Double, originalPositions: Int)
    /// Long wavelengths are divided by the factor, short ones kept, those between interpolated (Llama 3.1).
    case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalPositions: Int)
    /// Interpolation by parts with a correction of the attention's temperature (arXiv 2309.00071).
    case yarn(factor: Double, betaFast: Double, betaSlow: Double, attentionFactor: Double, originalPositions: Int, roundsRange: Bool)
    /// A factor for each pair of dimensions, one list for sequences within the original positions and one for longer ones
    /// (LongRoPE, arXiv 2402.13753).
    case longrope(shortFactors: [Double], longFactors: [Double], attentionFactor: Double, originalPositions: Int)
}

extension RotaryScaling {
    /// The keys of config.json that say the same.
    var parameters: JSONObject {
        switch self {
        case .none: ["rope_type": "default"]
        case .linear(let factor): ["rope_type": "linear", "factor": .number(factor)]
        case .dynamic(let factor, _): ["rope_type": "dynamic", "factor": .number(factor)]
        case .llama3(let factor, let low, let high, let original):
            [
                "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low), "high_freq_factor": .number(high),
                "original_max_position_embeddings": .integer(Int64(original)),
            ]
        case .yarn(let factor, let betaFast, let betaSlow, let attentionFactor, let original, let roundsRange):
            [
                "rope_type": "yarn", "factor": .number(factor), "beta_fast": .number(betaFast), "beta_slow": .number(betaSlow),
                "attention_factor": .number(attentionFactor), "original_max_position_embeddings": .integer(Int64(original)),
                "truncate": .bool(roundsRange),
            ]
        case .longrope(let short, let long, let attentionFactor, let original):
            [
                "rope_type": "longrope", "short_factor": .array(short.map { .number($0) }), "long_factor": .array(long.map { .number($0) }),
                "attention_factor": .number(attentionFactor), "original_max_position_embeddings": .integer(Int64(original)),
            ]
        }
    }

    /// Positions after stretching a model that knew `positions`. Dynamic scaling takes the original number from
    /// `max_position_embeddings`, which therefore has to stay.
    func reachedPositions(from positions: Int) -> Int? {
        switch self {
        case .none, .dynamic, .longrope: nil
        case .linear(let factor): Int(Double(positions) * factor)
        case .llama3(let factor, _, _, let original), .yarn(let factor, _, _, _, let original, _): max(positions, Int(Double(original) * factor))
        }
    }
}

extension ConfigurationFields {
    /// Reads either spelling. `defaultTheta` is the architecture's value where the key is absent; `layerType` is the kind of layers
    /// that is asked for, where the configuration tells kinds apart.
    public func rotary(
        defaultTheta: Double = 10000, defaultShare: Double = 1, maximumPositions: Int, layerType: String = "full_attention"
    ) throws(ModelError) -> RotarySpec {
        var own = JSONObject()
        for key in ["rope_theta", "partial_rotary_factor", "original_max_position_embeddings"] { own[key] = value(key) }
        for key in ["rope_scaling", "rope_parameters"] {
            if let nested = try fields(key) { own.merge((try nested.fields(layerType) ?? nested).object) }
        }
        let merged = ConfigurationFields(own, file: file)
        return RotarySpec(
            theta: try merged.positiveNumber("rope_theta") ?? defaultTheta,
            scaling: try merged.rotaryScaling(maximumPositions: maximumPositions),
            rotatedShare: min(try merged.positiveNumber("partial_rotary_factor") ?? defaultShare, 1))
    }

    private func rotaryScaling(maximumPositions: Int) throws(ModelError) -> RotaryScaling {
        let kind = try text("rope_type", "type") ?? "default"
        switch kind {
        case "default": return .none
        case "linear": return .linear(factor: try scalingFactor())
        case "dynamic":
            return .dynamic(factor: try scalingFactor(), originalPositions: maximumPositions)
        case "llama3":
            let low = try positiveNumber("low_freq_factor") ?? 1
            let high = try positiveNumber("high_freq_factor") ?? 4
            guard high > low else { throw invalid("high_freq_factor", "above low_freq_factor", .number(high)) }
            return .llama3(
                factor: try scalingFactor(), lowFrequencyFactor: low, highFrequencyFactor: high,
                originalPositions: try integer("original_max_position_embeddings", default: maximumPositions))
        case "longrope", "su": return try longrope(maximumPositions: maximumPositions)
        case "yarn": return try yarn(maximumPositions: maximumPositions)
        default:
            throw .unsupported(
                file: file, what: "the position scaling \"\(kind)\" (rope_type)",
                whatToDo: "Known are default, linear, dynamic, llama3, yarn and longrope.")
        }
    }

    private func longrope(maximumPositions: Int) throws(ModelError) -> RotaryScaling {
        let original = try integer("original_max_position_embeddings", default: maximumPositions)
        let factor = try positiveNumber("factor") ?? Double(maximumPositions) / Double(original)
        let derived = factor <= 1 ? 1 : (1 + logarithm(factor) / logarithm(Double(max(original, 2)))).squareRoot()
        return .longrope(
            shortFactors: try factors("short_factor"), longFactors: try factors("long_factor"),
            attentionFactor: try positiveNumber("attention_factor") ?? derived, originalPositions: original)
    }

    /// LongRoPE has one factor for each pair of dimensions that is rotated.
    func checkFactors(_ spec: ArchitectureSpec) throws(ModelError) {
        for rotary in [spec.rotary, spec.slidingRotary].compactMap({ $0 }) {
            guard case .longrope(let short, let long, _, _) = rotary.scaling else { continue }
            let pairs = rotary.rotatedDimensions(of: spec.headDimension) / 2
            for (key, factors) in [("short_factor", short), ("long_factor", long)] where factors.count != pairs {
                throw invalid("rope_scaling." + key, "one factor for each of the \(pairs) rotated pairs", .integer(Int64(factors.count)))
            }
        }
    }

    private func factors(_ key: String) throws(ModelError) -> [Double] {
        guard let found = value(key) else { throw .missingKey(file: file, key: "rope_scaling." + key) }
        let numbers = (found.arrayValue ?? []).compactMap(\.doubleValue)
        guard !numbers.isEmpty, numbers.count == found.arrayValue?.count, numbers.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw invalid(key, "a list of numbers above 0", found)
        }
        return numbers
    }

    private func scalingFactor() throws(ModelError) -> Double {
        guard let factor = try positiveNumber("factor") else { throw .missingKey(file: file, key: "rope_scaling.factor") }
        return factor
    }

    private func yarn(maximumPositions: Int) throws(ModelError) -> RotaryScaling {
        let original = try integer("original_max_position_embeddings", default: maximumPositions)
        let factor = try positiveNumber("factor") ?? Double(maximumPositions) / Double(original)
        let scale = try number("mscale") ?? 0
        let scaleOfAll = try number("mscale_all_dim") ?? 0
        let derived =
            scale != 0 && scaleOfAll != 0
            ? Self.yarnTemperature(factor, scale) / Self.yarnTemperature(factor, scaleOfAll)
            : Self.yarnTemperature(factor, 1)
        return .yarn(
            factor: factor, betaFast: try positiveNumber("beta_fast") ?? 32, betaSlow: try positiveNumber("beta_slow") ?? 1,
            attentionFactor: try positiveNumber("attention_factor") ?? derived, originalPositions: original,
            roundsRange: try flag("truncate", default: true))
    }

    /// `0.1 m ln(s) + 1`, equation 22 of the YaRN paper.
    private static func yarnTemperature(_ factor: Double, _ scale: Double) -> Double {
        factor <= 1 ? 1 : 0.1 * scale * logarithm(factor) + 1
    }
}
