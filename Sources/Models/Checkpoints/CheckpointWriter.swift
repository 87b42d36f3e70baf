import Formats
import Platform
import Tensors

/// Writes a model as a Hugging Face folder: weights in one safetensors file or in shards behind an index, `config.json`, and the
/// files that belong beside them.
public struct CheckpointWriter {
    public struct Options: Sendable {
        /// The type of every written tensor; nil writes each as it is in memory.
        public var dtype: DType?
        /// The largest shard, as transformers counts it (decimal gigabytes times 1e9).
        public var maximumShardBytes: Int64
        /// Fold the adapter into the written weights; the model in memory stays as it is.
        public var mergesAdapter: Bool
        /// Copy tokenizer and generation files from the folder that the model came from.
        public var copiesCompanions: Bool

        public init(
            dtype: DType? = nil, maximumShardBytes: Int64 = 5_000_000_000, mergesAdapter: Bool = true, copiesCompanions: Bool = true
        ) {
            self.dtype = dtype
            self.maximumShardBytes = maximumShardBytes
            self.mergesAdapter = mergesAdapter
            self.copiesCompanions = copiesCompanions
        }
    }

    /// One file to be written.
    public struct Shard: Sendable, Equatable {
        public let name: String
        public let tensors: [String]
        /// Bytes of the tensors.
        public let bytes: Int64
    }

    public let model: Transformer
    public let options: Options

    public init(_ model: Transformer, options: Options = Options()) {
        self.model = model
        self.options = options
    }

    /// The files that `write` will make, so that a plan can be shown and disk space checked.
    public func shards() -> [Shard] {
        Self.shards(of: storedTensors().map { ($0.name, $0.bytes(options.dtype)) }, maximum: options.maximumShardBytes)
    }

    /// Fills shards in order; a tensor larger than the limit gets one of its own.
    public static func shards(of tensors: [(name: String, bytes: Int64)], maximum: Int64) -> [Shard] {
        var groups: [(names: [String], bytes: Int64)] = []
        for tensor in tensors {
            if let last = groups.last, last.bytes + tensor.bytes <= maximum {
                groups[groups.count - 1].names.append(tensor.name)
                groups[groups.count - 1].bytes += tensor.bytes
            } else {
                groups.append(([tensor.name], tensor.bytes))
            }
        }
        return groups.enumerated().map { index, group in
            let name =
                groups.count == 1
                ? "model.safetensors" : "model-\(padded(index + 1))-of-\(padded(groups.count)).safetensors"
            return Shard(name: name, tensors: group.names, bytes: group.bytes)
        }
    }

    /// Writes everything into `directory`, which is made. Files appear whole or not at all; the index comes after its shards and
    /// `config.json` last, so that a folder with one is complete.
    /// - Parameter progress: told the tensors written and their total after each; returning false stops with `isComplete` false.
    /// - Returns: whether everything was written.
    @discardableResult
    public func write(to directory: String, progress: (Int, Int) -> Bool = { _, _ in true }) throws(ModelError) -> Bool {
        do {
            try FileSystem.createDirectory(directory)
            guard try writeWeights(to: directory, progress: progress) else { return false }
            if options.copiesCompanions && !model.directory.isEmpty {
                for name in ModelFolder.companionFiles {
                    let source = Path.join(model.directory, name)
                    if FileSystem.exists(source) { try FileSystem.copy(source, Path.join(directory, name)) }
                }
            }
            try FileSystem.writeAtomically(Path.join(directory, "config.json"), text: configurationText())
            return true
        } catch let error as ModelError {
            throw error
        } catch {
            throw .cannotWrite(reason: String(describing: error))
        }
    }

    private func configurationText() -> String {
        let type = options.dtype ?? model.parameters.first?.dtype ?? .float32
        let isTied = model.spec.tiesEmbeddings && !(options.mergesAdapter && model.adapterSeparatesHead)
        let object = model.folder.configuration(dtype: type, tiesEmbeddings: isTied)
        return JSONValue.object(object).text(style: .indented(2)) + "\n"
    }

    private func writeWeights(to directory: String, progress: (Int, Int) -> Bool) throws -> Bool {
        let shards = shards()
        let stored = Dictionary(storedTensors().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let linears = Dictionary(model.adaptableLinears.map { ($0.name + ".weight", $0) }, uniquingKeysWith: { first, _ in first })
        var written = 0
        for shard in shards {
            let entries = shard.tensors.compactMap { name in
                stored[name].map { TensorFile.Entry(name: name, shape: $0.shape, dtype: options.dtype ?? $0.dtype) }
            }
            let isWhole = try TensorFile.write(Path.join(directory, shard.name), entries: entries) { entry in
                guard let tensor = stored[entry.name], progress(written, stored.count) else { return nil }
                written += 1
                return tensor.assembled(dtype: entry.dtype) {
                    model.writtenValue(of: $0, linear: linears[$0.name], merging: options.mergesAdapter, dtype: entry.dtype)
                }
            }
            guard isWhole else { return false }
        }
        try writeIndex(shards, to: directory)
        return progress(written, stored.count)
    }

    /// Removes what an earlier export with other shards would leave to contradict this one.
    private func writeIndex(_ shards: [Shard], to directory: String) throws {
        let index = Path.join(directory, "model.safetensors.index.json")
        guard shards.count > 1 else {
            if FileSystem.exists(index) { try FileSystem.remove(index) }
            return
        }
        let single = Path.join(directory, "model.safetensors")
        if FileSystem.exists(single) { try FileSystem.remove(single) }
        var map = JSONObject()
        for (name, shard) in shards.flatMap({ shard in shard.tensors.map { ($0, shard.name) } }).sorted(by: { $0.0 < $1.0 }) {
            map.set(name, .string(shard))
        }
        let total = shards.reduce(0) { $0 + $1.bytes }
        let object: JSONObject = ["metadata": ["total_size": .integer(total)], "weight_map": .object(map)]
        try FileSystem.writeAtomically(index, text: JSONValue.object(object).text(style: .indented(2)) + "\n")
    }

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.utf8.count)) + digits
    }
}
