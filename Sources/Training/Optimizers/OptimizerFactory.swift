/// From a run's settings to its optimizer: every trained parameter gets the rule that suits its name and shape.

import Models
import Platform
import Tensors

extension OptimizerSettings {
    /// - Parameters:
    ///   - parameters: what is trained, in the order of the model.
    ///   - directory: where paged state lies.
    ///   - isOffloaded: whether a card's state lies in the host's memory
    func optimizer(
        for parameters: [Parameter], of model: Transformer, directory: String? = nil, isOffloaded: Bool = false
    ) throws(TrainingError) -> Optimizer {
        let memory = StateMemory(backend: model.backend, pagedDirectory: isPaged ? directory : nil, isOffloaded: isOffloaded)
        let parameters = isShare ? withoutEnds(parameters) : parameters
        let rotation = try rotation(parameters)
        let targets = lowRank == nil ? [] : lowRankParameters(of: model)
        let tables = EightBitTables()
        let embedding = model.embedding
        let members = parameters.enumerated().map { index, parameter in
            let keepsAll = parameter === embedding
            let isMaster = rotation != nil && parameter.value.dtype != .float32
            return Optimizer.Member(
                parameter, decays: formula == .adamMini ? AdamMini.decays(parameter.name) : formula == .muon || Optimizer.decays(parameter.name),
                rateFactor: rateFactor(parameter)
            ) { memory in
                let rule = rule(
                    for: parameter, model: model, isLowRank: targets.contains(ObjectIdentifier(parameter)), keepsAll: keepsAll,
                    seed: seed &+ UInt64(index), tables: tables, memory: memory)
                return isMaster ? MasterCopy(of: parameter, memory: memory, inner: rule) : rule
            }
        }
        return Optimizer(name: name, members: members, weightDecay: adam.weightDecay, memory: memory, rotation: rotation)
    }

    private func rule(
        for parameter: Parameter, model: Transformer, isLowRank: Bool, keepsAll: Bool, seed: UInt64, tables: EightBitTables,
        memory: StateMemory
    ) -> any UpdateRule {
        let shape = parameter.shape
        if let lowRank {
            guard isLowRank else { return UncorrectedAdamW(shape: shape, settings: adam, decaysFirst: false, memory: memory) }
            switch lowRank {
            case .galore(let projection):
                return GaLore(shape: shape, adam: adam, projection: projection, seed: seed, memory: memory)
            case .apollo(let projection, let apollo):
                return Apollo(shape: shape, adam: adam, settings: apollo, projection: projection, seed: seed, memory: memory)
            }
        }
        if case .share(let settings)? = blocks {
            return SparseAdam(count: parameter.count, adam: adam, settings: settings, seed: seed, memory: memory)
        }
        switch formula {
        case .adamW: return AdamW(shape: shape, settings: adam, memory: memory)
        case .eightBitAdamW:
            // bitsandbytes keeps embeddings and small parameters in 32 bits.
            guard parameter.count >= EightBitAdamW.smallestCount, !keepsAll else {
                return AdamW(shape: shape, settings: adam, memory: memory)
            }
            return EightBitAdamW(count: parameter.count, settings: adam, tables: tables, memory: memory)
        case .adafactor: return Adafactor(shape: shape, memory: memory)
        case .stochasticGradientDescent(let settings): return StochasticGradientDescent(shape: shape, settings: settings, memory: memory)
        case .adagrad(let settings): return Adagrad(shape: shape, settings: settings, memory: memory)
        case .rootMeanSquarePropagation(let settings):
            return RootMeanSquarePropagation(shape: shape, settings: settings, memory: memory)
        case .muon:
            return Muon.suits(name: parameter.name, shape: shape)
                ? Muon(shape: shape, memory: memory) : UncorrectedAdamW(shape: shape, settings: adam, decaysFirst: true, memory: memory)
        case .adamMini:
            let model = AdamMini.Shape(hiddenSize: model.spec.hiddenSize, headCount: model.spec.headCount)
            guard let blocks = AdamMini.blockCount(name: parameter.name, shape: shape, model: model) else {
                return AdamW(shape: shape, settings: adam, memory: memory)
            }
            return AdamMini(shape: shape, blockCount: blocks, settings: adam, memory: memory)
        }
    }

    private var isShare: Bool {
        if case .share? = blocks { return true }
        return false
    }

    /// badam's ratio mode leaves embeddings and head as they are.
    private func withoutEnds(_ parameters: [Parameter]) -> [Parameter] {
        func isEnd(_ parameter: Parameter) -> Bool { parameter.name.contains("embed") || parameter.name.contains("lm_head") }
        for parameter in parameters where isEnd(parameter) { parameter.requiresGradient = false }
        return parameters.filter { !isEnd($0) }
    }

    private func rotation(_ parameters: [Parameter]) throws(TrainingError) -> BlockRotation? {
        guard case .layers(let order, let start, let interval)? = blocks else { return nil }
        guard
            let rotation = BlockRotation(parameterNames: parameters.map(\.name), order: order, start: start, interval: interval, seed: seed)
        else {
            throw .unsuitable(argument: "use_badam", value: "true", reason: "none of the trained parameters lies in a layer of the model.")
        }
        if let start, start >= rotation.blockNames.count {
            throw .unsuitable(
                argument: "badam_start_block", value: "\(start)", reason: "the model has blocks 0 to \(rotation.blockNames.count - 1).")
        }
        return rotation
    }

    /// Weights of the linear layers whose names hold one of the targets.
    private func lowRankParameters(of model: Transformer) -> Set<ObjectIdentifier> {
        let takesAll = lowRankTargets == ["all"]
        return Set(
            model.linears.compactMap { linear in
                guard takesAll || lowRankTargets.contains(where: { linear.name.contains($0) }) else { return nil }
                return linear.weight.parameter.map(ObjectIdentifier.init)
            })
    }

    /// LoRA+ (Hayou et al., arXiv 2402.12354): B matrices and vectors learn `ratio` times as fast as A.
    private func rateFactor(_ parameter: Parameter) -> Double {
        guard let rates = adapterRates else { return 1 }
        if parameter.name.contains("lora_embedding_B") { return learningRate > 0 ? rates.embeddingRate / learningRate : 1 }
        return parameter.name.contains("lora_B") || parameter.shape.count == 1 ? rates.ratio : 1
    }
}

extension Optimizer {
    /// Plain AdamW over all parameters.
    public static func adamW(
        _ parameters: [Parameter], settings: AdamWSettings = AdamWSettings(), backend: any Backend, isOffloaded: Bool = false
    ) -> Optimizer {
        Optimizer(
            name: "adamw",
            members: parameters.map { parameter in
                Member(parameter, decays: decays(parameter.name)) { AdamW(shape: parameter.shape, settings: settings, memory: $0) }
            }, weightDecay: settings.weightDecay, memory: StateMemory(backend: backend, isOffloaded: isOffloaded))
    }
}
