import Formats
import Platform
import Tensors

/// The weights of a model folder, one file or several behind an index, safetensors or pickles, seen as one set of named tensors.
/// Files are mapped, not read: a tensor's bytes come from the page cache when something touches them.
final class CheckpointReader {
    struct Location {
        /// Keeps the bytes alive.
        let owner: AnyObject
        /// The file that they lie in; nil when they had to be put in order first.
        let mapping: MappedFile?
        let bytes: UnsafeRawBufferPointer
        /// The file to name in errors.
        let path: String
        let entry: TensorEntry
        /// For weights of a GGUF file, which are never turned round.
        var gguf: GGUFPlacement?
    }

    let directory: String
    private(set) var tensors: [String: Location] = [:]
    /// The file to name when something is missing.
    let mainFile: String

    /// - Parameter names: whose optional prefix is put back where a checkpoint leaves it out.
    private init(directory: String, names: WeightNames?) throws(ModelError) {
        self.directory = directory
        guard let kind = CheckpointFiles.kind(of: directory) else {
            throw .notAModelFolder(path: directory, reason: Self.whyNoWeights(directory))
        }
        let single = Path.join(directory, kind.single), index = Path.join(directory, kind.index)
        if FileSystem.exists(single) {
            mainFile = single
            try take(single, kind)
        } else {
            mainFile = index
            try takeShards(index, kind)
        }
        if let prefix = names?.optionalPrefix, let head = names?.module(.head) { completeNames(prefix: prefix, head: head) }
    }

    /// Without tensors yet.
    init(directory: String, mainFile: String) {
        self.directory = directory
        self.mainFile = mainFile
    }

    /// The checkpoint of a folder, experts apart; whether they lie together in the files is noted in the folder.
    convenience init(_ folder: inout ModelFolder) throws(ModelError) {
        if let gguf = folder.gguf {
            try self.init(gguf, folder: folder)
            return
        }
        let names = folder.definition.names
        try self.init(directory: folder.directory, names: names)
        folder.storesExpertsFused = try separateExperts(folder.spec, names: names)
    }

    /// Begins to bring the files' pages in.
    func mapAhead() {
        var files: [String: MappedFile] = [:]
        for location in tensors.values {
            if let mapping = location.mapping { files[location.path] = mapping }
        }
        MappedFile.mapAhead(files.sorted { $0.key < $1.key }.map(\.value))
    }

    func add(_ location: Location) { tensors[location.entry.name] = location }
    func remove(_ name: String) { tensors[name] = nil }

    /// Published GPT-2 and BLOOM checkpoints hold the model below its head, so every name lacks the first part.
    private func completeNames(prefix: String, head: String) {
        guard !tensors.keys.contains(where: { $0.hasPrefix(prefix) }) else { return }
        tensors = Dictionary(
            tensors.map { ($0.key.hasPrefix(head) ? $0.key : prefix + $0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// Whether the folder has weights that can be read.
    static func hasWeights(_ directory: String) -> Bool { CheckpointFiles.kind(of: directory) != nil || GGUFFile.location(directory) != nil }

    /// The tensor in the type asked for; nil keeps the stored one. Without conversion its bytes are the file's.
    func tensor(_ name: String, as type: DType?, backend: any Backend) throws(ModelError) -> Tensor? {
        guard let location = tensors[name] else { return nil }
        let entry = location.entry
        guard let stored = DType(entry.dtype), stored.isFloatingPoint else {
            throw .unsupportedType(file: location.path, tensor: name, found: entry.dtype.rawValue)
        }
        let bytes = location.bytes
        guard let address = bytes.baseAddress, !bytes.isEmpty else { return Tensor.zeros(entry.shape, type ?? stored) }
        var tensor = Tensor(
            borrowing: address, count: entry.elementCount, owner: location.owner, shape: entry.shape, dtype: stored)
        if Int(bitPattern: address) % stored.byteCount != 0 { tensor = Self.realigned(tensor) }
        guard let type, type != stored else { return tensor }
        let converted = Tensor.zeros(entry.shape, type)
        backend.convert(tensor, into: converted)
        return converted
    }

    /// Old exporters pad headers badly; vector loads want elements on their own boundaries.
    private static func realigned(_ tensor: Tensor) -> Tensor {
        let copy = Tensor.zeros(tensor.shape, tensor.dtype)
        copy.address.copyMemory(from: tensor.address, byteCount: tensor.byteCount)
        return copy
    }

    private func take(_ path: String, _ kind: CheckpointFiles, wanted: Set<String>? = nil) throws(ModelError) {
        for location in try kind.locations(path) where wanted?.contains(location.entry.name) ?? true { add(location) }
    }

    private func takeShards(_ index: String, _ kind: CheckpointFiles) throws(ModelError) {
        guard let map = try ModelFolder.object(index)["weight_map"]?.objectValue else {
            throw .missingKey(file: index, key: "weight_map")
        }
        var wanted: [String: Set<String>] = [:]
        for (tensor, shard) in map {
            guard let name = shard.stringValue, !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".." else {
                throw .invalidKey(file: index, key: "weight_map." + tensor, expected: "a file name in the same folder", found: shard.text())
            }
            wanted[name, default: []].insert(tensor)
        }
        for (shard, names) in wanted.sorted(by: { $0.key < $1.key }) {
            guard FileSystem.exists(Path.join(directory, shard)) else {
                throw .missingShard(file: index, shard: shard, tensor: names.min() ?? "", also: names.count - 1)
            }
            try take(Path.join(directory, shard), kind, wanted: names)
            if let absent = names.filter({ tensors[$0] == nil }).min() {
                throw .indexMismatch(file: index, tensor: absent, shard: shard)
            }
        }
    }

    private static func whyNoWeights(_ directory: String) -> String {
        let names = (try? FileSystem.list(directory)) ?? []
        if let other = names.first(where: { $0.hasSuffix(".bin") || $0.hasSuffix(".pth") || $0.hasSuffix(".pt") }) {
            return "there is \(other), but neither model.safetensors nor pytorch_model.bin nor an index of shards"
        }
        if let file = names.first(where: { $0.hasSuffix(".gguf") }) { return "its weights are GGUF: name the file, \(Path.join(directory, file))" }
        return "there is no model.safetensors, no pytorch_model.bin and no index of shards in it"
    }
}
