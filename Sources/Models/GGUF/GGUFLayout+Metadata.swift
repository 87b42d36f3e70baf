import Formats
import Tensors

extension GGUFLayout {
    /// Everything that llama.cpp must know of the model; the tokenizer's part comes apart.
    /// - Parameter name: for people, shown by llama.cpp and Ollama.
    public func metadata(name: String) -> [(String, GGUFEntry)] {
        let own = architecture.name + "."
        var entries: [(String, GGUFEntry)] = [
            ("general.architecture", .text(architecture.name)), ("general.type", .text("model")), ("general.name", .text(name)),
            ("general.file_type", .uint32(fileType.number)), ("general.quantization_version", .uint32(2)),
            (own + "vocab_size", .uint32(UInt32(spec.vocabularySize))), (own + "context_length", .uint32(UInt32(spec.maximumPositions))),
            (own + "embedding_length", .uint32(UInt32(spec.hiddenSize))), (own + "block_count", .uint32(UInt32(spec.layerCount))),
            (own + "feed_forward_length", .uint32(UInt32(spec.intermediateSize))),
            (own + "attention.head_count", .uint32(UInt32(spec.headCount))),
            (own + "attention.head_count_kv", .uint32(UInt32(spec.keyValueHeadCount))),
            (own + "attention.key_length", .uint32(UInt32(spec.headDimension))),
            (own + "attention.value_length", .uint32(UInt32(spec.headDimension))),
        ]
        let epsilon = spec.norm.kind == .layer ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"
        entries.append((own + epsilon, .float32(spec.norm.epsilon)))
        if spec.positions == .rotary { entries += rotaryEntries(own) }
        if let mixture = spec.mixture { entries += mixtureEntries(mixture, own) }
        if let cap = spec.attention.softCap { entries.append((own + "attn_logit_softcapping", .float32(cap))) }
        if case .softCap(let cap)? = spec.logits { entries.append((own + "final_logit_softcapping", .float32(cap))) }
        entries += windowEntries(own)
        return entries
    }

    private func windowEntries(_ own: String) -> [(String, GGUFEntry)] {
        // Phi-3 models are told from Phi-4 by this key; 0 stands for none.
        if architecture.name == "phi3" { return [(own + "attention.sliding_window", .uint32(UInt32(spec.attention.slidingWindow ?? 0)))] }
        guard let window = spec.attention.slidingWindow, let usual = architecture.slidingPeriod, let period = architecture.windowPeriod(spec) else {
            return []
        }
        var entries: [(String, GGUFEntry)] = [(own + "attention.sliding_window", .uint32(UInt32(window)))]
        if period != usual { entries.append((own + "attention.sliding_window_pattern", .uint32(UInt32(period)))) }
        return entries
    }

    private func rotaryEntries(_ own: String) -> [(String, GGUFEntry)] {
        let rotary = spec.rotary
        var entries: [(String, GGUFEntry)] = [
            (own + "rope.dimension_count", .uint32(UInt32(spec.rotatedDimensions))), (own + "rope.freq_base", .float32(Float(rotary.theta))),
        ]
        if let sliding = spec.slidingRotary { entries.append((own + "rope.freq_base_swa", .float32(Float(sliding.theta)))) }
        switch rotary.scaling {
        case .none, .dynamic, .llama3: break
        case .longrope where rotary.hasOneList && architecture.name != "phi3": break
        case .linear(let factor):
            entries += [(own + "rope.scaling.type", .text("linear")), (own + "rope.scaling.factor", .float32(Float(factor)))]
        case .yarn(let factor, let betaFast, let betaSlow, let attentionFactor, let original, _):
            entries += [
                (own + "rope.scaling.type", .text("yarn")), (own + "rope.scaling.factor", .float32(Float(factor))),
                (own + "rope.scaling.original_context_length", .uint32(UInt32(original))),
                (own + "rope.scaling.yarn_beta_fast", .float32(Float(betaFast))),
                (own + "rope.scaling.yarn_beta_slow", .float32(Float(betaSlow))),
            ]
            // llama.cpp has the usual temperature of its own and multiplies it by this.
            let usual = factor <= 1 ? 1 : 0.1 * logarithm(factor) + 1
            if abs(attentionFactor / usual - 1) > 1e-6 {
                entries.append((own + "rope.scaling.attn_factor", .float32(Float(attentionFactor / usual))))
            }
        case .longrope(_, _, let attentionFactor, let original):
            entries += [
                (own + "rope.scaling.type", .text("longrope")), (own + "rope.scaling.attn_factor", .float32(Float(attentionFactor))),
                (own + "rope.scaling.original_context_length", .uint32(UInt32(original))),
            ]
        }
        return entries
    }

    private func mixtureEntries(_ mixture: MixtureSpec, _ own: String) -> [(String, GGUFEntry)] {
        var entries: [(String, GGUFEntry)] = [
            (own + "expert_count", .uint32(UInt32(mixture.expertCount))),
            (own + "expert_used_count", .uint32(UInt32(mixture.expertsPerToken))),
        ]
        if architecture.name != "llama" {
            entries.append((own + "expert_feed_forward_length", .uint32(UInt32(mixture.intermediateSize))))
        }
        if let shared = mixture.sharedIntermediateSize {
            entries.append((own + "expert_shared_feed_forward_length", .uint32(UInt32(shared))))
        }
        return entries
    }
}
