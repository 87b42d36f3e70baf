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

    /// `shape` a: 12 layers of 768; b: Qwen2.5-0.5B's shape with a tied head. What else is given changes it.
    init(_ arguments: BenchArguments) {
        if arguments.text("shape", "a") == "b" {
            (layers, hidden, feedForward, heads, keyValueHeads, vocabulary, isTied) = (24, 896, 4864, 14, 2, 151_936, true)
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
        var random = RandomGenerator(seed: 1)
        return try Transformer.initialized(
            folder: ModelFolder(configuration: configuration), backend: backend, random: &random, dtype: dtype, quantizer: quantizer)
    }
}
