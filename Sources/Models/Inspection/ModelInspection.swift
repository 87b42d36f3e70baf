import Formats
import Platform
import Tensors

/// What a model folder is, whether this program can use it, and why not: everything that loading checks, and the keys of config.json
/// that nobody here asks for.
public struct ModelInspection: Sendable {
    /// `model_type`, whatever it is.
    public let architecture: String
    /// Nil when the architecture is not known here or its configuration cannot be read.
    public let summary: ModelSummary?
    /// Reasons why the model cannot be used as it is.
    public let problems: [String]
    /// What will differ from the program that made the model, and what loading puts right.
    public let notices: [String]
    /// For one sequence of so many tokens.
    public let length: Int
    public let memory: [MemoryEstimate]

    /// - Throws: when there is no config.json to inspect.
    public init(directory: String, length: Int = 2048) throws(ModelError) {
        self.length = length
        let fields = try ModelFolder.configuration(directory)
        architecture = (try? fields.text("model_type")) ?? ""
        var problems: [String] = [], notices: [String] = []
        let folder: ModelFolder
        do { folder = try ModelFolder(directory: directory) } catch {
            self.problems = [error.description] + Self.otherParts(fields)
            self.notices = []
            summary = nil
            memory = []
            return
        }
        notices += Self.notices(folder)
        do {
            let model = try Transformer.load(directory: directory, backend: PlanningBackend())
            notices += model.notes
        } catch {
            problems.append(error.description)
            problems += Self.leftovers(folder)
        }
        var summary = try? ModelSummary(folder: folder)
        // A checkpoint that cannot be read has a shape and a plan as well.
        var configuration = folder.fields.object
        configuration.remove("quantization_config")
        let bare = try ModelFolder(configuration: configuration, file: folder.fields.file)
        if summary == nil { summary = try ModelSummary(folder: bare) }
        self.summary = summary
        self.problems = problems
        self.notices = notices
        var memory: [MemoryEstimate] = []
        let planned = problems.isEmpty ? folder : bare
        // One that is quantised already is trained by its adapter only.
        for method in MemoryEstimate.Method.allCases where summary?.quantization == nil || method == .inference || method == .lora {
            memory.append(try MemoryEstimate(method, folder: planned, dtype: summary?.dtype ?? .float32, length: length))
        }
        self.memory = memory
    }

    /// Towers for pictures and sound, and the text model beside them.
    private static func otherParts(_ fields: ConfigurationFields) -> [String] {
        var found: [String] = []
        for (key, value) in fields.object where key.hasSuffix("_config") && value.objectValue != nil {
            let part = String(key.dropLast("_config".count))
            switch part {
            case "text", "llm", "language", "thinker", "quantization": continue
            case _: found.append("\(fields.file): \"\(key)\": the model's \(part) part is not built here; text models can be used.")
            }
        }
        for key in ["text_config", "llm_config", "language_config"] {
            guard let inner = fields.object[key]?.objectValue?["model_type"]?.stringValue,
                ArchitectureRegistry.modelTypes.contains(inner)
            else { continue }
            found.append("\(fields.file): \"\(key)\": its text model, \(inner), is known here and can be used once it is saved on its own.")
        }
        return found
    }

    /// Keys that nobody asked for and that are not known to be idle.
    private static func notices(_ folder: ModelFolder) -> [String] {
        let file = folder.fields.file
        return folder.unreadKeys.compactMap { key in
            guard let value = folder.fields.object[key], !isNeutral(value), !idleKeys.contains(key) else { return nil }
            if key.hasSuffix("dropout") || key.hasSuffix("_pdrop") {
                return "\(file): \"\(key)\": \(value.text(style: .compact)): the base model's own dropout is not applied in training here."
            }
            if key.hasSuffix("_config"), value.objectValue != nil, key != "quantization_config" {
                return "\(file): \"\(key)\": this part of the model is not built here; its text model is used alone."
            }
            return "\(file): \"\(key)\": \(value.text(style: .compact).prefix(60)) is not known for \(folder.spec.modelType). "
                + "If it changes what the model computes, the numbers here will differ."
        }
    }

    /// Tensors without a place, counted by the beginning of their names.
    private static func leftovers(_ folder: ModelFolder) -> [String] {
        var folder = folder
        guard folder.fields.value("quantization_config") == nil else { return [] }
        guard let reader = try? CheckpointReader(&folder) else { return [] }
        let names = folder.definition.names
        var expected = Set(folder.spec.weights(names: names).map(\.name))
        expected.insert(folder.spec.headWeight(names: names).name)
        var counts: [String: Int] = [:]
        for name in reader.tensors.keys where !expected.contains(name) && !names.isIgnored(name) {
            let parts = name.split(separator: ".")
            counts[parts.prefix(parts.first == "model" ? 2 : 1).joined(separator: "."), default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.map { name, count in
            "\(reader.mainFile): \(name).*: \(count) tensors without a place in \(folder.spec.modelType)."
        }
    }

    /// What switches nothing on.
    private static func isNeutral(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false): true
        case .string(let text): text.isEmpty
        case .array(let items): items.isEmpty
        case .object(let object): object.isEmpty
        case _: value.doubleValue == 0
        }
    }

    /// Keys that change nothing here: names and versions, how to generate, how to initialise, what belongs to other tasks, and
    /// settings of switches that are off.
    private static let idleKeys: Set<String> = [
        "architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "use_cache", "auto_map", "_name_or_path",
        "_commit_hash", "tokenizer_class", "task_specific_params", "id2label", "label2id", "problem_type", "bos_token_id", "eos_token_id",
        "pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id", "initializer_range", "pretraining_tp", "max_window_layers",
        "use_sliding_window", "sliding_window", "layer_types", "sliding_window_pattern", "_sliding_window_pattern", "cache_implementation",
        "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout", "n_ctx", "use_mrope",
        "return_dict", "output_attentions", "output_hidden_states", "torchscript", "is_decoder", "is_encoder_decoder", "chunk_size_feed_forward",
        "attn_implementation", "_attn_implementation", "attention_softmax_in_fp32", "masked_softmax_fusion", "slow_but_exact", "offset_alibi",
        "seq_length", "skip_bias_add", "skip_bias_add_qkv", "max_length", "rope_theta", "rope_scaling", "original_max_position_embeddings",
        "gradient_checkpointing", "use_flash_attention", "use_flash_attn", "flash_attn", "fp32_residual_connection", "quantization_bit",
        "pre_seq_len", "prefix_projection", "original_rope", "attention_softmax_in_fp32", "apply_query_key_layer_scaling",
        "bias_dropout_fusion", "classifier_dropout", "interleaved_qkv", "kv_channels", "multi_query_group_num", "torch_dtype",
        "quantization_config", "transformers.js_config", "unsloth_fixed", "unsloth_version", "use_bidirectional_attention",
        "hidden_activation", "hidden_act", "mlp_type", "attn_type", "model_max_length", "z_loss_weight", "vocab_size", "max_shard_size",
        "use_rmsnorm_bias", "router_jitter_noise", "n_embed", "n_inner", "n_positions", "embd_layer_norm_epsilon", "head_dim",
    ]
}

extension ModelInspection {
    public var isUsable: Bool { problems.isEmpty }
}
