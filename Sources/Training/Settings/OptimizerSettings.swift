/// How a run optimises: the formula, what its state is kept in, and which parameters are treated apart.

import Configuration

public struct OptimizerSettings: Sendable {
    enum Formula: Sendable, Equatable {
        case adamW, eightBitAdamW, adafactor, adamMini, muon
        case stochasticGradientDescent(StochasticGradientDescent.Settings)
        case adagrad(Adagrad.Settings)
        case rootMeanSquarePropagation(RootMeanSquarePropagation.Settings)
    }

    /// Gradients of some linear layers are seen in a low rank.
    enum LowRank: Sendable, Equatable {
        case galore(ProjectionSettings)
        case apollo(ProjectionSettings, Apollo.Settings)
    }

    enum Blocks: Sendable, Equatable {
        case layers(order: BlockRotation.Order, start: Int?, interval: Int?)
        case share(SparseAdam.Settings)
    }

    /// LoRA+: other learning rates for B matrices and for adapters of embeddings.
    struct AdapterRates: Sendable, Equatable {
        var ratio: Double
        var embeddingRate: Double
    }

    /// What people and checkpoints call it.
    public let name: String
    public let adam: AdamWSettings
    let formula: Formula
    let isPaged: Bool
    let lowRank: LowRank?
    /// Parts of the names of the modules that `lowRank` is for; `all` takes every linear layer.
    let lowRankTargets: [String]
    let blocks: Blocks?
    let adapterRates: AdapterRates?
    let learningRate: Double
    let seed: UInt64

    public init(_ configuration: Configuration) throws(TrainingError) {
        adam = AdamWSettings(
            beta1: configuration[.adamBeta1], beta2: configuration[.adamBeta2], epsilon: configuration[.adamEpsilon],
            weightDecay: configuration[.weightDecay])
        learningRate = configuration[.learningRate]
        seed = UInt64(bitPattern: Int64(configuration[.seed]))
        let optim = configuration[.optim]
        var options = try OptimizerOptions(configuration[.optimArgs])
        isPaged = optim.hasPrefix("paged_")
        formula = try Self.formula(configuration, optim, &options)
        (lowRank, lowRankTargets) = try Self.lowRank(configuration, optim, &options)
        try options.finish(optim)
        blocks = try Self.blocks(configuration)
        adapterRates = configuration[.loraplusLrRatio].map {
            AdapterRates(ratio: $0, embeddingRate: configuration[.loraplusLrEmbedding])
        }
        name = Self.name(formula, lowRank, blocks, isPaged: isPaged)
    }

    /// For the model card.
    public var summary: String {
        switch formula {
        case .adamW, .eightBitAdamW, .adamMini, .muon: "\(name), betas (\(adam.beta1), \(adam.beta2)), epsilon \(adam.epsilon)"
        case .adafactor, .stochasticGradientDescent, .adagrad, .rootMeanSquarePropagation: name
        }
    }

    private static func name(_ formula: Formula, _ lowRank: LowRank?, _ blocks: Blocks?, isPaged: Bool) -> String {
        switch (lowRank, blocks) {
        case (.galore?, _): return "galore_adamw"
        case (.apollo?, _): return "apollo_adamw"
        case (nil, .layers?): return "badam"
        case (nil, .share?): return "badam_ratio"
        case (nil, nil): break
        }
        // Paged or not, the state is the same.
        return switch formula {
        case .adamW: "adamw"
        case .eightBitAdamW: "adamw_8bit"
        case .adafactor: "adafactor"
        case .adamMini: "adam_mini"
        case .muon: "muon"
        case .stochasticGradientDescent: "sgd"
        case .adagrad: "adagrad"
        case .rootMeanSquarePropagation: "rmsprop"
        }
    }

    private static func formula(
        _ configuration: Configuration, _ optim: String, _ options: inout OptimizerOptions
    ) throws(TrainingError) -> Formula {
        if configuration[.useMuon] { return .muon }
        if configuration[.useAdamMini] { return .adamMini }
        switch optim {
        case "adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw_apex_fused", "adamw_torch_xla", "adamw_torch_npu_fused",
            "paged_adamw_32bit", "galore_adamw", "galore_adamw_layerwise", "apollo_adamw", "apollo_adamw_layerwise":
            return .adamW
        case "adamw_8bit", "adamw_bnb_8bit", "adamw_torch_8bit", "paged_adamw_8bit": return .eightBitAdamW
        case "adafactor": return .adafactor
        case "muon": return .muon
        case "sgd":
            let settings = StochasticGradientDescent.Settings(
                momentum: try options.number("momentum") ?? 0, dampening: try options.number("dampening") ?? 0,
                isNesterov: try options.flag("nesterov") ?? false)
            if settings.isNesterov, settings.momentum <= 0 || settings.dampening != 0 {
                throw .unsuitable(
                    argument: "optim_args", value: configuration[.optimArgs] ?? "",
                    reason: "nesterov needs a momentum above 0 and no dampening.")
            }
            return .stochasticGradientDescent(settings)
        case "adagrad":
            return .adagrad(
                Adagrad.Settings(rateDecay: try options.number("lr_decay") ?? 0, epsilon: try options.number("eps") ?? 1e-10))
        case "rmsprop":
            return .rootMeanSquarePropagation(
                RootMeanSquarePropagation.Settings(
                    alpha: try options.number("alpha") ?? 0.99, epsilon: try options.number("eps") ?? 1e-8,
                    momentum: try options.number("momentum") ?? 0))
        default:
            throw .unsuitable(argument: "optim", value: optim, reason: "the engine does not have this optimizer; adamw_torch is the usual one.")
        }
    }

