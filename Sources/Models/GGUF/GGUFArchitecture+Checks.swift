import Tensors

/// What llama.cpp cannot do, and what it does otherwise.
extension GGUFArchitecture {
    /// Why a model cannot be written as this architecture: a part of it that llama.cpp has no place for. Nil when it can.
    func obstacle(_ spec: ArchitectureSpec, separatesHead: Bool) -> String? {
        let attention = spec.attention
        if usesGELU != (spec.feedForward.activation != .silu) { return "the activation \(spec.feedForward.activation)" }
        if attention.hasInputBias && !allowsInputBias { return "a bias on query, key and value" }
        if attention.hasOutputBias && !allowsOutputBias { return "a bias on the output of attention" }
        if spec.feedForward.hasBias && !allowsFeedForwardBias { return "a bias in the feed-forward part" }
        if (!spec.tiesEmbeddings || separatesHead) && hasTiedHeadOnly { return "a head apart from the embedding" }
        if hasPlainHeads, spec.queryWidth != spec.hiddenSize {
            return "heads that together are not as wide as the model (head_dim \(spec.headDimension))"
        }
        // llama.cpp tells Baichuan's sizes apart by their layers: 32 with rotated positions, 40 with ALiBi.
        if name == "baichuan", spec.layerCount != (spec.positions == .slopes ? 40 : 32) { return "a Baichuan model of \(spec.layerCount) layers" }
        if let obstacle = mixtureObstacle(spec) ?? windowObstacle(spec) { return obstacle }
        if let obstacle = rotaryObstacle(spec) { return obstacle }
        if let sliding = spec.slidingRotary, sliding.scaling != .none { return "a position scaling in layers with a window" }
        return nil
    }

    private func rotaryObstacle(_ spec: ArchitectureSpec) -> String? {
        guard spec.positions == .rotary else { return nil }
        if !rotatesInPart, spec.rotatedDimensions != spec.headDimension { return "heads that are rotated in part" }
        // Factors of frequencies are tensors, and these two alone have places for them.
        switch spec.rotary.scaling {
        case .llama3 where name != "llama": return "Llama 3's scaling of positions"
        case .longrope where name != "phi3" && !(name == "llama" && spec.rotary.hasOneList): return "LongRoPE"
        case .yarn(_, _, _, _, _, roundsRange: false): return "YaRN with \"truncate\": false"
        case .none, .linear, .dynamic, .llama3, .longrope, .yarn: return nil
        }
    }

    private func mixtureObstacle(_ spec: ArchitectureSpec) -> String? {
        guard let mixture = spec.mixture else { return name.hasSuffix("moe") ? "a mixture of experts without any layer of one" : nil }
        if mixture.layers.count != spec.layerCount { return "dense layers between mixtures of experts" }
        guard let normalisesExperts else { return "a mixture of experts" }
        if mixture.normalisesWeights != normalisesExperts {
            return mixture.normalisesWeights ? "weights of experts that add up to one" : "weights of experts that do not add up to one"
        }
        return nil
    }

    private func windowObstacle(_ spec: ArchitectureSpec) -> String? {
        guard slidingPeriod != nil, spec.attention.slidingWindow != nil else { return nil }
        return windowPeriod(spec) == nil ? "an irregular order of layers with a window" : nil
    }

    /// Every how many layers one has no window, where that is regular.
    func windowPeriod(_ spec: ArchitectureSpec) -> Int? {
        let free = (0..<spec.layerCount).filter { !spec.attention.slidingLayers.contains($0) }
        func layers(_ period: Int) -> [Int] { (0..<spec.layerCount).filter { ($0 + 1) % period == 0 } }
        if let slidingPeriod, layers(slidingPeriod) == free { return slidingPeriod }
        // gemma2's period is part of llama.cpp's program.
        return name == "gemma3" ? (1...max(1, spec.layerCount + 1)).first { layers($0) == free } : nil
    }

    /// Differences that a user should know of, none of which keeps the file from being used.
    func notices(_ spec: ArchitectureSpec) -> [String] {
        var notices: [String] = []
        if slidingPeriod == nil, let window = spec.attention.slidingWindow, !spec.attention.slidingLayers.isEmpty, window < spec.maximumPositions {
            notices.append("llama.cpp does not apply this model's window of \(window) tokens: longer texts will be answered otherwise there.")
        }
        if case .dynamic = spec.rotary.scaling {
            notices.append("llama.cpp has no dynamic position scaling: beyond \(spec.maximumPositions) tokens it will answer otherwise.")
        }
        if spec.feedForward.activation == .gelu {
            notices.append("llama.cpp computes GELU by its tanh formula; answers may differ in rare cases.")
        }
        return notices
    }
}
