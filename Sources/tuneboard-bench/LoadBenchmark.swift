/// `tuneboard-bench load`: how long a process takes from its start to the first token of an answer, with a model of about 1 GB
/// whose file is in the page cache. Every round is a process of its own, which does what a chat does: tokenizer, weights, prompt.

import Formats
import Generation
import Models
import Platform
import Tensors
import Tokenizers

struct LoadBenchmark {
    private enum Format: String { case safetensors, gguf }

    private let format: Format
    private let directory: String
    private let rounds: Int
    private let threads: Int

    static let argumentNames = ["format", "directory", "rounds", "threads"]

    init(_ arguments: BenchArguments) {
        format = Format(rawValue: arguments.text("format", "safetensors")) ?? .safetensors
        directory = arguments.text("directory", Path.join(FileSystem.temporaryDirectory, "tuneboard-load"))
        rounds = max(1, arguments.integer("rounds", 5))
        threads = arguments.integer("threads", 0)
    }

    func run() throws -> JSONObject {
        guard let program = FileSystem.executablePath else { throw BenchmarkFailure(reason: "this program cannot find itself") }
        let model = try prepare()
        var total: [Double] = [], parts: [String: [Double]] = [:], peak = 0
        // The first round brings the file into the page cache.
        for round in 0...rounds {
            let start = Clock.monotonicSeconds()
            let result = try ProcessRunner.run([program, "load-once", "--model", model, "--threads", String(threads)])
            let text = String(decoding: result.output, as: UTF8.self)
            guard result.ending == .exited(0), let found = try JSONValue.parse(text, name: "load-once").objectValue, let end = found["at"]?.doubleValue else {
                throw BenchmarkFailure(reason: text)
            }
            if round == 0 { continue }
            total.append(1000 * (end - start))
            for name in ["tokenizer_ms", "weights_ms", "prompt_ms"] { parts[name, default: []].append(found[name]?.doubleValue ?? 0) }
            peak = max(peak, found["peak_rss_bytes"]?.intValue ?? 0)
        }
        return JSONObject([
            ("case", "load"), ("format", .string(format.rawValue)), ("model_bytes", .integer(FileSystem.treeSize(model))),
            ("first_token_ms", .number(Statistics.median(total))), ("slowest_ms", .number(total.max() ?? 0)),
            ("tokenizer_ms", .number(Statistics.median(parts["tokenizer_ms"] ?? []))),
            ("weights_ms", .number(Statistics.median(parts["weights_ms"] ?? []))),
            ("prompt_ms", .number(Statistics.median(parts["prompt_ms"] ?? []))),
            ("peak_rss_bytes", .integer(peak)),
        ])
    }

    /// The model's folder or file, made when it is not there.
    private func prepare() throws -> String {
        try FileSystem.createDirectory(directory)
        let folder = Path.join(directory, "bf16")
        if format == .safetensors {
            if !FileSystem.exists(Path.join(folder, "config.json")) { try write(layers: 24, to: folder) }
            return folder
        }
        let file = Path.join(directory, "q8_0.gguf")
        if FileSystem.exists(file) { return file }
        let wide = Path.join(directory, "wide")
        defer { try? FileSystem.removeTree(wide) }
        try write(layers: 48, to: wide)
        let backend = CPUBackend(threadCount: threads)
        let model = try Transformer.load(directory: wide, backend: backend)
        let layout = try GGUFLayout(folder: model.folder, fileType: .q8Zero)
        let tokenizer = try Tokenizer(directory: wide).ggufEntries(vocabularySize: model.spec.vocabularySize).entries
        _ = try GGUFModelWriter(model, layout: layout, backend: backend).write(to: file, metadata: layout.metadata(name: "load") + tokenizer)
        return file
    }