    /// LLaMA-Factory's own switches, or the Trainer's `galore_adamw` and `apollo_adamw` with `optim_args`.
    private static func lowRank(
        _ configuration: Configuration, _ optim: String, _ options: inout OptimizerOptions
    ) throws(TrainingError) -> (LowRank?, [String]) {
        if configuration[.useGalore] {
            let settings = ProjectionSettings(
                rank: configuration[.galoreRank], interval: configuration[.galoreUpdateInterval], scale: configuration[.galoreScale],
                side: ProjectionSettings.Side(rawValue: configuration[.galoreProjType]) ?? .standard, basis: .singularVectors)
            return (.galore(settings), configuration[.galoreTarget])
        }
        if configuration[.useApollo] {
            let settings = ProjectionSettings(
                rank: configuration[.apolloRank], interval: configuration[.apolloUpdateInterval], scale: configuration[.apolloScale],
                side: ProjectionSettings.Side(rawValue: configuration[.apolloProjType]) ?? .standard,
                basis: ProjectionSettings.Basis(rawValue: configuration[.apolloProj]) ?? .random)
            let apollo = Apollo.Settings(
                scalesChannels: configuration[.apolloScaleType] == "channel", scalesInFront: configuration[.apolloScaleFront])
            return (.apollo(settings, apollo), configuration[.apolloTarget])
        }
        let isGaLore = optim.hasPrefix("galore_adamw")
        guard isGaLore || optim.hasPrefix("apollo_adamw") else { return (nil, []) }
        let side = try options.choice("proj_type", ProjectionSettings.Side.self) ?? .standard
        var settings = ProjectionSettings(
            rank: try options.count("rank") ?? 128, interval: try options.count("update_proj_gap") ?? 200,
            scale: try options.number("scale") ?? (isGaLore ? 0.25 : 1), side: side, basis: .singularVectors)
        let targets = configuration[.optimTargetModules].map { $0.replacingUnderscores == "all-linear" ? "all" : $0 }
        if isGaLore { return (.galore(settings), targets) }
        settings.basis = try options.choice("proj", ProjectionSettings.Basis.self) ?? .random
        let scaleType = try options.choice("scale_type", ApolloScale.self) ?? .channel
        return (.apollo(settings, Apollo.Settings(scalesChannels: scaleType == .channel)), targets)
    }

    private enum ApolloScale: String, CaseIterable { case channel, tensor }

    private static func blocks(_ configuration: Configuration) throws(TrainingError) -> Blocks? {
        guard configuration[.useBadam] else { return nil }
        if configuration[.badamMode] == "ratio" {
            return .share(
                SparseAdam.Settings(ratio: configuration[.badamUpdateRatio], isScattered: configuration[.badamMaskMode] == "scatter"))
        }
        return .layers(
            order: BlockRotation.Order(rawValue: configuration[.badamSwitchMode] ?? "ascending") ?? .ascending,
            start: configuration[.badamStartBlock], interval: configuration[.badamSwitchInterval])
    }
}

extension String {
    fileprivate var replacingUnderscores: String { String(map { $0 == "_" ? "-" : $0 }) }
}

/// `optim_args`: `name=value` pairs between commas.
private struct OptimizerOptions {
    private let text: String
    private var values: [(name: String, value: String)] = []
    private var asked: [String] = []

    init(_ text: String?) throws(TrainingError) {
        self.text = text ?? ""
        for part in self.text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map { Self.trimmed($0) }
            guard pair.count == 2, !pair[0].isEmpty else {
                throw .unsuitable(
                    argument: "optim_args", value: self.text, reason: "it must be name=value pairs between commas, such as momentum=0.9.")
            }
            values.append((pair[0], pair[1]))
        }
    }

    private static func trimmed(_ text: Substring) -> String { String(text.filter { $0 != " " }) }

    private mutating func take(_ name: String) -> String? {
        asked.append(name)
        guard let place = values.lastIndex(where: { $0.name == name }) else { return nil }
        let value = values[place].value
        values.removeAll { $0.name == name }
        return value
    }

    mutating func number(_ name: String) throws(TrainingError) -> Double? {
        guard let value = take(name) else { return nil }
        guard let number = Double(value), number.isFinite, number >= 0 else { throw bad(name, value, "a number of at least 0") }
        return number
    }

    mutating func count(_ name: String) throws(TrainingError) -> Int? {
        guard let value = take(name) else { return nil }
        guard let number = Int(value), number >= 1 else { throw bad(name, value, "a whole number of at least 1") }
        return number
    }

    mutating func flag(_ name: String) throws(TrainingError) -> Bool? {
        guard let value = take(name)?.lowercased() else { return nil }
        guard ["true", "1", "yes", "false", "0", "no"].contains(value) else { throw bad(name, value, "true or false") }
        return ["true", "1", "yes"].contains(value)
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String, _: Choice.Type) throws(TrainingError) -> Choice? {
        guard let value = take(name) else { return nil }
        guard let choice = Choice(rawValue: value) else {
            throw bad(name, value, "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return choice
    }

    private func bad(_ name: String, _ value: String, _ expected: String) -> TrainingError {
        .unsuitable(argument: "optim_args", value: text, reason: "\(name) is \(value); it must be \(expected).")
    }

    /// Refuses what nobody asked for.
    func finish(_ optim: String) throws(TrainingError) {
        guard let left = values.first else { return }
        let known = asked.isEmpty ? "nothing" : asked.joined(separator: ", ")
        throw .unsuitable(argument: "optim_args", value: text, reason: "optim \(optim) knows \(known), not \(left.name).")
    }
}
