/// A Llama of any shape with random weights, for measurements that do not depend on what it says.

import Formats
import Models
import Platform
import Tensors

struct BenchModel {
    var layers = 12
    var hidden = 768
    var feedForward = 2048
    var heads = 12
    var keyValueHeads = 4
    var vocabulary = 32000
    var isTied = false

    static let argumentNames = ["shape", "layers", "hidden", "ff", "heads", "kv-heads", "vocabulary", "tied"]

    /// `shape` a: 12 layers of 768; b: Qwen2.5-0.5B's shape with a tied head; c: Llama-3-8B's. What else is given changes it.
    init(_ arguments: BenchArguments) {
        if arguments.text("shape", "a") == "b" {
            (layers, hidden, feedForward, heads, keyValueHeads, vocabulary, isTied) = (24, 896, 4864, 14, 2, 151_936, true)
        }
        if arguments.text("shape", "a") == "c" {
            (layers, hidden, feedForward, heads, keyValueHeads, vocabulary, isTied) = (32, 4096, 14336, 32, 8, 128_256, false)
        }
        layers = arguments.integer("layers", layers)
        hidden = arguments.integer("hidden", hidden)
        feedForward = arguments.integer("ff", feedForward)
        heads = arguments.integer("heads", heads)
        keyValueHeads = arguments.integer("kv-heads", keyValueHeads)
        vocabulary = arguments.integer("vocabulary", vocabulary)
        isTied = arguments.integer("tied", isTied ? 1 : 0) != 0
    }

    var configuration: JSONObject {
        JSONObject([
            ("architectures", ["LlamaForCausalLM"]), ("model_type", "llama"), ("hidden_size", .integer(hidden)),
            ("intermediate_size", .integer(feedForward)), ("num_hidden_layers", .integer(layers)),
            ("num_attention_heads", .integer(heads)), ("num_key_value_heads", .integer(keyValueHeads)),
            ("vocab_size", .integer(vocabulary)), ("max_position_embeddings", 32768), ("rms_norm_eps", 1e-5), ("rope_theta", 10000.0),
            ("hidden_act", "silu"), ("tie_word_embeddings", .bool(isTied)), ("bos_token_id", 1), ("eos_token_id", 2),
        ])
    }

    func make(backend: any Backend, dtype: DType, quantizer: WeightQuantizer? = nil) throws -> Transformer {
        // Normal numbers for a billion weights take minutes; a pattern does for measurements.
        if layers * hidden * feedForward > 1 << 30 {
            return try .patterned(folder: ModelFolder(configuration: configuration), backend: backend, dtype: dtype, quantizer: quantizer)
        }
        var random = RandomGenerator(seed: 1)
        return try Transformer.initialized(
            folder: ModelFolder(configuration: configuration), backend: backend, random: &random, dtype: dtype, quantizer: quantizer)
    }

    /// A model that holds noise in one of `formats`; nil for another name.
    func make(backend: any Backend, format: String) throws -> Transformer? {
        guard Self.formats.contains(format) else { return nil }
        let layers = layers, isTied = isTied
        return try Transformer.random(folder: ModelFolder(configuration: configuration), backend: backend) { weight in
            Self.type(weight, format: format, layers: layers, isTied: isTied)
        }
    }

    static func unknown(_ format: String) -> BenchError {
        .unsuitable("no format is called \(format); there are " + formats.joined(separator: ", "))
    }

    static let formats = ["bf16", "q8_0", "q4_0", "q4_k_m"]

    /// Which blocks llama.cpp would choose: Q4_K_M gives the values, the layers' ends and the head more bits, and rows that are
    /// no whole number of 256 fall back to blocks of 32.
    private static func type(_ weight: WeightDescription, format: String, layers: Int, isTied: Bool) -> BlockType? {
        let isHead = weight.role == .head || (weight.role == .embedding && isTied)
        switch format {
        case "q8_0": return .q8_0
        case "q4_0":
            if isHead { return weight.shape[1] % 256 == 0 ? .q6_k : .q8_0 }
            return .q4_0
        case "q4_k_m":
            let isOuter = weight.layer < layers / 8 || weight.layer >= 7 * layers / 8 || (weight.layer - layers / 8) % 3 == 2
            let isFine = isHead || ((weight.role == .value || weight.role == .down) && isOuter)
            guard weight.shape[1] % 256 == 0 else { return isFine ? .q8_0 : .q5_0 }
            return isFine ? .q6_k : .q4_k
        default: return nil
        }
    }
}
