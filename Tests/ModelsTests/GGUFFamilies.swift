import Formats
import Models
import Platform
import Tensors
import Tokenizers

/// Small random models of every family that llama.cpp knows, with a tokenizer each, as folders.
enum GGUFFamilies {
    struct Family: Sendable, CustomStringConvertible {
        /// A folder of Tests/Fixtures/families, whose configuration is taken.
        let name: String
        /// A folder of Tests/Fixtures/tokenizers.
        let tokenizer: String
        /// Keys of config.json that are set, as JSON.
        var changes: String = "{}"
        /// How far llama.cpp's logits may be away, as a share of the largest: it looks GELU up in a table of halves.
        var tolerance: Float = 1e-4

        var description: String { name }
    }

    static let all: [Family] = [
        Family(name: "llama", tokenizer: "llama3"), Family(name: "mistral", tokenizer: "llama2", changes: #"{"sliding_window": null}"#),
        Family(name: "mixtral", tokenizer: "llama2", changes: #"{"sliding_window": null}"#),
        Family(name: "qwen2", tokenizer: "qwen2", changes: #"{"use_sliding_window": false}"#),
        Family(name: "qwen2_moe", tokenizer: "qwen2", changes: #"{"norm_topk_prob": false, "mlp_only_layers": [], "decoder_sparse_step": 1, "use_sliding_window": false}"#),
        Family(name: "qwen3", tokenizer: "qwen2", changes: #"{"attention_bias": false, "use_sliding_window": false}"#),
        Family(name: "qwen3_moe", tokenizer: "qwen2", changes: #"{"attention_bias": false, "norm_topk_prob": true, "mlp_only_layers": [], "decoder_sparse_step": 1, "use_sliding_window": false}"#),
        Family(name: "gemma", tokenizer: "kinds/gemma", tolerance: 5e-3), Family(name: "gemma2", tokenizer: "kinds/gemma", tolerance: 5e-3),
        Family(name: "gemma3", tokenizer: "kinds/gemma", tolerance: 5e-3),
        Family(name: "phi3", tokenizer: "kinds/llama2-pieces", changes: #"{"sliding_window": null}"#),
        Family(name: "glm", tokenizer: "kinds/cl100k", changes: #"{"head_dim": 4}"#), Family(name: "glm4", tokenizer: "kinds/cl100k"),
        Family(name: "chatglm", tokenizer: "kinds/cl100k", changes: #"{"kv_channels": 4}"#),
        Family(name: "internlm2", tokenizer: "llama2", changes: #"{"head_dim": 4}"#), Family(name: "internlm3", tokenizer: "llama2"),
        Family(name: "baichuan", tokenizer: "kinds/llama2-pieces", changes: #"{"num_hidden_layers": 32}"#),
        Family(name: "gpt2", tokenizer: "gpt2", tolerance: 5e-3), Family(name: "bloom", tokenizer: "kinds/bloom", tolerance: 5e-3),
        Family(name: "starcoder2", tokenizer: "kinds/starcoder", changes: #"{"sliding_window": null}"#, tolerance: 5e-3),
    ]

    /// Writes a model folder.
    /// - Parameter extra: further keys of config.json.
    @discardableResult
    static func write(_ family: Family, to directory: String, extra: JSONObject = [:], dtype: DType = .float32) throws -> Transformer {
        let fixtures = Path.directory(Fixtures.directory)
        try FileSystem.createDirectory(directory)
        let tokenizers = Path.join(fixtures, "tokenizers", family.tokenizer)
        try FileSystem.copy(Path.join(tokenizers, "tokenizer.json"), Path.join(directory, "tokenizer.json"))
        try FileSystem.writeAtomically(
            Path.join(directory, "tokenizer_config.json"),
            text: #"{"eos_token": "<|end|>", "chat_template": "{% for m in messages %}<|user|>{{ m['content'] }}<|end|>{% endfor %}"}"#)
        let tokenizer = try Tokenizer(directory: directory)
        var object = try JSONValue.read(file: Path.join(fixtures, "families", family.name, "config.json")).objectValue ?? [:]
        object.merge(try JSONValue.parse(family.changes, name: "changes").objectValue ?? [:])
        object.set("initializer_range", 0.25)
        object.merge(extra)
        let rows = JSONValue.integer(Int64((tokenizer.vocabularySize + 7) / 8 * 8))
        object.set(family.name == "chatglm" ? "padded_vocab_size" : "vocab_size", rows)
        object.set("bos_token_id", .integer(Int64(tokenizer.bosID ?? 0)))
        object.set("eos_token_id", .integer(Int64(tokenizer.eosID ?? 1)))
        var random = RandomGenerator(seed: UInt64(family.name.utf8.reduce(7) { $0 &* 31 &+ Int($1) }))
        let model = try Transformer.initialized(
            folder: ModelFolder(configuration: object, file: family.name), backend: backend, random: &random, dtype: dtype)
        // Norms and biases that differ from one and zero, so that an exchange of two shows.
        for parameter in model.parameters where parameter.shape.count == 1 {
            let values = parameter.value.floats().map { $0 + Float(random.normal()) * 0.1 }
            parameter.value = Tensor(values, shape: parameter.shape).converted(to: dtype)
        }
        try CheckpointWriter(model, options: CheckpointWriter.Options(dtype: dtype, copiesCompanions: false)).write(to: directory)
        return model
    }

    /// Texts that reach different parts of a vocabulary.
    static let texts = ["Hello world, it's 12345 o'clock!", "def f(x):\n    return x * 2\n", "naïve café über 你好 мир", "<|user|>What?<|end|>"]

    /// The next 32 tokens by the largest logit each.
    static func greedy(_ model: Transformer, after prompt: [Int32], count: Int = 32) -> [Int32] {
        var tokens = prompt
        for _ in 0..<count {
            let row = lastLogits(model, tokens)
            tokens.append(Int32(row.indices.max { row[$0] < row[$1] } ?? 0))
        }
        return Array(tokens.dropFirst(prompt.count))
    }

    static func lastLogits(_ model: Transformer, _ tokens: [Int32]) -> [Float] {
        let tape = Tape(backend: backend, isRecording: false)
        let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(lengths: [tokens.count]))
        return tape.tensor(model.logits(tape, hidden, rows: [Int32(tokens.count - 1)])).floats()
    }

    static func allLogits(_ model: Transformer, _ tokens: [Int32]) -> [Float] {
        let tape = Tape(backend: backend, isRecording: false)
        return tape.tensor(model.logits(tape, model.hidden(tape, tokens: tokens, layout: SequenceLayout(lengths: [tokens.count])))).floats()
    }
}
