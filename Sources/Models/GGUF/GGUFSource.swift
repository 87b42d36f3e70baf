import Formats
import Platform

/// A model that lies in a GGUF file: where its configuration and its weights come from, in place of a folder's config.json and
/// safetensors.
final class GGUFSource: Sendable {
    let file: GGUFFile
    /// As the file calls it.
    let architecture: GGUFArchitecture

    /// Opens what a path stands for; nil when that is no GGUF file and no folder with one alone.
    static func open(_ path: String) throws(ModelError) -> GGUFSource? {
        guard !FileSystem.exists(Path.join(path, "config.json")) else { return nil }
        guard let location = GGUFFile.location(path) else {
            let names = GGUFFile.candidates(in: path)
            guard names.count > 1 else { return nil }
            throw .notAModelFolder(
                path: path, reason: "there is no config.json in it, but \(names.count) GGUF files: name one, such as \(Path.join(path, names[0]))")
        }
        return try GGUFSource(location)
    }

    private init(_ path: String) throws(ModelError) {
        do {
            file = try GGUFFile(path: path)
            if let type = try file.text("general.type"), type != "model" {
                throw ModelError.notAModelFolder(path: path, reason: "the file holds no model but: \(type)")
            }
            guard let name = try file.text("general.architecture") else {
                throw GGUFError.missingKey(path: path, key: "general.architecture")
            }
            guard let architecture = GGUFArchitecture.named(name) else {
                throw ModelError.unknownArchitecture(file: path, found: "\"\(name)\"", known: GGUFArchitecture.all.map(\.name))
            }
            if let parts = try file.integer("split.count"), parts > 1 {
                throw ModelError.unsupported(
                    file: path, what: "a model in \(parts) files", whatToDo: "Put them together with llama-gguf-split --merge.")
            }
            self.architecture = architecture
        } catch let error as ModelError {
            throw error
        } catch {
            throw .unreadable(reason: String(describing: error))
        }
    }

    /// The metadata in the words of a config.json.
    func configuration() throws(ModelError) -> JSONObject {
        do { return try readConfiguration() } catch { throw .unreadable(reason: error.description) }
    }

    func has(_ tensor: String) -> Bool { file.tensor(named: tensor) != nil }

    // MARK: Keys

    func key(_ name: String) -> String { architecture.name + "." + name }

    private func integer(_ name: String) throws(GGUFError) -> Int {
        guard let value = try file.integer(key(name)) else { throw .missingKey(path: file.path, key: key(name)) }
        return value
    }

    private func shape(_ tensor: String, axis: Int) throws(GGUFError) -> Int {
        guard let found = file.tensor(named: tensor), axis < found.shape.count else {
            throw .badTensor(path: file.path, tensor: tensor, reason: "it is missing, or has another shape.")
        }
        return found.shape[axis]
    }

