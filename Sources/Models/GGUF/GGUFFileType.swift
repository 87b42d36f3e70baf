import Formats
import Tensors

/// The types that a GGUF file can be written in, by llama.cpp's names.
public enum GGUFFileType: String, Sendable, CaseIterable {
    case f32, f16, bf16
    case q8Zero = "q8_0"
    case q6K = "q6_k"
    case q5KM = "q5_k_m"
    case q4KM = "q4_k_m"
    case q4Zero = "q4_0"

    /// `general.file_type` (llama.cpp's `llama_ftype`).
    var number: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4Zero: 2
        case .q8Zero: 7
        case .q4KM: 15
        case .q5KM: 17
        case .q6K: 18
        case .bf16: 32
        }
    }

    /// What most matrices are.
    var base: GGUFTensorType {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        case .q8Zero: .q8_0
        case .q6K: .q6_k
        case .q5KM: .q5_k
        case .q4KM: .q4_k
        case .q4Zero: .q4_0
        }
    }

    public var isQuantized: Bool { base.isQuantized }

    /// Of the types that are not quantised.
    public var bytesPerNumber: Int { base.blockBytes }

    /// "Q4_K_M", as files are named after it.
    public var label: String { rawValue.uppercased() }
}

/// Which type each tensor gets: llama.cpp's rules (`llama_tensor_get_type_impl` in llama-quant.cpp), so that files are what its own
/// tool would make.
struct GGUFTypeMix {
    let fileType: GGUFFileType
    let architecture: GGUFArchitecture
    let spec: ArchitectureSpec
    /// No tensor `output.weight` is written.
    let isTied: Bool

    /// - Parameter index: the tensor's place among those of its part (values, or downs) in the order of layers.
    func type(_ tensor: GGUFLayout.Tensor) -> GGUFTensorType {
        guard tensor.canQuantize else { return .float32 }
        guard fileType.isQuantized else { return fileType.base }
        return fitting(chosen(tensor), columns: tensor.shape.last ?? 1)
    }

    private func chosen(_ tensor: GGUFLayout.Tensor) -> GGUFTensorType {
        let isMixed = fileType == .q4KM || fileType == .q5KM
        let eightExperts = spec.mixture?.expertCount == 8
        switch tensor.role {
        case .head: return headType(tensor)
        case .embedding where isTied: return headType(tensor)
        case .value, .queryKeyValue:
            if eightExperts { return .q8_0 }
            if isMixed, usesMoreBits(tensor.layer) { return .q6_k }
            return fileType == .q4KM && isSeventyBillion ? .q5_k : fileType.base
        case .key: return eightExperts ? .q8_0 : fileType.base
        case .down, .expertDown, .sharedDown: return isMixed && usesMoreBits(tensor.layer) ? .q6_k : fileType.base
        case .attentionOutput: return eightExperts && fileType == .q4KM ? .q5_k : fileType.base
        case .embedding, .positionEmbedding, .embeddingNorm, .attentionNorm, .query, .queryNorm, .keyNorm, .attentionOutputNorm,
            .feedForwardNorm, .gate, .up, .gateUp, .router, .expertGate, .expertUp, .sharedGate, .sharedUp, .sharedRouter,
            .feedForwardOutputNorm, .finalNorm:
            return fileType.base
        }
    }

    private func headType(_ tensor: GGUFLayout.Tensor) -> GGUFTensorType {
        guard fileType.base != .q8_0, (tensor.shape.last ?? 1) % fileType.base.blockElements == 0 else { return .q8_0 }
        return .q6_k
    }

    /// The first and last eighth of the layers, and every third between.
    private func usesMoreBits(_ layer: Int) -> Bool {
        let count = spec.layerCount
        return layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
    }

    /// Models of 80 layers with shared values, which are small there.
    private var isSeventyBillion: Bool {
        spec.layerCount == 80 && (architecture.name == "llama" || architecture.name == "qwen2") && spec.keyValueHeadCount < spec.headCount
    }

    /// Rows that are no whole number of blocks take a type of smaller ones.
    private func fitting(_ type: GGUFTensorType, columns: Int) -> GGUFTensorType {
        guard columns % type.blockElements != 0 else { return type }
        let smaller: GGUFTensorType =
            switch type {
            case .q4_k: .q5_0
            case .q5_k: .q5_1
            case .q6_k: .q8_0
            default: .float16
            }
        return columns % smaller.blockElements == 0 ? smaller : .float16
    }
}
