import Formats
import Platform
import Tensors

/// LLaMA-Pro's block expansion (Wu et al., arXiv 2401.02415): behind every so many blocks a copy of the last one, whose outputs
/// are zero, so that the larger model says what the smaller one said until the new blocks are trained.
public struct BlockExpansion {
    /// The number of new blocks.
    public let added: Int
    private let folder: ModelFolder
    private let reader: CheckpointReader

    /// - Parameter added: a divisor of the number of layers.
    public init(directory: String, added: Int) throws(ModelError) {
        var folder = try ModelFolder(directory: directory)
        guard folder.fields.value("quantization_config") == nil else {
            throw .unsupported(
                file: folder.fields.file, what: "expanding a quantised checkpoint", whatToDo: "Expand the model in full precision first.")
        }
        _ = try FreezeSelection.expandedLayers(folder.spec.layerCount, added: added)
        self.added = added
        reader = try CheckpointReader(&folder)
        self.folder = folder
    }

    /// Layers of the larger model, and of which layer each is a copy.
    public var sources: [(source: Int, isNew: Bool)] {
        let split = folder.spec.layerCount / added
        return (0..<folder.spec.layerCount).flatMap { index in
            (index + 1) % split == 0 ? [(index, false), (index, true)] : [(index, false)]
        }
    }

    /// Writes the larger model as a folder that may not exist yet.
    /// - Parameter progress: told the tensors written and their total.
    public func write(to directory: String, maximumShardBytes: Int64 = 5_000_000_000, progress: (Int, Int) -> Void = { _, _ in }) throws {
        try FileSystem.createDirectory(directory)
        let entries = entries()
        let shards = CheckpointWriter.shards(
            of: entries.map { ($0.name, Int64($0.location.bytes.count)) }, maximum: maximumShardBytes)
        let byName = Dictionary(entries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var written = 0
        for shard in shards {
            let own = shard.tensors.compactMap { byName[$0] }
            let writer = try SafetensorsWriter(
                path: Path.join(directory, shard.name),
                tensors: own.map { TensorDeclaration(name: $0.name, dtype: $0.location.entry.dtype, shape: $0.location.entry.shape) },
                metadata: ["format": "pt"])
            for entry in own {
                if entry.isZero {
                    let zeros = [UInt8](repeating: 0, count: entry.location.bytes.count)
                    try zeros.withUnsafeBytes { try writer.write($0, to: entry.name) }
                } else {
                    try writer.write(entry.location.bytes, to: entry.name)
                }
                written += 1
                progress(written, entries.count)
            }
            try writer.finish()
        }
        if shards.count > 1 { try writeIndex(shards, to: directory) }
        for name in ModelFolder.companionFiles {
            let source = Path.join(folder.directory, name)
            if FileSystem.exists(source) { try FileSystem.copy(source, Path.join(directory, name)) }
        }
        let text = JSONValue.object(configuration).text(style: .indented(2)) + "\n"
        try FileSystem.writeAtomically(Path.join(directory, "config.json"), text: text)
    }

    private struct Entry {
        let name: String
        let location: CheckpointReader.Location
        let isZero: Bool
    }

    private func entries() -> [Entry] {
        let names = folder.definition.names
        // Everything that adds to the stream: the last parts of the output projections' paths.
        let silent = Set([WeightRole.attentionOutput, .down, .expertDown, .sharedDown].map { Transformer.lastPart(names.module($0)) })
        var result: [Entry] = []
        let stored = reader.tensors.sorted { $0.key < $1.key }
        for (name, location) in stored where layer(of: name) == nil { result.append(Entry(name: name, location: location, isZero: false)) }
        for (index, source) in sources.enumerated() {
            for (name, location) in stored where layer(of: name) == source.source {
                let rest = name.dropFirst(prefix(source.source).count)
                let isZero = source.isNew && rest.split(separator: ".").contains { silent.contains(String($0)) }
                result.append(Entry(name: prefix(index) + rest, location: location, isZero: isZero))
            }
        }
        return result
    }

    /// `model.layers.3.`
    private func prefix(_ layer: Int) -> String {
        let path = folder.definition.names.module(.attentionOutput, layer: layer)
        let number = ".\(layer)."
        guard let place = path.indices.first(where: { path[$0...].hasPrefix(number) }) else { return path + "." }
        return String(path[..<place]) + number
    }

    private func layer(of tensor: String) -> Int? {
        let start = prefix(0).dropLast(2)
        guard tensor.hasPrefix(start) else { return nil }
        return Int(tensor.dropFirst(start.count).prefix { $0 != "." })
    }

    /// The number of layers under the family's key, and lists with an entry for each layer.
    private var configuration: JSONObject {
        var object = folder.fields.object
        let count = folder.spec.layerCount
        for (key, value) in folder.fields.object {
            if ["num_hidden_layers", "num_layers", "n_layer"].contains(key) { object.set(key, .integer(Int64(count + added))) }
            guard key.contains("layer"), let list = value.arrayValue, list.count == count else { continue }
            object.set(key, .array(sources.map { list[$0.source] }))
        }
        return object
    }

    private func writeIndex(_ shards: [CheckpointWriter.Shard], to directory: String) throws {
        var map = JSONObject()
        for (name, shard) in shards.flatMap({ shard in shard.tensors.map { ($0, shard.name) } }).sorted(by: { $0.0 < $1.0 }) {
            map.set(name, .string(shard))
        }
        let object: JSONObject = ["metadata": ["total_size": .integer(shards.reduce(0) { $0 + $1.bytes })], "weight_map": .object(map)]
        try FileSystem.writeAtomically(
            Path.join(directory, "model.safetensors.index.json"), text: JSONValue.object(object).text(style: .indented(2)) + "\n")
    }
}