    /// Weights of the width of Qwen2.5-0.5B, the same megabyte of random numbers again and again, and a vocabulary of its size.
    private func write(layers: Int, to folder: String) throws {
        var configuration = JSONObject([
            ("architectures", ["Qwen2ForCausalLM"]), ("model_type", "qwen2"), ("hidden_size", 896), ("intermediate_size", 4864),
            ("num_attention_heads", 14), ("num_key_value_heads", 2), ("vocab_size", 151936), ("max_position_embeddings", 4096),
            ("rms_norm_eps", 1e-6), ("rope_theta", 1000000.0), ("hidden_act", "silu"), ("tie_word_embeddings", true), ("torch_dtype", "bfloat16"),
        ])
        configuration.set("num_hidden_layers", .integer(layers))
        try FileSystem.createDirectory(folder)
        var random = RandomGenerator(seed: 5)
        let piece = Tensor((0..<1 << 19).map { _ in Float(random.normal() * 0.02) }, shape: [1 << 19]).converted(to: .bfloat16)
        let entries = try ModelFolder(configuration: configuration).weightEntries(dtype: .bfloat16)
        try TensorFile.write(Path.join(folder, "model.safetensors"), entries: entries) { entry in
            let tensor = Tensor.zeros(entry.shape, entry.dtype)
            for start in stride(from: 0, to: tensor.byteCount, by: piece.byteCount) {
                tensor.address.advanced(by: start).copyMemory(from: piece.address, byteCount: min(piece.byteCount, tensor.byteCount - start))
            }
            return tensor
        }
        try writeTokenizer(to: folder, size: 151_643, random: &random)
        try FileSystem.writeAtomically(Path.join(folder, "config.json"), text: JSONValue.object(configuration).text())
    }

    /// A byte-level vocabulary of random merges, as large as a real one.
    private func writeTokenizer(to folder: String, size: Int, random: inout RandomGenerator) throws {
        let alphabet = Tokenizer.byteAlphabet
        var tokens = alphabet, known = Set(alphabet), merges: [JSONValue] = []
        while tokens.count < size {
            let left = tokens[random.index(below: tokens.count)], right = tokens[random.index(below: min(tokens.count, 4096))]
            let joined = left + right
            guard joined.unicodeScalars.count <= 10, known.insert(joined).inserted else { continue }
            tokens.append(joined)
            merges.append(.string(left + " " + right))
        }
        let vocabulary = JSONObject(tokens.enumerated().map { ($1, .integer($0)) })
        let pattern =
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        let object: JSONObject = [
            "added_tokens": [["id": .integer(size), "content": "<|im_end|>", "special": true]], "normalizer": ["type": "NFC"],
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false],
                    ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
                ],
            ],
            "decoder": ["type": "ByteLevel"], "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": .array(merges)],
        ]
        try FileSystem.writeAtomically(Path.join(folder, "tokenizer.json"), text: JSONValue.object(object).text())
        try FileSystem.writeAtomically(Path.join(folder, "tokenizer_config.json"), text: #"{"eos_token": "<|im_end|>"}"#)
    }
}

/// `tuneboard-bench load-once`: one round of `load`.
struct LoadOnce {
    private let model: String
    private let threads: Int

    static let argumentNames = ["model", "threads"]

    init(_ arguments: BenchArguments) {
        model = arguments.text("model", "")
        threads = arguments.integer("threads", 0)
    }

    func run() throws -> JSONObject {
        let start = Clock.monotonicSeconds()
        let tokenizer = try Tokenizer(directory: model)
        let afterTokenizer = Clock.monotonicSeconds()
        let transformer = try Transformer.load(
            directory: model, backend: CPUBackend(threadCount: threads), options: LoadOptions(restoresLayout: false))
        let afterWeights = Clock.monotonicSeconds()
        var options = SamplingOptions()
        options.maxNewTokens = 1
        var end = afterWeights
        _ = try TextGenerator(model: transformer, tokenizer: tokenizer).generate(
            prompt: Array(tokenizer.encode("Hello! Who are you, and what can you do for me today?").prefix(16)), options: options
        ) { _ in
            end = Clock.monotonicSeconds()
            return false
        }
        return JSONObject([
            ("at", .number(end)), ("tokenizer_ms", .number(1000 * (afterTokenizer - start))),
            ("weights_ms", .number(1000 * (afterWeights - afterTokenizer))), ("prompt_ms", .number(1000 * (end - afterWeights))),
            ("peak_rss_bytes", .integer(Int(SystemInfo.peakResidentBytes()))),
        ])
    }
}

/// A benchmark that cannot be made.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}