    private func readConfiguration() throws(GGUFError) -> JSONObject {
        var object = JSONObject()
        func set(_ name: String, _ value: JSONValue?) { if let value { object.set(name, value) } }
        func set(_ name: String, _ value: Int?) { set(name, value.map { .integer(Int64($0)) }) }
        set("model_type", .string(architecture.readAs.type))
        set("architectures", [.string(architecture.readAs.className)])
        set("vocab_size", try shape("token_embd.weight", axis: 0))
        let hidden = try integer("embedding_length"), heads = try integer("attention.head_count"), layers = try integer("block_count")
        guard (1...1 << 17).contains(hidden) else {
            throw .wrongValue(path: file.path, key: key("embedding_length"), expected: "1 to 131072", found: "\(hidden)")
        }
        guard (0...file.tensors.count).contains(layers) else {
            throw .wrongValue(
                path: file.path, key: key("block_count"), expected: "fewer than the file's \(file.tensors.count) tensors", found: "\(layers)")
        }
        let width = try file.integer(key("attention.key_length")) ?? (heads > 0 ? hidden / heads : 0)
        // Lists of factors are as long as it.
        guard (0...1 << 17).contains(width) else {
            throw .wrongValue(path: file.path, key: key("attention.key_length"), expected: "0 to 131072", found: "\(width)")
        }
        let context = try integer("context_length"), inner = try file.integer(key("feed_forward_length")) ?? 4 * hidden
        let rootMeanKey = "attention.layer_norm_rms_epsilon"
        let epsilonKey = file.value(key(rootMeanKey)) == nil ? "attention.layer_norm_epsilon" : rootMeanKey
        let epsilon = try file.number(key(epsilonKey)).map { JSONValue.number(Self.short($0)) }
        switch architecture.name {
        case "gpt2":
            set("n_embd", hidden)
            set("n_layer", layers)
            set("n_head", heads)
            set("n_inner", inner)
            set("n_positions", try shape("position_embd.weight", axis: 0))
            set("layer_norm_epsilon", epsilon)
        case "bloom":
            set("hidden_size", hidden)
            set("n_layer", layers)
            set("n_head", heads)
            set("seq_length", context)
            set("layer_norm_epsilon", epsilon)
        default:
            set("hidden_size", hidden)
            set("num_hidden_layers", layers)
            set("num_attention_heads", heads)
            set("num_key_value_heads", try file.integer(key("attention.head_count_kv")) ?? heads)
            set("head_dim", width)
            set("intermediate_size", inner)
            set("max_position_embeddings", context)
            set(architecture.name == "starcoder2" ? "norm_epsilon" : "rms_norm_eps", epsilon)
            set("hidden_act", architecture.usesGELU ? "gelu_pytorch_tanh" : "silu")
        }
        set("tie_word_embeddings", .bool(!has("output.weight")))
        let bias = (input: has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias"), output: has("blk.0.attn_output.bias"))
        try addFamily(&object, hidden: hidden, heads: heads, layers: layers, width: width, bias: bias)
        try addRotary(&object, width: width, context: context)
        set("bos_token_id", try file.integer("tokenizer.ggml.bos_token_id"))
        var ends: [JSONValue] = []
        for name in ["eos", "eot", "eom"] {
            if let id = try file.integer("tokenizer.ggml.\(name)_token_id"), !ends.contains(.integer(Int64(id))) { ends.append(.integer(Int64(id))) }
        }
        if !ends.isEmpty { set("eos_token_id", .array(ends)) }
        set("pad_token_id", try file.integer("tokenizer.ggml.padding_token_id"))
        set("dtype", .string(Self.dtypeName(file.tensor(named: "blk.0.attn_output.weight")?.type)))
        return object
    }

    /// What only one family says.
    private func addFamily(
        _ object: inout JSONObject, hidden: Int, heads: Int, layers: Int, width: Int, bias: (input: Bool, output: Bool)
    ) throws(GGUFError) {
        switch architecture.name {
        case "llama", "internlm2", "baichuan":
            if let experts = try file.integer(key("expert_count")), experts > 0 {
                object.set("model_type", "mixtral")
                object.set("architectures", ["MixtralForCausalLM"])
                object.set("num_local_experts", .integer(Int64(experts)))
                object.set("num_experts_per_tok", .integer(Int64(try integer("expert_used_count"))))
            } else if bias.input != bias.output {
                object.set("model_type", "internlm3")
                object.set("qkv_bias", .bool(bias.input))
                object.set("bias", .bool(bias.output))
            } else {
                object.set("attention_bias", .bool(bias.input))
                object.set("mlp_bias", .bool(has("blk.0.ffn_up.bias")))
            }
            if architecture.name == "baichuan", layers == 40 {
                throw .wrongValue(
                    path: file.path, key: key("block_count"), expected: "32 layers (Baichuan-7B)", found: "40: its ALiBi cannot be read from GGUF")
            }
        case "qwen2moe", "qwen3moe":
            object.set("num_experts", .integer(Int64(try integer("expert_count"))))
            object.set("num_experts_per_tok", .integer(Int64(try integer("expert_used_count"))))
            object.set("moe_intermediate_size", .integer(Int64(try shape("blk.0.ffn_up_exps.weight", axis: 1))))
            object.set("norm_topk_prob", .bool(architecture.normalisesExperts ?? false))
            if architecture.name == "qwen2moe" {
                object.set("shared_expert_intermediate_size", .integer(Int64(try shape("blk.0.ffn_up_shexp.weight", axis: 0))))
                object.set("qkv_bias", .bool(bias.input))
            }
        case "qwen3": object.set("attention_bias", .bool(bias.input))
        case "gemma2", "gemma3": try addGemma(&object, hidden: hidden, heads: heads, layers: layers, width: width)
        case "phi3":
            if let window = try file.integer(key("attention.sliding_window")), window > 0 { object.set("sliding_window", .integer(Int64(window))) }
        case "chatglm", "glm4": object.set("attention_bias", .bool(bias.input))
        case "starcoder2": object.set("use_bias", .bool(bias.input))
        default: break
        }
    }

    private func addGemma(_ object: inout JSONObject, hidden: Int, heads: Int, layers: Int, width: Int) throws(GGUFError) {
        let isWide = layers == architecture.wideScoreLayers && heads > 0
        object.set("query_pre_attn_scalar", .number(isWide ? Double(hidden) / Double(heads) : Double(width)))
        if architecture.name == "gemma2" {
            object.set("attn_logit_softcapping", .number(try file.number(key("attn_logit_softcapping")) ?? 50))
            object.set("final_logit_softcapping", .number(try file.number(key("final_logit_softcapping")) ?? 30))
        } else if let cap = try file.number(key("final_logit_softcapping")) {
            object.set("final_logit_softcapping", .number(cap))
        }
        guard let window = try file.integer(key("attention.sliding_window")) ?? (architecture.name == "gemma2" ? 4096 : nil) else {
            object.set("layer_types", .array([JSONValue](repeating: "full_attention", count: max(0, min(layers, 1 << 12)))))
            return
        }
        object.set("sliding_window", .integer(Int64(window)))
        object.set(
            "sliding_window_pattern", .integer(Int64(try file.integer(key("attention.sliding_window_pattern")) ?? architecture.slidingPeriod ?? 6)))
        if let theta = try file.number(key("rope.freq_base_swa")) { object.set("rope_local_base_freq", .number(Self.short(theta))) }
    }

    /// The number that was meant: files keep 1e-6 as a float, which is 9.99999997e-07.
    static func short(_ value: Double) -> Double { Double("\(Float(value))") ?? value }

    private static func dtypeName(_ type: GGUFTensorType?) -> String {
        switch type {
        case .bfloat16?: "bfloat16"
        case .float16?: "float16"
        case nil, _?: "float32"
        }
    }
}
