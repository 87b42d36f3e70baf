/// A Llama of any shape with random weights, for measurements that do not depend on what it says.

import Formats
import Models
import Platform
import Tensors

struct BenchModel {
    var layers: Int
    var hidden: Int
    var feedForward: Int
    var heads: Int
    var keyValueHeads: Int
    var vocabulary: Int

    static let argumentNames = ["layers", "hidden", "ff", "heads", "kv-heads", "vocabulary"]

    init(_ arguments: BenchArguments) {
        layers = arguments.integer("layers", 12)
        hidden = arguments.integer("hidden", 768)
        feedForward = arguments.integer("ff", 2048)
        heads = arguments.integer("heads", 12)
        keyValueHeads = arguments.integer("kv-heads", 4)
        vocabulary = arguments.integer("vocabulary", 32000)
    }

    var configuration: JSONObject {
        JSONObject([
            ("architectures", ["LlamaForCausalLM"]), ("model_type", "llama"), ("hidden_size", .integer(hidden)),
            ("intermediate_size", .integer(feedForward)), ("num_hidden_layers", .integer(layers)),
            ("num_attention_heads", .integer(heads)), ("num_key_value_heads", .integer(keyValueHeads)),
            ("vocab_size", .integer(vocabulary)), ("max_position_embeddings", 4096), ("rms_norm_eps", 1e-5), ("rope_theta", 10000.0),
            ("hidden_act", "silu"), ("tie_word_embeddings", false), ("bos_token_id", 1), ("eos_token_id", 2),
        ])
    }

    func make(backend: any Backend, dtype: DType) throws -> Transformer {
        var random = RandomGenerator(seed: 1)
        return try Transformer.initialized(
            folder: ModelFolder(configuration: configuration), backend: backend, random: &random, dtype: dtype)
    }
}
