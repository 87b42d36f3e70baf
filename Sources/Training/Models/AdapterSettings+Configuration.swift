/// A new adapter and freeze tuning as the arguments ask for them.

import Configuration
import Models
import Tensors

extension AdapterSettings {
    /// - Parameter model: where expanded blocks are looked up.
    init(_ configuration: Configuration, method: TrainingSettings.Method, model: Transformer) throws(ModelError) {
        // oft_target is the argument of OFT; recipes made for LLaMA-Factory name layers in lora_target, which it reads for both.
        let named = method == .oft && configuration.isChanged("oft_target") ? configuration[.oftTarget] : configuration[.loraTarget]
        self.init(
            targets: named, rank: configuration[.loraRank], alpha: configuration[.loraAlpha].map { Double($0) },
            dropout: configuration[.loraDropout], usesRankStabilisedScale: configuration[.useRslora])
        savedModules = configuration[.additionalTarget]
        if configuration[.useLlamaPro] { targets = try Self.expandedTargets(named, configuration, model) }
        switch method {
        case .oft:
            self.method = .rotation(
                RotationSettings(
                    blockCount: configuration[.oftRank], blockSize: configuration[.oftRank] > 0 ? 0 : configuration[.oftBlockSize],
                    dropout: configuration[.moduleDropout]))
        case .lora, .freeze, .full:
            usesMagnitudes = configuration[.useDora]
            if configuration[.pissaInit] {
                let rounds = configuration[.pissaIter]
                start = .principal(iterations: rounds < 0 ? nil : rounds)
            }
        }
    }

    /// The targeted layers of the blocks that an expansion has added, by their whole paths.
    private static func expandedTargets(
        _ named: [String], _ configuration: Configuration, _ model: Transformer
    ) throws(ModelError) -> [String] {
        let blocks = try FreezeSelection.expandedLayers(model.spec.layerCount, added: configuration[.freezeTrainableLayers])
        let linears = blocks.flatMap { named.contains("all") ? model.layers[$0].usualTargets : model.layers[$0].linears }
        return linears.map(\.name).filter { path in
            named.contains("all") || named.contains { path == $0 || path.hasSuffix("." + $0) }
        }
    }
}

extension FreezeSelection {
    init(_ configuration: Configuration) {
        self.init(
            layers: configuration[.freezeTrainableLayers], modules: configuration[.freezeTrainableModules],
            extraModules: configuration[.freezeExtraModules], isExpanded: configuration[.useLlamaPro])
    }
}
